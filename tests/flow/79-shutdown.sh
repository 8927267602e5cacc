#!/bin/bash
# A server that is told to stop is kept waiting by us for less than a second: idle, with much to send, with a disk that
# does not answer. Each against the same stop without us. Of some tries one is enough: what keeps it does so each
# time.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

"${CC:-cc}" -shared -fPIC -o "$work/fault.so" "$root/tests/flow/fault.c"
export FAULT=$work/fault
mkdir "$FAULT"
server_create
printf '%s\n' 'max_wal_size = 2GB' 'wal_sender_timeout = 6s' >>"$server/data/postgresql.conf"
server_start
server_allow_plugin
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
echo 'snapshot = off' >>"$store/daystream.conf"
sql "CREATE TABLE zzz (a int, b int)"
sql "ALTER TABLE zzz REPLICA IDENTITY FULL"
up() { LD_PRELOAD=$work/fault.so daemon_start "$store" "$mnt"; }
stop() { # [MODE]: leaves how long that took in $took
	local begin
	begin=$(date +%s%N)
	server_stop "${1:-fast}"
	took=$((($(date +%s%N) - begin) / 1000000))
}
streaming() { wait_for 60 "[[ \$(status_of '$mnt' state) == streaming ]]"; }
nothing() { :; }
much() { sql "INSERT INTO zzz SELECT g, 0 FROM generate_series(1, 700000) g"; }
row() { sql "INSERT INTO zzz VALUES (-1, 1)"; }
rm_slow() { rm -f "$FAULT/slow"; }
stuck() { touch "$FAULT/slow"; row; sleep 0.3; }
compare() { # SENTENCE WORK [MODE [MADE FOR THE STOP WITHOUT US]]
	local alone try
	daemon_stop
	"${4:-$2}"
	stop "${3:-fast}"
	alone=$took
	server_start
	for try in 1 2 3 4 5 6; do
		alive "$daemon_pid" || up
		check "... (it has all there is)" caught_up "$mnt" 60
		"$2"
		stop "${3:-fast}"
		rm_slow
		server_start
		((took >= alone + 1000)) || break
	done
	check "$1 ($alone ms without us, $took ms with us at try $try)" test "$took" -lt $((alone + 1000))
	streaming
}
up
compare "idle" nothing
compare "idle, a smart stop" nothing smart
compare "with a large transaction to send" much
compare "with a disk that does not answer" stuck fast row
check "it goes on afterwards" caught_up "$mnt" 60
is "and nothing is lost, nor comes twice" "$(grep -c '	_action	insert	' "$mnt/tables/zzz")" "$(sql "SELECT count(*) FROM zzz")"
check "the store is sound" daystream check "$store"

# Meanwhile nothing is confirmed that the disk does not have, neither a commit nor idle WAL; and the server hears
# from us all the same.
slot() { sql "SELECT $1 FROM pg_replication_slots"; }
wait_for 60 "[[ \$(slot \"confirmed_flush_lsn = pg_current_wal_lsn()\") == t ]]" || true
touch "$FAULT/slow"
# What was written down before may be confirmed still, and ends here.
before=$(sql "SELECT pg_current_wal_insert_lsn()")
unconfirmed() { slot "confirmed_flush_lsn <= '$before'"; }
sql "SELECT pg_switch_wal()" >/dev/null
sql "CREATE TEMP TABLE noise AS SELECT generate_series(1, 2000)"
sleep 2.5
is "idle WAL is not confirmed before that is written down" "$(unconfirmed)" t
row
for try in 1 2 3; do # a machine that stood still itself is no sign
	pid=$(slot active_pid)
	sleep 7
	[[ -z $pid || $(slot active_pid) != "$pid" ]] || break
done
is "nor is a commit that is not synced" "$(unconfirmed)" t
is "but the server hears from us while the disk does not answer" "$(slot active_pid)" "$pid"
rm_slow
check "and with the disk it goes on" caught_up "$mnt" 60

# A daemon that is stopped itself cannot answer: that is for wal_sender_timeout.
kill -STOP "$daemon_pid"
row
stop
kill -CONT "$daemon_pid"
check "a daemon that is stopped is given up after wal_sender_timeout (6 s: $took ms)" test "$took" -lt 40000
server_start
check "and goes on" caught_up "$mnt" 60
daemon_stop
plan
