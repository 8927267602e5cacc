#!/bin/bash
# Killed before, and in the midst of, every call that changes the store: daystreamfs, daystream init, daystream snapshot.
# Started again and again, they come to the same end as if nothing had happened.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs record.so

mkdir "$work/disk" "$mnt"
store=$work/disk/store
recorder=(env --default-signal=INT LD_PRELOAD="$build/tests/record.so" RECORD_ROOT="$work/disk")
kills=0

server_up
sql "CREATE TABLE zzz (a serial PRIMARY KEY, b text)"
sql "CREATE TABLE other (x int PRIMARY KEY, y text)"

# daystream init: what it leaves is a store, or nothing, or it says what to do about it.
slots() { sql "SELECT count(*) FROM pg_replication_slots"; }
init() { "${recorder[@]}" "$@" daystream init "$store" --conninfo "$conninfo"; }
for ((n = 1; n < 100; n++)); do
	run_quietly init RECORD_STOP="$n"
	[[ $status -eq 137 ]] || break
	kills=$((kills + 1))
	run_quietly init
	if [[ $output == *"can go on: start daystreamfs"* ]]; then
		check "a store that lacked the end of init alone serves" daemon_start "$store" "$mnt"
		daemon_stop
	elif [[ $status -ne 0 ]]; then
		like "init after a kill at call $n says what to do" "$output" 'remove the folder|pg_drop_replication_slot'
		rm -rf "$store"
		[[ $(slots) -eq 0 ]] || sql "SELECT pg_drop_replication_slot('daystream')" >/dev/null
		check "which helps" init
	fi
	check "the store is sound" daystream check "$store"
	sql "SELECT pg_drop_replication_slot('daystream')" >/dev/null
	rm -rf "$store"
done
is "init comes through, when it is killed no more" "$status" 0
check "having been killed at each call" test "$n" -gt 12

# The daemon: killed at its first call, the next one at its second, and so on, before the call and in the midst of
# a write, while transactions come all the time.
printf 'segment_size = 8192\nsnapshot = off\n' >>"$store/daystream.conf"
cat >"$work/load.sql" <<'EOF'
\set a random(1, 200)
\set rows random(1, 6)
INSERT INTO zzz (b) SELECT repeat('fox', :rows * 10) FROM generate_series(1, :rows);
UPDATE zzz SET b = 'hen' WHERE a = :a;
BEGIN;
DELETE FROM zzz WHERE a % 50 = :rows;
INSERT INTO other VALUES (:a, 'y') ON CONFLICT (x) DO UPDATE SET y = other.y || 'z';
COMMIT;
EOF
pgbench -n -c 2 -R 100 -T 900 -f "$work/load.sql" >"$work/pgbench.log" 2>&1 &
load=$!
killed() { # CALL
	local status=0
	"${recorder[@]}" RECORD_STOP="$1" daystreamfs "$store" "$mnt" -f >>"$work/daemon.log" 2>&1 &
	daemon_pid=$!
	wait_for 120 "! alive $daemon_pid" "the daemon to come to call $1" || return 1
	wait "$daemon_pid" 2>/dev/null || status=$?
	kills=$((kills + 1))
	[[ $status -eq 137 ]]
}
for ((n = 1; n <= 60; n++)); do
	((n % 20 != 0)) || sql "ALTER TABLE zzz ADD COLUMN c$n int DEFAULT $n"
	((n % 20 != 10)) || sql "INSERT INTO zzz (b) SELECT repeat('x', 100) FROM generate_series(1, 4000)"
	if ! killed "$n" || ! killed "$n+"; then break; fi
done
is "the daemon is killed at each call, and starts after each kill" "$n" 61
kill "$load"
wait "$load" || true
pgbench_over
daemon_start "$store" "$mnt"
caught_up "$mnt"
cp "$mnt/live" "$work/live"
check "no line is lost, repeated or out of order" "$root/tests/flow/stream.py" rules --crc "$work/live"
mirror_once
equal_tables "a mirror equals the server"
check "the store is sound" daystream check "$store"

# A snapshot, beside the daemon.
for ((n = 1; n < 100; n++)); do
	run_quietly "${recorder[@]}" RECORD_STOP="$n" daystream snapshot "$store"
	[[ $status -eq 137 ]] || break
	kills=$((kills + 1))
	run_quietly daystream check "$store"
	[[ $status -eq 0 ]] || result 1 "the store is sound with what a snapshot left at call $n" "$output"
done
is "a snapshot comes through, when it is killed no more" "$status" 0
check "having been killed at each call" test "$n" -gt 12
name=$(tail -n 1 <<<"$output")
is "nothing that was left stands beside it" "$(find "$store/snapshots" -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -vc '^[0-9]*\.[0-9]*$')" 0
check "it is whole" "$root/tests/flow/stream.py" snapshot "$mnt/snapshots/$name" "$mnt/live"
daemon_stop
note "$kills kills"
plan
