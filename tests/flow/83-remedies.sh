#!/bin/bash
# What an error says is to be done can be done, and helps: a damaged newest segment, segments that are gone, an edited or
# emptied daystream.conf; each without a copy. And what a mount and an init tell beforehand.
# shellcheck disable=SC2016 # wait_for expands it
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "CREATE TABLE open (a int PRIMARY KEY)"
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
check_not "init says nothing of tables that can be read" grep -q "may not read" "$work/init.log"
printf 'segment_size = 25000\n' >>"$store/daystream.conf"
refused() { # SENTENCE REGEX...: the daemon ends, and says
	local sentence=$1
	shift
	exits "$sentence: the daemon does not start" 1 timeout -k 5 30 daystreamfs "$store" "$mnt" -f
	like "... and says why, and what to do" "$output" "$@"
}
rounds=0
follows() { # SENTENCE
	daemon_start "$store" "$mnt"
	rounds=$((rounds + 1))
	sql "INSERT INTO zzz VALUES (-$rounds, 'on')"
	check "$1: the stream goes on" caught_up "$mnt"
	snapshot_there
	check "... a mirror is brought there" deltamirror --once --resync "$mnt" "$mirror"
	check "... and equals the server" deltamirror --verify "$conninfo" "$mirror"
	daemon_stop
	check "... and the store is sound" daystream check "$store"
}
newest() { find "$store/segments" -name '*.day' | sort -V | tail -n 1; }
setting() { # NAME VALUE
	sed -i "/^$1 *=/d" "$store/daystream.conf"
	printf "%s = '%s'\n" "$1" "$2" >>"$store/daystream.conf"
}

# ---- a damaged newest segment, and no copy of it

mkdir -p "$mnt"
touch "$mnt/hidden"
(cd "$work" && daystreamfs store mnt -f >"$work/daemon.log" 2>&1) &
wait_for 30 "mounted '$mnt'" "the mount"
daemon_pid=$(pgrep -P $! daystreamfs || echo $!)
is "/proc/mounts shows the store from the root on" "$(findmnt -n -o SOURCE "$mnt")" "$store"
like "what the mount hides is told" "$(cat "$work/daemon.log")" "warning: the mountpoint .*mnt is not empty"
for i in 1 2 3 4; do
	sql "INSERT INTO zzz SELECT $i * 1000 + g, md5(g::text) FROM generate_series(1, 200) g"
done
caught_up "$mnt"
end_process "$daemon_pid"
wait
daemon_pid=
rm "$mnt/hidden"
: >"$work/daemon.log"
daemon_start "$store" "$mnt"
check "an empty folder is no reason to warn" test "$(grep -c 'not empty' "$work/daemon.log")" -eq 0
snapshot_there
check "a mirror is made" deltamirror --once "$mnt" "$mirror"
mirrored=$(sqlite3 "$mirror" 'SELECT epoch FROM _daystream')
daemon_stop
damaged=$(newest)
flip "$damaged" $(($(stat -c %s "$damaged") / 2))
refused "a damaged newest segment" "$(basename "$damaged").*damage" "restore" "move it out of the store.*daystream init"
exits "init does not pass over it" 1 daystream init "$store"
like "but says the same" "$output" "move it out of the store"
mv "$damaged" "$work/damaged.day"
refused "without it" "is missing: restore" "run .daystream init. on the store"
exits "init begins a new generation" 0 daystream init "$store"
like "and says what is lost" "$output" "was whole up to .* once: what came between is lost" "new generation"
check "which begins behind all that was there" test "$(basename "$(newest)" | cut -d . -f 1)" -gt "$mirrored"
daemon_start "$store" "$mnt"
exits "a mirror of before stops" 1 deltamirror --once "$mnt" "$mirror"
like "and says what helps" "$output" "--resync"
daemon_stop
follows "then"

# A closed one that is missing, with its index: the store begins behind it.
for i in 5 6 7 8; do
	sql "INSERT INTO zzz SELECT $i * 1000 + g, md5(g::text) FROM generate_series(1, 200) g"
done
follows "more"
mapfile -t all < <(find "$store/segments" -name '*.day' | sort -V)
lost=${all[-3]}
mv "$lost" "$work/lost.day"
refused "a missing segment" "missing: restore" "remove .* all .*before it"
rm "${all[@]:0:${#all[@]}-3}" "${lost%.day}.idx"
follows "behind it"

# ---- no segments at all

mkdir "$work/taken"
mv "$store"/segments/*.day "$work/taken"
refused "no segment" "no whole segment.*daystream.conf: restore.*daystream drop.*remove it.*daystream init"
exits "init says the same" 1 daystream init "$store"
like "with the way out" "$output" "daystream drop.*remove it.*daystream init"
mv "$store/segments" "$work/segments"
refused "no folder of them" "no folder segments.*daystream.conf: restore.*daystream drop.*remove it.*daystream init"
exits "so does status" 1 daystream status "$store"
like "with the way out" "$output" "daystream drop.*remove it.*daystream init"
exits "drop works" 0 daystream drop --yes "$store"
rm -r "$store"
exits "and init" 0 daystream init "$store" --conninfo "$conninfo"
follows "a new store"

# ---- daystream.conf

setting slot another
refused "another slot's name in daystream.conf" "\"another\".*\"daystream\": write slot = 'daystream'"
exits "init says the same" 1 daystream init "$store"
like "with the line" "$output" "write slot = 'daystream'"
exits "so does status" 1 daystream status "$store"
like "with the line" "$output" "write slot = 'daystream'"
setting slot daystream
follows "with the line"
check "for another slot, drop" daystream drop --yes "$store"
check "and init" daystream init --slot another "$store"
follows "another slot"
cp "$store/daystream.conf" "$work/conf"
: >"$store/daystream.conf"
refused "an emptied daystream.conf" "no line conninfo.*put the settings back"
for command in init status check "drop --yes" snapshot; do
	# shellcheck disable=SC2086
	exits "daystream $command refuses it, too" 1 daystream $command "$store"
	like "... and says so" "$output" "no line conninfo"
done
cp "$work/conf" "$store/daystream.conf"
follows "put back"

# ---- init looks ahead

sql "CREATE ROLE clerk LOGIN REPLICATION"
sql "GRANT CREATE ON DATABASE postgres TO clerk"
sql "GRANT SELECT ON open TO clerk"
sql "DROP SCHEMA daystream CASCADE"
exits "a role that may not read tables can be used" 0 daystream init "$work/two" --slot two --conninfo "${conninfo/user=postgres/user=clerk}"
like "but init says what will fail" "$output" "warning: the role clerk may not read 1 table \(public.zzz\).*snapshot.*GRANT pg_read_all_data TO clerk"
sql "GRANT pg_read_all_data TO clerk"
exits "with the right" 0 daystream init "$work/three" --slot three --conninfo "${conninfo/user=postgres/user=clerk}"
check_not "it says nothing" grep -q "may not read" <<<"$output"
plan
