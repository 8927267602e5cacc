#!/bin/bash
# Snapshots beside a running stream: whoever writes, waits or changes definitions meanwhile; interrupted, refused,
# narrowed; and those that the daemon takes by itself.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
sql "ALTER SYSTEM SET max_prepared_transactions = 10"
server_restart
sql "CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, good boolean)"
sql "INSERT INTO account SELECT i, 0, i % 2 = 0 FROM generate_series(1, 20000) i"
sql "CREATE SCHEMA shop"
sql 'CREATE TABLE shop."odd/name.%" (a text PRIMARY KEY, b text)'
sql "INSERT INTO shop.\"odd/name.%\" VALUES (E'tab\\there', NULL), ('', E'back\\\\slash')"
sql "CREATE TABLE nothing ()"
sql "INSERT INTO nothing DEFAULT VALUES"
stream_up

snapshots=$store/snapshots
against_stream() { # SENTENCE NAME: by a reader of the format that knows nothing of ours
	caught_up "$mnt"
	check "$1" tests/flow/stream.py snapshot "$mnt/snapshots/$2" "$mnt/live"
}
mirrors() { # SENTENCE: a new one starts from the newest snapshot
	rm -f "$mirror"*
	check "$1" mirror_once
	equal_tables "and equals PostgreSQL"
}
no_leftovers() {
	is "$1" "$(find "$snapshots" -mindepth 1 -maxdepth 1 | grep -vcE '/[0-9]+\.[0-9]+$')" 0
}

# The daemon takes the first one.
snapshot_there || true
first=$(readlink "$mnt/snapshots/latest")
check "the daemon takes a snapshot by itself when it starts" test -n "$first"
is "status names it" "$(status_of "$mnt" snapshot)" "$first"
is "and that it is at rest again" "$(status_of "$mnt" snapshot_state)" idle
against_stream "it holds what is visible in it" "$first"
is "each row is a line behind the definition" "$(wc -l <"$mnt/snapshots/$first/tables/account")" 20001
like "values as in the stream" "$(grep -a 'a	tab' "$mnt/snapshots/$first/tables/shop.odd%2Fname%2E%25")" 'a	tab\\there	b	\\N$'
mirrors "a mirror has the rows from before the stream"

# Settings of the database shape no definition; and while the stream's way to the marker is long, nothing is held
# at the server.
sql "ALTER DATABASE $PGDATABASE SET quote_all_identifiers = on"
sql "CREATE TYPE mood AS ENUM ('well', '', 'a,b.%', '-', 'x-')"
sql "CREATE TYPE size AS (height int, width int)"
sql "CREATE TABLE person (id int PRIMARY KEY, m mood, s size[])"
sql "INSERT INTO person VALUES (1, 'well', '{\"(1,2)\"}')"
caught_up "$mnt"
kill -STOP "$daemon_pid"
daystream snapshot "$store" >"$work/one.log" 2>&1 &
one=$!
released="[[ -s $snapshots/taking/tables/account && \$(sql \"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'daystream' AND state = 'idle in transaction'\") == 0 ]]"
check "the snapshot is given up at the server before the stream is waited for" wait_for 60 "$released"
check "which it is" alive "$one"
kill -CONT "$daemon_pid"
wait "$one"
quoting=$(tail -n 1 "$work/one.log")
is "a definition in a snapshot is the stream's" "$(head -n 1 "$snapshots/$quoting/tables/person")" \
	"$(grep '	_action	schema	' "$mnt/tables/person" | tail -n 1 | sed -E 's/^_c	[0-9]+	_s	[0-9]+	//; s/	_xid	[0-9]+//')"
sql "ALTER DATABASE $PGDATABASE RESET quote_all_identifiers"

