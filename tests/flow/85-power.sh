#!/bin/bash
# Power loss at any moment. The daemon, init and snapshots run with a recorder (tests/crash/trace.h) that writes down every
# change of the store; then tests/crash/judge_store makes the states that a loss of power could have left after each of them,
# starts from each with the real code, and compares with what a second slot says is true.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs record.so

segment_size=16384
keep_bytes=80000
disk=$work/disk
store=$disk/store
trace=$work/trace
mkdir "$disk" "$mnt"
recorder=(env --default-signal=INT LD_PRELOAD="$build/tests/record.so" RECORD_ROOT="$disk" RECORD_TRACE="$trace")
tell() { tests/crash/note.py "$trace" "$*"; }

start() { # [RECORD_STOP=... RECORD_FAIL=...]
	"${recorder[@]}" RECORD_SLOW=3000 "$@" daystreamfs "$store" "$mnt" -f >>"$work/daemon.log" 2>&1 &
	daemon_pid=$!
	wait_for 60 "mounted '$mnt' || ! alive $daemon_pid" "the daemon to start"
}
small() { # COUNT: transactions, one after the other
	seq "$1" | sed "s/.*/INSERT INTO zzz (b) VALUES ('round $round, number &: ' || repeat('fox', (random() * 60)::int));/" | psql -Xq
}
load() {
	round=$((${round:-0} + 1))
	small 12
	psql -Xq <<-SQL
		BEGIN; INSERT INTO zzz (b) VALUES ('never'); ROLLBACK;
		BEGIN; INSERT INTO zzz (b) VALUES ('kept'); SAVEPOINT s; DELETE FROM zzz; ROLLBACK TO s; UPDATE zzz SET b = b || '.' WHERE a < 60; COMMIT;
		ALTER TABLE zzz ADD COLUMN c$round int DEFAULT $round;
		CREATE TABLE t$round (x int PRIMARY KEY, y text);
		INSERT INTO t$round SELECT i, 'y' FROM generate_series(1, 30) i;
		INSERT INTO zzz (b) SELECT repeat('longer than a sector', 150) FROM generate_series(1, 2);
		SELECT pg_logical_emit_message(true, 'power', 'round $round') \g /dev/null
	SQL
	((round == 1)) || psql -Xqc "TRUNCATE t$((round - 1))" -c "DROP TABLE t$((round - 1))"
	small 12
}
large() { sql "INSERT INTO zzz (b) SELECT repeat('hen', 30) FROM generate_series(1, 1800)"; }
ends() { # SENTENCE STATUS: the daemon, by itself; how much it takes until then, how fast it is says
	local status=0 more
	for ((more = 0; more < 20; more++)); do
		if wait_for 3 "! alive $daemon_pid" 2>/dev/null; then break; fi
		load
	done
	check "$1" wait_for 30 "! alive $daemon_pid"
	wait "$daemon_pid" 2>/dev/null || status=$?
	is "with status $2" "$status" "$2"
}
snapshots=()
snapshot() { # [RECORD_STOP=...]
	local name
	name=$("${recorder[@]}" "$@" daystream snapshot "$store" 2>>"$work/snapshot.log") && tell "snapshot $name" &&
		snapshots+=("$name")
}

server_up
sql "CREATE TABLE zzz (a serial PRIMARY KEY, b text)"
"${recorder[@]}" daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
tell init
printf 'segment_size = %s\nkeep_bytes = %s\nsnapshot = off\nreserve_size = 40000\n' $segment_size $keep_bytes |
	"${recorder[@]}" dd of="$store/daystream.conf" oflag=append conv=notrunc status=none
sql "SELECT pg_create_logical_replication_slot('truth', 'deltaflood')" >/dev/null
tests/crash/note.py "$trace" --follow "$mnt/live" 2>"$work/follower.log" &
follower=$!

first=$(basename "$store"/segments/*.day)
start
load
large
snapshot
load
check "the daemon ends well" daemon_stop
start RECORD_SLOW=100000
for n in first next; do # after another: what is written over what was confirmed
	for ((i = 0; i < 15; i++)); do # WAL that no follower needs, while the LSN before it is being written down
		sql "CREATE TEMP TABLE t (a int)"
		sleep 0.1
	done
	lsn=$(sql "SELECT pg_switch_wal()")
	check "the $n idle LSN is confirmed" wait_for 60 "[[ \$(sql \"SELECT confirmed_flush_lsn >= '$lsn' FROM pg_replication_slots WHERE slot_name = 'daystream'\") == t ]]"
done
daemon_stop
start RECORD_STOP=60+
load
load
ends "it is killed in the midst of its work" 137
start RECORD_FAIL=fdatasync:25:EIO:1:.day
load
load
load
ends "a sync that fails ends it" 1
like "with the reason" "$(tail -n 1 "$work/daemon.log")" 'syncing a segment.*input/output error'
start
load
run_quietly snapshot RECORD_STOP=9
snapshot
load
snapshot
load
load
load
snapshot
caught_up "$mnt"
wait_for 60 "[[ ! -e '$store/snapshots/${snapshots[0]}' ]]" "the first snapshot to expire" || true
check "the follower is there still" kill "$follower"
is "and has not complained" "$(cat "$work/follower.log")" ""
check "and ends well" daemon_stop
check "the store is sound" daystream check "$store"
check_not "its first segment has been given up" test -e "$store/segments/$first"
check_not "and a snapshot with it" test -e "$store/snapshots/${snapshots[0]}"
"$build/tests/judge_store" "$trace" "$work/last"
check "the recorder has missed nothing" diff -r "$disk" "$work/last"

lsn=$(sql "SELECT pg_current_wal_flush_lsn()")
sql "SELECT pg_logical_emit_message(false, 'power', 'so that the end is behind')" >/dev/null
pg_recvlogical --dbname "$PGDATABASE" --slot truth --start --endpos "$lsn" --no-loop --file - >"$work/truth"

# A file system in memory, where there may be one.
mkdir "$work/states"
[[ $EUID -ne 0 ]] || mount -t tmpfs -o size=256m tmpfs "$work/states"
judge() { # PART
	"$build/tests/judge_store" "$trace" store "$work/truth" "$work/states/$1" $segment_size $keep_bytes "$1/2" \
		>"$work/judged.$1" 2>"$work/judge.$1.log"
}
judge 0 &
other=$!
check "half of the states are as promised" judge 1
check "and so is the other half" wait "$other"
for part in 0 1; do
	sed 's/^/# /' "$work/judged.$part"
	grep -v 'streaming from' "$work/judge.$part.log" | tail -n 5 | sed 's/^/# /' || true
done
# No other run has the same states.
if ((tap_failed > 0)); then
	cp "$trace" "$work/truth" "$build/tests/log/"
	note "judge_store $build/tests/log/trace store $build/tests/log/truth FOLDER $segment_size $keep_bytes"
fi
plan
