#!/bin/bash
# A loss of power at any moment of a mirror's life: while it is built, follows, comes anew, is stopped, started, thrown away and built again. What deltamirror
# does to its folder is recorded, SQLite's own files included; tests/crash/judge_mirror.c makes thousands of the states
# that a loss of power may leave of it and goes on from each.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs record.so

folder=$work/folder trace=$work/trace
mirror=$folder/m.sqlite
mkdir "$folder"
recorder=(env RECORD_ROOT="$folder" RECORD_TRACE="$trace" LD_PRELOAD="$build/tests/record.so")
recorded() { # [RECORD_...=...] -- deltamirror's arguments
	local settings=()
	while [[ $1 != -- ]]; do settings+=("$1"); shift; done
	shift
	"${recorder[@]}" "${settings[@]}" timeout 250 deltamirror "$@" "$mnt" "$mirror"
}
log=$work/mirror.log
start() { # [OPTION...]
	: >"$log" # here, so that nobody reads there what the one before said
	recorded -- "$@" >>"$log" 2>&1 &
	pid=$!
}
stop() { # by a signal, once the mirror has all
	caught_up "$mnt"
	recorded_up || { tail -n 20 "$log" >&2; return 1; }
	end_process "$(pgrep -P "$pid")" TERM 60
	wait "$pid"
}
recorded_up() {
	wait_for 120 "[[ \$(sqlite3 'file:$mirror?mode=ro' \"SELECT epoch || '.' || seq FROM _daystream\") == \$(status_of '$mnt' position) ]]" "the mirror to come to the end"
}

number=0
traffic() { # TIMES: small transactions, large ones, of tables with and without a key
	local i
	for ((i = 0; i < $1; i++)); do
		number=$((number + 1))
		case $((number % 6)) in
		0) sql "UPDATE t SET v = v || '$number' WHERE id % 7 = $((number % 7))" ;;
		1) sql "INSERT INTO keyless SELECT g % 9, 'row $number' FROM generate_series(1, 20) g" ;;
		2) sql "BEGIN; DELETE FROM keyless WHERE a = '$((number % 9))'; UPDATE t SET id = -id WHERE id = $number; COMMIT" ;;
		3) sql "INSERT INTO t SELECT g, md5(g::text) FROM generate_series($number * 1000, $number * 1000 + 10) g" ;;
		4) sql "INSERT INTO log SELECT 'said $number'" ;;
		5) sql "DELETE FROM t WHERE id > 1000 AND id % 10 = $((number % 10))" ;;
		esac
	done
}

amid_traffic() { # WORDS OPTION...: traffic goes on from before its start until the mirror says WORDS
	local words=$1 load before status=0
	shift
	rm -f "$work/enough"
	while [[ ! -e $work/enough ]]; do traffic 1; done &
	load=$!
	before=$(status_of "$mnt" position)
	wait_for 60 "[[ \$(status_of '$mnt' position) != $before ]]" "traffic"
	start "$@"
	wait_for 120 "grep -q '$words' '$log'" "the mirror to come so far" || status=1
	touch "$work/enough"
	wait "$load"
	number=$((number + 100000)) # what it counted, stays below it
	[[ $status -eq 0 ]] && stop
}

server_up
stream_up
sql "CREATE TABLE t (id int PRIMARY KEY, v text)"
sql "CREATE TABLE keyless (a int, b text)"
sql "ALTER TABLE keyless REPLICA IDENTITY FULL"
sql "CREATE TABLE log (said text)"
sql "INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 400) g"
traffic 6
snapshot_taken
traffic 6

exits "a mirror is built" 0 recorded -- --once
"$root/tests/crash/note.py" "$trace" "built 1"
start
traffic 18
stop
start
sql "ALTER TABLE t ADD COLUMN w int DEFAULT 7"
traffic 6
sql "CREATE TABLE later (k text PRIMARY KEY, v bytea)"
sql "INSERT INTO later SELECT 'k' || g, decode(repeat(md5(g::text), 20), 'hex') FROM generate_series(1, 100) g"
sql "ALTER TABLE keyless ALTER a TYPE bigint"
sql "UPDATE t SET w = id; DELETE FROM later WHERE k > 'k5'"
sql "TRUNCATE log"
traffic 6
sql "ALTER TABLE t DROP COLUMN w"
traffic 6
stop
# The disk is full for a while, so that the WAL is copied back meanwhile.
recorded RECORD_FAIL=write:60:ENOSPC -- >"$work/full.log" 2>&1 &
pid=$!
traffic 18
wait_for 120 "grep -q 'has space again' '$work/full.log' || { traffic 1; false; }" "the disk to have been full" # the faster, the sooner
stop
like "the disk was full for a while" "$(cat "$work/full.log")" "no space is left.*waiting" "has space again"

# Killed; then syncs that fail. Each time it goes on from what is there.
traffic 6
caught_up "$mnt"
exits "a mirror is killed in the middle of a write" 137 recorded RECORD_STOP=20+ -- --once
exits "... and goes on" 0 recorded -- --once
for call in write:1 write:9 fsync:1 fdatasync:1 fdatasync:2 fdatasync:3 fdatasync:4; do
	traffic 3
	caught_up "$mnt"
	if [[ $call == fdatasync:2 ]]; then
		exits "SQLite's own sync of the folder may fail" 0 recorded "RECORD_FAIL=$call:EIO" -- --once
	else
		exits "a ${call%:*} that fails ends it" 1 recorded "RECORD_FAIL=$call:EIO" -- --once
		like "... with the name" "$output" "($mirror: disk I/O error|the folder $folder): Input/output error"
	fi
	start
	traffic 3
	stop
done
snapshot_taken
traffic 3
caught_up "$mnt"
exits "it comes anew" 0 recorded -- --once --resync
traffic 6
caught_up "$mnt"
exits "one table does" 0 recorded -- --once --resync=t
for _ in 1 2 3; do
	start
	traffic 3
	stop
done
check "it comes anew in the midst of traffic" amid_traffic "is new" --resync
check "one table does" amid_traffic "is new" --resync=keyless
check "... by a copy of the server's" amid_traffic "is new" --resync=t --from "$conninfo"
check "it does so" amid_traffic "is new" --resync --from "$conninfo"
start # so that the last WAL has no more than some pages
traffic 3
stop
"$root/tests/crash/note.py" "$trace" "built 0"
"${recorder[@]}" rm "$mirror"
check "it is built from there in the midst of traffic" amid_traffic following --from "$conninfo"
"$root/tests/crash/note.py" "$trace" "built 1"
equal_tables "the mirror equals the server"

note "$(stat -c %s "$trace") bytes of trace, mirror $(stat -c %s "$mirror")"
status=0
"$build/tests/judge_mirror" "$trace" "$mnt" m.sqlite "${STATES:-10000}" >"$work/judged" 2>"$work/judge.log" || status=$?
result $status "whatever a loss of power leaves, the mirror is whole or not there, and goes on to the same end" \
	"$(cat "$work/judged"; tail -n 5 "$work/judge.log")"
note "$(tail -n 1 "$work/judged")"
[[ -z ${KEEP:-} ]] || { daemon_stop; cp -a "$trace" "$store" "$KEEP"; }
plan
