#!/bin/bash
# A mirror as of a moment: --until with a position, an LSN and a time, while pgbench runs. What PostgreSQL had at
# an LSN is told by the snapshot that it exports when it makes a slot there: what was committed by then, and no more.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

tables=("pgbench_accounts:aid,bid,abalance" "pgbench_tellers:tid,bid,tbalance" "pgbench_branches:bid,bbalance"
	"pgbench_history:tid,bid,aid,delta,mtime")

server_content() { # FILE [STATEMENT [STATEMENT]]: all rows, as one transaction sees them; what it does before and after
	local table columns
	{
		echo "BEGIN ISOLATION LEVEL REPEATABLE READ;"
		echo "${2:-}"
		for table in "${tables[@]}"; do
			columns=${table#*:}
			echo "COPY (SELECT $columns FROM ${table%%:*} ORDER BY $columns) TO STDOUT;"
		done
		echo "${3:-}"
	} | psql -XqAt -v ON_ERROR_STOP=1 >"$1"
}

mirror_content() { # DB
	local table columns
	for table in "${tables[@]}"; do
		columns=${table#*:}
		sqlite3 -separator $'\t' "$1" "SELECT $columns FROM ${table%%:*} ORDER BY $columns"
	done
}

is_as() { # SENTENCE DB FILE
	mirror_content "$2" >"$work/content"
	check "$1" cmp "$work/content" "$3"
}

until_is() { # SENTENCE T FILE: a new mirror until T has what the file says
	rm -f "$work"/as-of*
	exits "$1: it ends" 0 deltamirror --until "$2" "$mnt" "$work/as-of.sqlite"
	is_as "$1" "$work/as-of.sqlite" "$3"
}

# The position of the last commit line that an awk condition on lsn, c (its second) and s holds for.
last_commit() { # CONDITION
	awk -F '\t' 'function number(lsn) { split(lsn, half, "/"); return sprintf("%8s/%8s", half[1], half[2]) }
		/\t_action\tcommit\t/ { c = $2 + 0; lsn = number($10); if ('"$1"') last = $2 "." $4 } END { print last }' "$mnt/live"
}

server_up
stream_up
daemon_stop
sed -i 's/^snapshot = .*/snapshot = off/' "$store/daystream.conf"
rm -rf "$store"/snapshots/[0-9]*
daemon_start "$store" "$mnt"
pgbench -q -i -s 1 >/dev/null 2>&1

pgbench -n -c 4 -T 300 >"$work/pgbench.log" 2>&1 &
bank=$!
wait_for 60 "[[ \$(sql 'SELECT count(*) FROM pgbench_history') -gt 300 ]]"

# A slot's snapshot: a walsender keeps it while another session copies.
mkfifo "$work/walsender"
truth_at_lsn() { # FILE: leaves the LSN in $lsn
	local snapshot
	rm -f "$work/slot"
	psql -XqAt -F ' ' "dbname=$PGDATABASE replication=database" <"$work/walsender" >"$work/slot" 2>&1 &
	local pid=$!
	exec 7>"$work/walsender"
	echo "CREATE_REPLICATION_SLOT truth TEMPORARY LOGICAL test_decoding (SNAPSHOT 'export');" >&7
	wait_for 60 "[[ -s $work/slot ]]"
	read -r _ lsn snapshot _ <"$work/slot"
	server_content "$1" "SET TRANSACTION SNAPSHOT '$snapshot';"
	exec 7>&-
	wait "$pid"
}
truth_at_lsn "$work/first"
first=$lsn
sleep 0.5
note "taken: a snapshot in the midst of the traffic"
check "a snapshot is taken" snapshot_taken
sleep 0.5
truth_at_lsn "$work/second"
second=$lsn
# Nobody commits while this one waits: the second that has begun then is one before which all is seen.
server_content "$work/third" "LOCK TABLE pgbench_branches IN EXCLUSIVE MODE;" "
	\o $work/time
	SELECT pg_sleep(1.1);
	SELECT date_trunc('second', clock_timestamp());"
third=$(tail -n 1 "$work/time")
sleep 1
caught_up "$mnt"
check "the traffic goes on" alive "$bank"

until_is "an LSN before any snapshot" "$first" "$work/first"
is "is reached from where the stream begins" "$(sqlite3 "$work/as-of.sqlite" 'SELECT exact FROM _daystream')" 0
until_is "an LSN behind a snapshot" "$second" "$work/second"
is "is reached from there" "$(sqlite3 "$work/as-of.sqlite" 'SELECT exact FROM _daystream')" 1
number=$(printf '%8s/%8s' "${second%/*}" "${second#*/}")
position=$(last_commit "lsn <= \"$number\"")
until_is "the position of the last commit before it" "$position" "$work/second"
until_is "the position before the next commit, within its transaction" "$(awk -F '\t' -v at="$position" '
	found && /\t_action\tcommit\t/ { print before; exit } { before = $2 "." $4 } before == at { found = 1 }' "$mnt/live")" "$work/second"
until_is "a time" "$third" "$work/third"
until_is "a time within the second before it" "$(sql "SELECT timestamptz '$third' - interval '0.5 s'")" "$work/third"
epoch=$(($(sql "SELECT extract(epoch FROM timestamptz '$third')::bigint") - 2))
position=$(last_commit "c < $epoch")
rm -f "$work"/as-of*
deltamirror --until "$position" "$mnt" "$work/as-of.sqlite" 2>"$work/log"
mirror_content "$work/as-of.sqlite" >"$work/fourth"
until_is "a time in the midst of the traffic is that of the last commit before" "$(date -u -d "@$epoch" '+%F %T+00')" "$work/fourth"

# It goes on from there, also where it was killed on the way.
cp "$work/as-of.sqlite" "$work/again.sqlite"
exits "a mirror that stands there already" 0 deltamirror --until "$position" "$mnt" "$work/as-of.sqlite"
is_as "stays as it is" "$work/as-of.sqlite" "$work/fourth"
mirror=$work/as-of.sqlite
deltamirror --until "$(sql "SELECT now() + interval '1 hour'")" "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
pid=$!
sleep 1
check "a time that is still to come is waited for" alive "$pid"
kill -KILL "$pid" 2>/dev/null || true
wait "$pid" 2>/dev/null || true
target=$(sql "SELECT date_trunc('second', now()) + interval '3 s'")
exits "also by the next one, where that is killed" 0 deltamirror --until "$target" "$mnt" "$mirror"
like "and said" "$output" "is as of ${target%+*}.*: it stands at"
is "it has nothing later" "$(sqlite3 "$mirror" "SELECT epoch < strftime('%s', '${target%+*}') FROM _daystream")" 1
rm -f "$work"/again.sqlite*
exits "a new one" 0 deltamirror --until "$target" "$mnt" "$work/again.sqlite"
mirror_content "$mirror" >"$work/fifth"
is_as "has the same" "$work/again.sqlite" "$work/fifth"
before=$(md5sum <"$mirror")
exits "one that is beyond" 1 deltamirror --until "$second" "$mnt" "$mirror"
like "says so" "$output" "as-of.sqlite stands at [0-9.]+ \(LSN .*\) already, after $second"
is "and is not changed" "$(md5sum <"$mirror")" "$before"

kill -TERM "$bank"
wait "$bank" || true
# What its sessions were at may still be committed.
wait_for 60 "[[ \$(sql \"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'\") == 0 ]]" "them to end"
target=$(sql "SELECT pg_current_wal_lsn()")
exits "an LSN that no commit follows" 0 deltamirror --until "$target" "$mnt" "$mirror"
like "is reached when the mount shows all up to it" "$output" "is as of $target: it stands at"
equal_tables "the mirror has all that the server has"
exits "with --once it ends at the end" 0 deltamirror --once --until "tomorrow" "$mnt" "$mirror"
like "and says that it may be too early" "$output" "where the stream ends now: what was committed by tomorrow may still come"
sql "UPDATE pgbench_tellers SET filler = 'later'"
mirror_once
equal_tables "a run without --until goes on"

rm -f "$work"/again.sqlite*
exits "before the stream's beginning there is nothing" 1 deltamirror --until '2017-10-09 00:00' "$mnt" "$work/again.sqlite"
oldest=$(sed -nE 's/.* the oldest possible --until is ([0-9.]+), or .*/\1/p' <<<"$output")
is "what is possible is named" "$oldest" "$(last_commit 'c > 0 && !last')"
check_not "and no file is left" test -e "$work/again.sqlite" -o -e "$work/again.sqlite.building"
exits "what is named is possible" 0 deltamirror --until "$oldest" "$mnt" "$work/again.sqlite"
is "it is the transaction of init" "$(sqlite3 "$work/again.sqlite" 'SELECT epoch || "." || seq FROM _daystream')" "$oldest"
exits "what is no moment is a wrong use" 2 deltamirror --until "when it is done" "$mnt" "$work/x.sqlite"
exits "--from does not go with it" 1 deltamirror --until "$target" --from "$conninfo" "$mnt" "$work/x.sqlite"
exits "nor does one table's file" 1 deltamirror --until "$target" "$mnt/tables/pgbench_tellers" "$work/x.sqlite"
like "and says why" "$output" "do not tell where a transaction ends"
plan