# Nothing locks an enum's label or a composite type, and what is copied prints them as they are by then, whatever the
# snapshot sees.
mkfifo "$work/locked"
changes_meanwhile() { # SQL: what happens while a snapshot of person is taken; $person is its file
	psql -XqAt <"$work/locked" >/dev/null &
	local locked=$! waits="application_name = 'daystream' AND wait_event_type = 'Lock'"
	exec 8>"$work/locked"
	echo "BEGIN; LOCK TABLE person;" >&8
	wait_for 60 "[[ \$(sql \"SELECT count(*) FROM pg_locks WHERE relation = 'person'::regclass AND mode = 'AccessExclusiveLock'\") == 1 ]]"
	daystream snapshot "$store" >"$work/one.log" 2>&1 &
	one=$!
	wait_for 60 "[[ \$(sql \"SELECT count(*) FROM pg_stat_activity WHERE $waits\") == 1 ]]"
	sql "$1"
	echo "COMMIT;" >&8
	exec 8>&-
	wait "$locked"
	check "a snapshot comes to its end although meanwhile: $1" wait "$one"
	person=$snapshots/$(tail -n 1 "$work/one.log")/tables/person
}
changes_meanwhile "ALTER TYPE mood RENAME VALUE 'well' TO 'fine'"
is "its rows have the label that its definition has" \
	"$(grep -o '=fine' "$person" | sort -u) $(grep -c '	m	fine	' "$person")" "=fine 1"
changes_meanwhile "ALTER TYPE size ADD ATTRIBUTE depth int"
is "its rows have the attributes that its definition has" \
	"$(grep -oE '[0-9]+:[0-9]' "$person" | cut -d: -f2 | tr '\n' ' ')$(grep -o '{.*}' "$person")" '1 2 3 {"(1,2,)"}'
changes_meanwhile "ALTER TYPE size DROP ATTRIBUTE width"
is "also where one is dropped" \
	"$(grep -oE '[0-9]+:[0-9]' "$person" | cut -d: -f2 | tr '\n' ' ')$(grep -o '{.*}' "$person")" '1 3 {"(1,)"}'

# Writers that stay open, and commits that nobody may see yet.
commits_wait
waiting=()
commit_waits() { # SQL
	sql "$1" &
	waiting+=($!)
	wait_for 60 "[[ \$(sql \"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'\") == ${#waiting[@]} ]]" "a commit to wait"
}
let_commits_go() {
	sql "ALTER SYSTEM RESET synchronous_standby_names"
	reload
	wait "${waiting[@]}"
	waiting=()
}
locally() { PGOPTIONS="-c synchronous_commit=local" sql "$1"; } # SQL
refused() { # SENTENCE: no copy is begun with now
	exits "no snapshot is taken $1" 1 timeout 60 daystream snapshot "$store"
	like "which is said" "$output" 'not to be seen yet'
	exits "nor a narrow one" 1 timeout 60 daystream snapshot --tables=nothing "$store"
	rm -f "$mirror"*
	exits "nor is the server copied" 1 timeout 60 deltamirror --once --from="$conninfo" "$mnt" "$mirror"
	like "which is said, too" "$output" 'not to be seen yet'
}
commit_waits "INSERT INTO account VALUES (100001, 1, true)"
mkfifo "$work/open"
psql -XqAt <"$work/open" >/dev/null &
open=$!
exec 8>"$work/open"
echo "SET synchronous_commit = local; BEGIN; INSERT INTO account VALUES (100002, 2, false); SELECT pg_sleep(0);" >&8
psql -Xq -c "SET synchronous_commit = local" -c "BEGIN" -c "INSERT INTO account VALUES (100003, 3, NULL)" \
	-c "UPDATE account SET balance = 3 WHERE id = 1" -c "PREPARE TRANSACTION 'later'"
