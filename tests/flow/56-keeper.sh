#!/bin/bash
# The snapshots that the daemon takes by itself, where retention waits for a newer one: one is taken, however often it is
# asked for meanwhile, and after a failure it is not forgotten.
# shellcheck source=lib.sh
# shellcheck disable=SC2016,SC2034,SC2086 # wait_for expands them
. "$(dirname "$0")/lib.sh"

server_up
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
printf 'segment_size = 20000\nkeep_bytes = 100000\n' >>"$store/daystream.conf"
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "CREATE SEQUENCE n"
daemon_start "$store" "$mnt"
snapshot_there
first=$(readlink "$mnt/snapshots/latest")
coproc holder { psql -XqAt; }
lock() {
	echo "BEGIN; LOCK TABLE zzz; SELECT 'locked';" >&"${holder[1]}"
	read -r -t 30 <&"${holder[0]}"
}
fill() { # past what is to be kept; in a table that is not locked
	local i
	for i in 1 2 3 4 5 6 7 8; do
		sql "SELECT pg_logical_emit_message(true, 'x', repeat('z', 30000))" >/dev/null
	done
	caught_up "$mnt"
}
state() { status_of "$mnt" snapshot_state; }
taken() { grep -c 'the snapshot .* was taken' "$work/daemon.log"; }

lock
fill
check "retention asks for a newer snapshot" wait_for 60 '[[ $(state) == taking ]]'
sleep 2.5 # it asks every second
is "which waits for a lock: the old one stays" "$(readlink "$mnt/snapshots/latest")" "$first"
echo "ROLLBACK;" >&"${holder[1]}"
newer() { [[ $(readlink "$mnt/snapshots/latest") != "$1" && $(state) == idle ]]; }
check "it is taken" wait_for 60 "newer $first"
check "then the old one and its lines go" wait_for 30 "[[ ! -e $store/snapshots/$first ]]"
sleep 1.5 # a tick of the keeper
is "one was taken, though it was asked for several times" "$(taken)" 2

# One that fails is taken when that is over, without being asked for again.
second=$(readlink "$mnt/snapshots/latest")
sql "CREATE ROLE keeper LOGIN REPLICATION"
daemon_stop
sed -i '/^conninfo /d' "$store/daystream.conf"
printf "conninfo = '%s'\n" "${conninfo/user=postgres/user=keeper}" >>"$store/daystream.conf"
daemon_start "$store" "$mnt"
fill
check "one fails where the tables cannot be read" wait_for 60 '[[ $(state) == failed ]]'
like "and says why" "$(status_of "$mnt" snapshot_error)" 'zzz.*GRANT SELECT'
sql "GRANT SELECT ON ALL TABLES IN SCHEMA public TO keeper"
check "it comes when they can" wait_for 60 "newer $second"
is "and the failure is over" "$(status_of "$mnt" snapshot_error)" ""
daemon_stop
plan
