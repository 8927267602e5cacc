#!/bin/bash
# A server that sends nonsense (tests/stub/walsender.py): the daemon goes on or ends with one error, a signal ends
# it at any time, nothing of it is shown, and the true stream goes on afterwards.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

stub=$work/stub
mkdir "$stub"
server_up
mkfifo "$work/stub.end"
"$root/tests/stub/walsender.py" "$stub" "$server/.s.PGSQL.5432" <"$work/stub.end" &
exec 9>"$work/stub.end"
wait_for 60 "[[ -S $stub/.s.PGSQL.5432 ]]"

daystream init "$store" --conninfo "host=$stub port=5432 user=$PGUSER dbname=$PGDATABASE" >"$work/init.log" 2>&1
daemon_start "$store" "$mnt"
sql "CREATE TABLE zzz (a int PRIMARY KEY)"
rows=0
true_row() {
	rows=$((rows + 1))
	sql "INSERT INTO zzz VALUES ($rows)"
}
meet() { # ACT: the next connection gets it
	rm -f "$stub/done"
	[[ -n $daemon_pid ]] || slot_free
	echo "$1" >"$stub/act.new"
	mv "$stub/act.new" "$stub/act"
	if [[ -z $daemon_pid ]]; then
		daemon_start "$store" "$mnt" || true # it may have ended already
	else
		sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active" >/dev/null
	fi
}
hear() { # ACT: the same; returns when all of it was sent
	meet "$1"
	wait_for 60 "[[ -e $stub/done ]]" "$1 to be sent"
}
goes_on() { # ACT
	hear "$1"
	true_row
	check "$1: it goes on" caught_up "$mnt" 60
}
ends() { # ACT REGEX: with one error
	local status=0 ended=
	: >"$work/daemon.log"
	hear "$1"
	wait_for 60 "! alive $daemon_pid" "the daemon to end" || ended="hangs"
	[[ -z $ended ]] || end_process "$daemon_pid" KILL
	wait "$daemon_pid" 2>/dev/null || status=$?
	daemon_pid=
	unmount_all "$mnt"
	is "$1: it ends with one error$ended" "$status $(grep -c 'error: ' "$work/daemon.log")" "1 1"
	like "$1: which says why" "$(cat "$work/daemon.log")" "$2"
}
hangs() { # ACT: nothing comes, so a signal has to end it
	local status=0
	hear "$1"
	end_process "$daemon_pid" TERM 30
	wait "$daemon_pid" || status=$?
	daemon_pid=
	unmount_all "$mnt"
	is "$1: a signal ends it" "$status" 0
}

true_row
caught_up "$mnt"

# What breaks a connection, at whatever byte: it is made anew, after a pause.
for act in close cut-header cut-body cut-after-row length-0 length-3 length-negative length-2GB kind-unknown noise \
	copy-done ready results no-fields error-unended error-1MB error-internal notices keepalives row-description-held \
	copy-done-held start-answered first-kind first-error first-long first-noise; do
	goes_on "$act"
done
# The true stream: its first bytes only, or one after the other.
for act in "cut 1" "cut 30" "cut 120" "drip 400"; do
	meet "$act"
	wait_for 60 "[[ ! -e $stub/act ]]" "the daemon to come back"
	true_row
	check "$act: it goes on" caught_up "$mnt" 60
done
check "no memory was kept" test "$(awk '/^VmRSS/ { print $2 }' "/proc/$daemon_pid/status")" -lt 150000
daemon_stop

# What may go on one day: a signal ends it.
for act in silence half-a-message length-2GB-held keepalives-asking empty slot-silence first-silence; do
	hangs "$act"
done
# What is no stream of ours: it ends.
line='no line of the format'
ends identify-nothing 'IDENTIFY_SYSTEM cannot be read'
ends identify-narrow 'IDENTIFY_SYSTEM cannot be read'
ends start-refused 'starting replication from the slot "daystream": no'
ends slot-narrow 'replication slot .* (database|invalid|confirmed)'
ends kind-x 'unknown kind 0x78'
ends short-data 'kind w with 11 bytes'
ends short-keepalive 'kind k with 9 bytes'
ends no-grammar "$line"
ends no-begin 'outside its transaction'
ends begin-in-begin 'begin line'
ends time-nonsense 'begin line'
ends lsn-back 'commit line'
ends name-alone "$line"
ends escape-unknown "$line"
ends nul "$line"
ends not-utf8 "$line"
ends no-table 'names no table'
ends origin 'names no table'
ends other-xid 'outside its transaction'
ends long-line "$line"

daemon_start "$store" "$mnt"
true_row
check "the true stream goes on" caught_up "$mnt"
is "with all of it" "$(awk -F '\t' '$10 == "insert" { print $12 }' "$mnt/tables/zzz")" "$(seq "$rows")"
check "by its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
check_not "nothing else was ever stored" grep -qa nonsense "$store"/segments/*
check "the store is sound" daystream check "$store"
exec 9>&-
plan