wait_for 60 "grep -q '	id	100001	' $mnt/tables/account" "the commit that waits for a standby to be in the stream"
wait_for 60 "[[ \$(sql \"SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'\") == 1 ]]"
exits "a snapshot waits for none of them" 0 timeout 60 daystream snapshot "$store"
beside=$(tail -n 1 <<<"$output")
is "what waits for a standby is not in its tables" "$(grep -c '	id	10000[123]	' "$mnt/snapshots/$beside/tables/account")" 0
is "but in the overlap, once" "$(grep -c '	id	100001	' "$mnt/snapshots/$beside/overlap")" 1
rm -f "$mirror"*
check "a mirror starts from it" timeout 60 deltamirror --once "$mnt" "$mirror"
exits "it is ahead of what the server shows" 1 timeout 60 deltamirror --wait=1 --verify "$conninfo" "$mirror"
like "which is told from a fault" "$output" 'extra' '1 commit.s. wait for a synchronous standby'
locally "ALTER TYPE mood RENAME VALUE 'fine' TO 'better'"
locally "ALTER SCHEMA shop RENAME TO store"
exits "what others change, to whose tables none of the waiting ones wrote, is no hindrance" 0 timeout 60 daystream snapshot "$store"
commit_waits "INSERT INTO person VALUES (2, 'better')"
locally "ALTER TYPE mood RENAME VALUE 'better' TO 'best'"
refused "while a label is newer than what waits"
deltamirror --from="$conninfo" "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
following=$!
wait_for 60 "grep -q 'not to be seen yet.*waiting' '$work/mirror.log'" "the mirror to say what it waits for"
let_commits_go
wait_for 60 "[[ -s $mirror ]]" "the mirror to begin"
check "a mirror that follows waits for them" end_process "$following"
mirrors "then a mirror has them"
commits_wait
commit_waits "INSERT INTO store.\"odd/name.%\" VALUES ('waits')"
locally "ALTER SCHEMA store RENAME TO shop"
refused "while a schema's name is newer than what waits"
locally "CREATE SCHEMA store CREATE TABLE \"odd/name.%\" (a text PRIMARY KEY, b text)"
refused "while another table has the name that waits"
let_commits_go
sql "DROP SCHEMA store CASCADE"
echo "COMMIT;" >&8
exec 8>&-
wait "$open"
sql "COMMIT PREPARED 'later'"
against_stream "it lacks nothing and has nothing twice" "$beside"
mirrors "a mirror that starts from it has all three"

# Extensions put tables beside the system's own, which no reader is sent.
PGOPTIONS="-c allow_system_table_mods=on" sql "CREATE TABLE pg_catalog.ours (a int PRIMARY KEY)"
sql "INSERT INTO pg_catalog.ours VALUES (1)"
PGOPTIONS="-c allow_system_table_mods=on" sql "CREATE TABLE information_schema.ours AS SELECT 1 AS a"
sql "UPDATE information_schema.sql_features SET comments = 'ours' WHERE feature_id = 'B012'"
commits_wait
commit_waits "INSERT INTO pg_catalog.ours VALUES (2)"
exits "a snapshot knows tables of people's beside the system's" 0 timeout 60 daystream snapshot "$store"
is "and has their rows" "$(grep -hc '_action	insert' "$mnt/snapshots/$(tail -n 1 <<<"$output")"/tables/{pg_catalog,information_schema}.ours)" $'1\n1'
let_commits_go
mirrors "a mirror has them"
is "what waited, too" "$(sqlite3 "$mirror" 'SELECT a FROM "pg_catalog.ours"')" $'1\n2'
check "--verify finds them equal, and misses none" deltamirror --verify "$conninfo" "$mirror"
check_not "initdb's own are not in the stream" grep -q 'sql_features' "$mnt/live"
PGOPTIONS="-c allow_system_table_mods=on" sql "DROP TABLE pg_catalog.ours, information_schema.ours"

# A table that was copied to its end is not cancelled, for which the server would be connected to once more.
sql "CREATE SCHEMA many"
sql "DO \$\$ BEGIN FOR i IN 1..40 LOOP EXECUTE format('CREATE TABLE many.t%s (a int PRIMARY KEY)', i); END LOOP; END \$\$"
sql "ALTER SYSTEM SET log_connections = on"
sql "SELECT pg_reload_conf()" >/dev/null
wait_for 10 "grep -q 'parameter \"log_connections\" changed' '$server/log'"
came=$(grep -c 'connection received' "$server/log" || true)
exits "a snapshot of many small tables is taken" 0 timeout 60 daystream snapshot "$store"
check "over a few connections" test $(($(grep -c 'connection received' "$server/log") - came)) -lt 40
sql "ALTER SYSTEM RESET log_connections"
sql "DROP SCHEMA many CASCADE" 2>/dev/null

