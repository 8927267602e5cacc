#!/bin/bash
# A mirror over one table's file alone: /tables/<name>, with a snapshot and without, and a copy of it.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
pgbench -q -i -s 1 >/dev/null 2>&1
sql "CREATE TABLE still (id int PRIMARY KEY)"
sql "CREATE TABLE calm (id int PRIMARY KEY)"
sql "INSERT INTO still VALUES (1), (2), (3)"
sql "INSERT INTO calm VALUES (1), (2), (3)"
stream_up
snapshot_taken
pgbench -n -c 2 -t 200 >/dev/null 2>&1
caught_up "$mnt"

table=$mnt/tables/pgbench_accounts
mirror=$work/accounts.sqlite
equal() { # SENTENCE
	is "$1" "$(sqlite3 "$mirror" 'SELECT aid, bid, abalance FROM pgbench_accounts ORDER BY 1' | md5sum)" \
		"$(sql -F '|' 'SELECT aid, bid, abalance FROM pgbench_accounts ORDER BY 1' | md5sum)"
}
exits "one table's file is enough" 0 deltamirror --once "$table" "$mirror"
equal "with all rows, from the snapshot and the file"
is "it holds that table only" "$(sqlite3 "$mirror" 'SELECT name FROM _daystream_tables')" pgbench_accounts

deltamirror "$table" "$mirror" >"$work/mirror.log" 2>&1 &
pid=$!
pgbench -n -c 4 -T 6 >/dev/null 2>&1 &
bank=$!
for _ in 1 2 3; do
	sleep 1.5
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
	deltamirror "$table" "$mirror" >>"$work/mirror.log" 2>&1 &
	pid=$!
done
wait $bank
caught_up "$mnt"
check "it is at work" alive "$pid"
end_process "$pid"
wait "$pid" || true
exits "it goes on where it stood, killed or not" 0 deltamirror --once "$table" "$mirror"
equal "and has what PostgreSQL has"
is "it stands at a line of that table" "$(sqlite3 "$mirror" "SELECT table_file, lsn FROM _daystream")" "pgbench_accounts|"

exits "it is no mirror of the whole stream" 1 deltamirror --once "$mnt" "$mirror"
like "and says what it is" "$output" "table pgbench_accounts alone"
exits "a mirror of the whole stream" 0 deltamirror --once "$mnt" "$work/whole.sqlite"
exits "is none of one file" 1 deltamirror --once "$table" "$work/whole.sqlite"
like "and says so" "$output" "whole stream"
exits "--tables does not go with it" 1 deltamirror --once --tables pgbench_accounts "$table" "$work/x.sqlite"
exits "--resync does" 0 deltamirror --once --resync "$table" "$mirror"
equal "and brings the same"
exits "--verify compares that table, and misses no other" 0 deltamirror --verify "$conninfo" "$mirror"

# A table that has rows, and no line in the stream yet, has no file.
check_not "there is none" test -e "$mnt/tables/still"
exits "a mirror of such a table begins with the snapshot" 0 timeout 60 deltamirror --once "$mnt/tables/still" "$work/still.sqlite"
is "which has its rows" "$(sqlite3 "$work/still.sqlite" 'SELECT group_concat(id) FROM still')" 1,2,3
exits "and again" 0 timeout 60 deltamirror --once "$mnt/tables/still" "$work/still.sqlite"
deltamirror "$mnt/tables/still" "$work/still.sqlite" >"$work/still.log" 2>&1 &
still=$!
sleep 0.5
sql "UPDATE still SET id = 4 WHERE id = 3"
check "one that follows takes the first line" wait_for 60 "[[ \$(sqlite3 '$work/still.sqlite' 'SELECT group_concat(id) FROM still') == 1,2,4 ]]"
is "and has nothing to complain of" "$(grep warning "$work/still.log")" ""
end_process $still

