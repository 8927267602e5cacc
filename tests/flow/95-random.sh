#!/bin/bash
# Random schemas and random traffic against a live chain, whose programs are
# killed meanwhile; at the end every mirror equals PostgreSQL. tests/random/
# makes the turmoil, this script judges. SEED repeats the choices of a run.
# There are rounds of ROUND_SECONDS of traffic until RANDOM_SECONDS are over.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

seed=${SEED:-$((RANDOM << 15 | RANDOM))}
round_seconds=${ROUND_SECONDS:-30}
note "SEED=$seed repeats this"

# What tells of a failure outlives the test.
keep() {
	local kept=$build/random-$seed
	[[ $tap_failed -gt 0 || ${finished:-0} -eq 0 ]] || return 0
	mkdir -p "$kept"
	cp -r "$work/mirrors" "$work"/*.log "$work"/differences "$work"/folder "$server/log" "$store" "$kept/" 2>/dev/null || true
	note "SEED=$seed failed; logs, mirrors and the store are in $kept"
}
trap 'status=$?; keep; ended $status' EXIT

server_create
cat >>"$server/data/postgresql.conf" <<-CONF
	max_prepared_transactions = 20
	max_connections = 60
	max_locks_per_transaction = 256
	fsync = off
	deadlock_timeout = 200ms
	log_statement = ddl
CONF
server_start
server_allow_plugin

folder=$work/folder
mkdir "$folder" "$mnt"
turmoil() { # SEED OPTION...
	"$root/tests/random/turmoil.py" --seed "$@" --store "$store" --mount "$mnt" --folder "$folder"
}
turmoil "$seed" --populate
# Others join a server that has rows already.
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
printf '%s\n' 'segment_size = 262144' 'keep_bytes = 500000000' >>"$store/daystream.conf"
kept() { printf 'kept %s%%2F%%25' "$1"; } # a table's path name
words() { local IFS=$'\x1f'; printf '%s' "$*"; }
mirror_line() { # NAME TABLES OPTION...
	printf '%s\t%s\t%s\n' "$1" "$(words "${@:3}")" "$2"
}
{
	mirror_line steady '' "$mnt"
	mirror_line narrow "$(words "$(kept 0)" parent)" "--tables=$(kept 0),parent" "$mnt"
	mirror_line lone "$(kept 1)" "$mnt/tables/$(kept 1)"
	mirror_line direct '' "--from=$conninfo" "$mnt"
} >"$folder/mirrors"

each_snapshot() { # has the tables, and in its overlap what they lack
	local snapshot name before
	for snapshot in "$mnt"/snapshots/*.*; do
		name=${snapshot##*/}
		before=$mnt/since/$((${name%.*} - 300))/0/live
		[[ -e $snapshot ]] || continue
		[[ -e $before ]] || before=$mnt/live # retention has come so far
		check "snapshot $name and the stream are whole, and nothing twice" \
			"$root/tests/flow/stream.py" snapshot "$snapshot" "$before"
	done
}

each_mirror() {
	local name options only
	while IFS=$'\t' read -r name options only; do
		mapfile -d $'\x1f' -t options < <(printf %s "$options")
		mapfile -d $'\x1f' -t only < <(printf %s "$only")
		exits "mirror $name comes to the end" 0 timeout 300 deltamirror --once "${options[@]}" "$folder/$name.sqlite"
		if [[ ${#only[@]} -eq 0 ]]; then
			check "mirror $name equals PostgreSQL" "$root/contrib/compare-tables" -q -s "$folder/$name.sqlite"
		else
			check "mirror $name equals PostgreSQL" "$root/contrib/compare-tables" -q "$folder/$name.sqlite" "${only[@]}"
		fi
		exits "and --verify says so" 0 timeout 300 deltamirror --verify --wait=3 "$conninfo" "$folder/$name.sqlite"
	done
}

judge() { # what must be true when the server is at rest
	daemon_start "$store" "$mnt"
	check "the mount comes up to what is committed" caught_up "$mnt" 120
	check "a snapshot is taken" snapshot_taken
	each_snapshot
	each_mirror <"$folder/mirrors"
	rm -f "$folder"/fresh*
	each_mirror < <(mirror_line fresh '' "$mnt")
	check "the stream follows its rules" "$root/tests/flow/stream.py" rules "$mnt/live"
	note "$(find "$store/segments" -name '*.day' | wc -l) segments, $(stat -c %s "$mnt/live") bytes"
	daemon_stop
	check "the store is sound" daystream check "$store"
	is "one slot served it" "$(sql "SELECT count(*) FROM pg_replication_slots")" 1
	is "nothing half is left among the snapshots" \
		"$(find "$store/snapshots" -mindepth 1 -maxdepth 1 ! -exec test -s '{}/manifest' \; -print)" ""
}

over=$((SECONDS + ${RANDOM_SECONDS:-30}))
round=0
while ((SECONDS < over && tap_failed == 0)); do
	round=$((round + 1))
	status=0
	turmoil "$seed.$round" --seconds "$round_seconds" || status=1
	result "$status" "round $round: each program goes on until it is told to end"
	judge
	# Who only came to follow a snapshot has done so.
	sed -i '/^snapshot/d' "$folder/mirrors"
	rm -f "$folder"/snapshot*.sqlite*
done
finished=1
plan