# A lock that nobody lets go.
sql "BEGIN; LOCK TABLE account IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'locks'"
daystream snapshot "$store" >"$work/one.log" 2>&1 &
one=$!
rm -f "$mirror"*
deltamirror --once --from="$conninfo" "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
two=$!
check "a snapshot says that a table is locked" wait_for 60 "grep -q 'account. is locked.*prepared' '$work/one.log'"
check "and so does a mirror that copies" wait_for 60 "grep -q 'account. is locked.*prepared' '$work/mirror.log'"
end_process "$two"
sleep 6 # the server has noticed by then
is "one that was ended waits for no lock at the server" \
	"$(sql "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")" 1
sql "COMMIT PREPARED 'locks'"
check "the snapshot is taken when the lock is gone" wait "$one"
is "it had been said once" "$(grep -c 'is locked' "$work/one.log")" 1

# Schemas get other names between a look at a table and its rows: nothing locks those.
sql "CREATE SCHEMA one CREATE TABLE t (a text PRIMARY KEY)"
sql "CREATE SCHEMA two CREATE TABLE t (a text PRIMARY KEY)"
sql "INSERT INTO one.t VALUES ('one')"
sql "INSERT INTO two.t VALUES ('two')"
session() { sql "SELECT pid FROM pg_stat_activity WHERE application_name = 'daystream' AND backend_type = 'client backend' AND $1"; }
copied_while() { # STATEMENTS, before the rows of two.t are read
	locked=$(sql "SELECT 'two.t'::regclass::oid")
	sql "BEGIN; LOCK TABLE two.t IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'locks'"
	daystream snapshot --jobs=1 "$store" >"$work/one.log" 2>&1 &
	one=$!
	wait_for 60 "[[ -n \$(session \"wait_event_type = 'Lock'\") ]]" "the copy to come to the locked table"
	reader=$(session "wait_event_type = 'Lock'")
	looker=$(session "state = 'idle'")
	kill -STOP "$looker"
	sql "COMMIT PREPARED 'locks'"
	wait_for 60 "[[ \$(session \"pid = $reader AND state = 'idle in transaction'\") == $reader ]]" "the table to be locked"
	kill -STOP "$reader"
	kill -CONT "$looker"
	wait_for 60 "[[ \$(session \"pid = $looker AND state = 'idle' AND query LIKE '%c.oid = $locked'\") == $looker ]]" "the look at the table"
	sql "$1"
	kill -CONT "$reader"
}
copied_while "ALTER SCHEMA one RENAME TO three; ALTER SCHEMA two RENAME TO one; ALTER SCHEMA three RENAME TO two"
check "a snapshot is taken although schemas change places meanwhile" wait "$one"
against_stream "it has each table's own rows" "$(tail -n 1 "$work/one.log")"
mirrors "and so has a mirror"
copied_while "ALTER SCHEMA two RENAME TO three"
check "and where the table is under its name no more" wait "$one"
against_stream "it has it under the new one" "$(tail -n 1 "$work/one.log")"
sql "DROP SCHEMA one, three CASCADE"

# Under load, several at a time, and tables that are changed in the midst of it.
pgbench -i -q -s 2 >/dev/null 2>&1
for i in $(seq 40); do
	echo "TRUNCATE account; INSERT INTO account SELECT i, $i, true FROM generate_series(1, 5000) i;"
	[[ $i -ne 10 ]] || echo 'ALTER TABLE account ADD c text DEFAULT random()::text;'
	[[ $i -ne 20 ]] || echo 'ALTER TABLE account ALTER balance TYPE bigint, DROP COLUMN good;'
	[[ $i -ne 30 ]] || echo 'DROP TABLE nothing; CREATE TABLE another (x int); INSERT INTO another VALUES (1);'
	echo 'SELECT pg_sleep(0.2);'