# Its first line comes when the mirror has just found no file.
"${CC:-cc}" -shared -fPIC -o "$work/fault.so" "$root/tests/flow/fault.c"
mkdir "$work/fault"
exits "another one" 0 timeout 60 deltamirror --once "$mnt/tables/calm" "$work/calm.sqlite"
echo -n since/ >"$work/fault/late"
LD_PRELOAD=$work/fault.so FAULT=$work/fault deltamirror --once "$mnt/tables/calm" "$work/calm.sqlite" >"$work/calm.log" 2>&1 &
calm=$!
check "it found no file" wait_for 60 "[[ -e '$work/fault/waits' ]]"
sql "UPDATE calm SET id = 4 WHERE id = 3"
caught_up "$mnt"
rm "$work/fault/late"
code=0
wait $calm || code=$?
is "and took the first line then" "$code $(sqlite3 "$work/calm.sqlite" 'SELECT group_concat(id) FROM calm')" "0 1,2,4"
is "without a complaint" "$(grep -E 'warning|error' "$work/calm.log")" ""

exits "a table that there is not is an error" 1 timeout 60 deltamirror --once "$mnt/tables/nowhere" "$work/nowhere.sqlite"

sql "CREATE TABLE young (id int PRIMARY KEY, v text)"
sql "INSERT INTO young SELECT i, 'v' FROM generate_series(1, 100) i"
sql "DELETE FROM young WHERE id % 2 = 0"
caught_up "$mnt"
cp "$mnt/tables/young" "$work/young"
exits "a copy of such a file is read from its first line" 0 deltamirror --once "$work/young" "$work/young.sqlite"
is "and has what it says" "$(sqlite3 "$work/young.sqlite" 'SELECT count(*) FROM young')" 50
sql "DELETE FROM young WHERE id < 50"
caught_up "$mnt"
cp "$mnt/tables/young" "$work/young"
exits "it goes on when the file has grown" 0 deltamirror --once "$work/young" "$work/young.sqlite"
is "and has what it says now" "$(sqlite3 "$work/young.sqlite" 'SELECT count(*) FROM young')" 25

# What its lines do not tell comes by a snapshot and --resync, which takes no list here.
ask() { sqlite3 "$work/calm.sqlite" "SELECT group_concat(id) FROM (SELECT id FROM calm ORDER BY id); SELECT inexact_since IS NULL FROM _daystream_tables"; }
calm_once() { caught_up "$mnt" && deltamirror --once "$@" "$mnt/tables/calm" "$work/calm.sqlite"; }
anew() { # SENTENCE: the remedy is the right one
	snapshot_taken
	exits "$1" 0 calm_once --resync
	is "and it is as in PostgreSQL" "$(ask)" "$(sql "SELECT string_agg(id::text, ',' ORDER BY id) || E'\n1' FROM calm")"
}
sql "ALTER TABLE calm SET SCHEMA daystream"
sql "INSERT INTO daystream.calm VALUES (5)"
sql "ALTER TABLE daystream.calm SET SCHEMA public"
sql "INSERT INTO calm VALUES (6)"
exits "a mirror of a table that was away goes on" 0 calm_once
like "and says what brings its rows" "$output" 'warning: table "calm".*missing.* --resync brings'
anew "that does"
sqlite3 "$work/calm.sqlite" "DELETE FROM calm WHERE id = 6"
sql "UPDATE calm SET id = 7 WHERE id = 6"
exits "a change of a row that somebody took away is an error" 1 calm_once
like "which says what helps" "$output" '; --resync brings the table anew'
anew "that helps"
sql "ALTER TABLE calm DROP CONSTRAINT calm_pkey"
sql "UPDATE calm SET id = 8 WHERE id = 7"
exits "a change that cannot be placed is passed over" 0 calm_once
like "with the remedy" "$output" 'warning: table "calm" is not exact.* --resync then brings it anew'
anew "it is one"
echo "my diary" >"$work/diary"
exits "a file of something else is refused" 1 deltamirror --once "$work/diary" "$work/diary.sqlite"
plan