done | psql -Xq >"$work/ddl.log" 2>&1 &
ddl=$!
pgbench -n -c 3 -T 12 >/dev/null 2>&1 &
load=$!
taken=()
while alive "$load"; do
	exits "a snapshot in the midst of traffic" 0 timeout 60 daystream snapshot --jobs=3 "$store"
	taken+=("$(tail -n 1 <<<"$output")")
	sleep 1
done
wait "$load" "$ddl"
check "the traffic came through" test ! -s "$work/ddl.log" -o "$(grep -c ERROR "$work/ddl.log")" = 0
for name in "${taken[@]}"; do
	against_stream "it is consistent" "$name"
done
mirrors "a mirror starts from the last of them"

# While its daemon is stopped, none comes to its end.
under_way() { # COMMAND...: takes one
	kill -STOP "$daemon_pid"
	"$@" >"$work/one.log" 2>&1 &
	one=$!
	wait_for 60 "[[ -s $snapshots/taking/tables/account ]]" "a snapshot to be under way"
}

# Two at once; a few tables; what is refused.
sql "INSERT INTO account SELECT i, 1 FROM generate_series(5001, 600000) i" >/dev/null
under_way daystream snapshot "$store"
exits "a second one at the same time is refused" 1 timeout 60 daystream snapshot "$store"
like "with the reason" "$output" 'another snapshot'
kill -CONT "$daemon_pid"
wait "$one"
check "the first one ends well" grep -q '^[0-9]*\.[0-9]*$' "$work/one.log"
newest=$(readlink "$mnt/snapshots/latest")
exits "a few tables" 0 timeout 60 daystream snapshot --tables='account,shop.odd%2Fname%2E%25' "$store"
narrow=$(tail -n 1 <<<"$output")
is "are all that it has" "$(ls "$mnt/snapshots/$narrow/tables")" $'account\nshop.odd%2Fname%2E%25'
is "it is not what /snapshots/latest leads to" "$(readlink "$mnt/snapshots/latest")" "$newest"
against_stream "and is consistent" "$narrow"
exits "a table that is not there is refused" 1 timeout 60 daystream snapshot --tables=nowhere "$store"
like "by its name" "$output" nowhere
exits "no store" 1 timeout 60 daystream snapshot "$work"
exits "no jobs" 2 daystream snapshot --jobs=0 "$store"
sql "CREATE ROLE follower LOGIN"
sed -i "s|user=$PGUSER|user=follower|" "$store/daystream.conf"
exits "a role that may not read is refused" 1 timeout 60 daystream snapshot "$store"
like "with the table" "$output" 'account.*GRANT|GRANT.*account'
sql "GRANT SELECT ON ALL TABLES IN SCHEMA public, shop TO follower"
sql "GRANT USAGE ON SCHEMA shop TO follower"
sql "ALTER TABLE account ENABLE ROW LEVEL SECURITY"
exits "rows that a policy hides are an error, never left out" 1 timeout 60 daystream snapshot "$store"
like "with the reason" "$output" 'row-level security'
sql "ALTER TABLE account DISABLE ROW LEVEL SECURITY"
exits "one that may read needs no other right" 0 timeout 60 daystream snapshot "$store"
against_stream "and sees all" "$(tail -n 1 <<<"$output")"
sed -i "s|user=follower|user=$PGUSER|" "$store/daystream.conf"
no_leftovers "none of them left anything"

# Interrupted.
interrupted() { # SIGNAL
	under_way env --default-signal=INT daystream snapshot --jobs=1 "$store"
	kill "-$1" "$one"
	status=0
	wait "$one" || status=$?
	kill -CONT "$daemon_pid"
}
shown() { find "$mnt/snapshots" -mindepth 1 -maxdepth 1 | wc -l; }
count=$(shown)
for signal in TERM INT; do
	interrupted "$signal"
	is "$signal ends it" "$status" 1
	no_leftovers "and leaves nothing"
done
interrupted KILL
check "a kill leaves what was begun" test -e "$snapshots/taking"
is "which nobody sees" "$(shown)" "$count"
exits "the next one clears it" 0 timeout 60 daystream snapshot "$store"
no_leftovers "away"
interrupted KILL

# The large one takes longer than this one keeps its file.
sql "CREATE TABLE staging (id int)"
for _ in $(seq 100); do
	echo "TRUNCATE staging; INSERT INTO staging VALUES (1); SELECT pg_sleep(0.7);"
done | psql -Xq >/dev/null 2>&1 &
staging=$!
exits "a small table that is emptied again and again does not end it" 0 timeout 60 daystream snapshot --jobs=1 "$store"
end_process "$staging"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'" >/dev/null
sql "DROP TABLE staging"
daemon_stop
exits "without a daemon there is none" 1 timeout 60 daystream snapshot "$store"
like "with the remedy" "$output" 'daystreamfs'
daemon_start "$store" "$mnt"
no_leftovers "the daemon clears it away, too"

# The daemon is killed while one is taken.
under_way daystream snapshot "$store"
daemon_kill
status=0
wait "$one" || status=$?
is "when the daemon dies, it ends" "$status" 1
like "and says so" "$(cat "$work/one.log")" 'daystreamfs'
daemon_start "$store" "$mnt"

# A disk that is too small.
if [[ $EUID -eq 0 ]]; then
	daemon_stop
	mv "$snapshots" "$work/elsewhere"
	mkdir "$snapshots"
	mount -t tmpfs -o size=16m tmpfs "$snapshots"
	sed -i '/^snapshot *=/d' "$store/daystream.conf"
	echo 'snapshot = off' >>"$store/daystream.conf"
	daemon_start "$store" "$mnt"
	exits "a disk that is too small is refused beforehand" 1 timeout 60 daystream snapshot "$store"
	like "with figures" "$output" 'takes about [0-9]+ MB.* [0-9]+ MB free'
	is "nothing was begun" "$(ls "$snapshots")" ""
	daemon_stop
	umount "$snapshots"
	rmdir "$snapshots"
	mv "$work/elsewhere" "$snapshots"
	daemon_start "$store" "$mnt"
fi
mirrors "after all that a mirror still starts"

# Threads are done before all have been started; a write takes a part of the manifest.
"${CC:-cc}" -shared -fPIC -o "$work/fault.so" "$root/tests/flow/fault.c"
mkdir "$work/fault"
faulty() { LD_PRELOAD=$work/fault.so FAULT=$work/fault timeout 60 daystream snapshot "$store"; }
chmod 755 "$work/fault.so" "$work/fault"
touch "$work/fault/threads"
exits "a snapshot is taken by threads that are quicker than who starts them" 0 faulty
rm "$work/fault/threads"
printf 'taking/manifest' >"$work/fault/short"
exits "and where the manifest is written in two pieces" 0 faulty
rm -r "$work/fault"
check "it is whole" daystream check "$store"

# One that the daemon cannot take.
daemon_stop
rm -r "$snapshots"
sed -i "/^snapshot *=/d; s|user=$PGUSER|user=follower|" "$store/daystream.conf"
sql "ALTER ROLE follower REPLICATION"
sql "CREATE TABLE secret (a int PRIMARY KEY)"
daemon_start "$store" "$mnt"
wait_for 60 "[[ \$(status_of '$mnt' snapshot_state) == failed ]]" "the snapshot to fail" || true
like "that the daemon cannot take one stands in /status" "$(status_of "$mnt" snapshot_error)" 'secret.*GRANT'
rm -f "$mirror"*
exits "a mirror that is not to wait says why there is none" 1 timeout 60 deltamirror --once "$mnt" "$mirror"
like "with the table" "$output" 'no snapshot.*secret.*--from'
deltamirror "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
asking=$!
wait_for 60 "grep -q 'secret.*waiting' '$work/mirror.log'" "the mirror to say what it waits for"
sql "GRANT SELECT ON secret TO follower"
wait_for 60 "[[ -s $mirror ]]" "the mirror to begin"
check "when the reason is gone, one that waits begins" end_process "$asking"
is "status has forgotten it" "$(status_of "$mnt" snapshot_error)" ""
mirror_once
equal_tables "and equals PostgreSQL"
daemon_stop
plan
