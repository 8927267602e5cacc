#!/bin/bash
# deltamirror --verify: equal is told from different, and late from wrong.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# A sanitizer's own memory is not ours to bound.
most_kb=150000
if grep -qa __asan_init "$build/deltamirror" || grep -qa __tsan_init "$build/deltamirror"; then
	most_kb=2000000
fi

verify() { # [OPTIONS...]: leaves $status and $output (both streams)
	run_quietly deltamirror --verify "$conninfo" "$mirror" "$@"
}

edit() { # STATEMENTS: a person's hand in the mirror
	sqlite3 -cmd '.timeout 10000' "$mirror" "$1"
}

server_up
sql "ALTER SYSTEM SET max_prepared_transactions = 10"
server_restart
sql "CREATE TABLE account (id int PRIMARY KEY, owner text, balance numeric(12,2), rate float8, note text)"
sql "CREATE TABLE pair (a text COLLATE \"en_US.utf8\", b bigint, c char(4), at timestamptz, PRIMARY KEY (a, b, c))" 2>/dev/null ||
	sql "CREATE TABLE pair (a text, b bigint, c char(4), at timestamptz, PRIMARY KEY (a, b, c))"
sql "CREATE TABLE loose (x int, y float8, z text, raw bytea, j json); ALTER TABLE loose REPLICA IDENTITY FULL"
sql 'CREATE SCHEMA sales; CREATE TABLE sales."Order, all" (day date PRIMARY KEY, open bool, ids int[])'
sql "CREATE TABLE moment (k float8 PRIMARY KEY, v float4)"
sql "CREATE TABLE bare ()"
stream_up
sql "INSERT INTO account SELECT i, 'owner ' || i % 7, i * 1.5, i / 3.0, CASE WHEN i % 5 > 0 THEN '' END FROM generate_series(1, 5000) i"
sql "INSERT INTO pair SELECT chr(65 + i % 40) || E'\\u00e4\\t' || i % 11, -i, left('ab', i % 3), 'epoch'::timestamptz + i * interval '1 hour' FROM generate_series(1, 2000) i"
sql "INSERT INTO loose SELECT i % 10, CASE WHEN i % 3 = 0 THEN '-0' WHEN i % 3 = 1 THEN '0' ELSE 'NaN' END::float8,
	CASE WHEN i % 4 > 0 THEN repeat('z', i % 4) END, decode('00ff', 'hex'), '{\"a\": 1}' FROM generate_series(1, 500) i"
sql "INSERT INTO sales.\"Order, all\" SELECT 'epoch'::date + i, i % 2 = 0, ARRAY[i, NULL] FROM generate_series(1, 100) i"
sql "INSERT INTO moment VALUES ('-Infinity', 'NaN'), ('Infinity', 1), ('NaN', 2), ('-0', '-0'), (5e-324, 1e-45), (0.1, 0.1)"
sql "INSERT INTO bare DEFAULT VALUES; INSERT INTO bare DEFAULT VALUES"
mirror_once

# ---- equal

exits "a mirror that equals its server is found equal" 0 deltamirror --verify "$conninfo" "$mirror"
is "one line a table says so" "$(deltamirror --verify "$conninfo" "$mirror" 2>/dev/null)" \
"table	result	rows	missing	extra	differing	note
account	equal	5000	0	0	0
bare	equal	2	0	0	0
loose	equal	500	0	0	0
moment	equal	6	0	0	0
pair	equal	2000	0	0	0
sales.Order%2C all	equal	100	0	0	0"

# ---- a table that somebody has locked

sql "BEGIN; LOCK TABLE moment IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'locks'"
deltamirror --verify "$conninfo" "$mirror" >"$work/locked.log" 2>&1 &
locked=$!
check "a locked table is waited for, which is said" wait_for 60 "grep -q 'moment. is locked: waiting' '$work/locked.log'"
sql "COMMIT PREPARED 'locks'"
check "and compared when the lock is gone" wait "$locked"
sql "BEGIN; LOCK TABLE moment IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'locks'"
deltamirror --verify "$conninfo" "$mirror" >"$work/locked.log" 2>&1 &
locked=$!
wait_for 30 "[[ \$(sql 'SELECT count(*) FROM pg_locks WHERE NOT granted') == 1 ]]" "the lock to be waited for"
end_process "$locked"
check "who is ended waits for no lock at the server" wait_for 4 "[[ \$(sql 'SELECT count(*) FROM pg_locks WHERE NOT granted') == 0 ]]"
deltamirror --verify "$conninfo" "$mirror" >"$work/locked.log" 2>&1 &
locked=$!
wait_for 30 "[[ \$(sql 'SELECT count(*) FROM pg_locks WHERE NOT granted') == 1 ]]" "the lock to be waited for"
postmaster=$(server_pid)
mapfile -t backends < <(pgrep -P "$postmaster")
kill -STOP "$postmaster" "${backends[@]}"
kill "$locked"
check "nor for a server that does not answer" wait_for 3 "! alive $locked"
kill -CONT "$postmaster" "${backends[@]}"
sql "COMMIT PREPARED 'locks'"

# ---- each kind of difference

edit "DELETE FROM account WHERE id = 17; UPDATE account SET balance = '9.99', note = NULL WHERE id = 18;
	INSERT INTO account VALUES (6000, 'nobody', '0', 1.0, '')"
edit "UPDATE moment SET v = 0.0 WHERE k = 0.0"
edit "INSERT INTO loose SELECT * FROM loose LIMIT 1; UPDATE loose SET y = -y WHERE _rowid_ = (SELECT _rowid_ FROM loose WHERE y = 0 AND x = 2 LIMIT 1)"
edit "UPDATE pair SET a = 'x' || char(9) || a WHERE b = -20; INSERT INTO \"sales.Order, all\" VALUES ('no date', 5, 'no array')"
edit "DELETE FROM bare WHERE _rowid_ = 1"
verify --wait 1
is "differences end with status 1" "$status" 1
like "a row that was deleted, one changed and one added are named, with the columns" "$output" \
	$'^account\tDIFFERENT\t5000\t1\t1\t1$' $'^\tmissing\tid=17$' $'^\textra\tid=6000$' $'^\tdiffering\tid=18\tbalance, note$'
like "-0 is not 0" "$output" $'^moment\tDIFFERENT\t6\t0\t0\t1$' $'^\tdiffering\tk=.?0(\.0)?\tv$'
like "of equal rows without a key, one too many is named" "$output" $'^loose\tDIFFERENT\t500\t1\t2\t0$' 'at the server, [0-9]+ in the mirror'
like "a key of text is printed so that it can be read" "$output" $'^pair\tDIFFERENT\t2000\t1\t1\t0$' 'extra.a=x\\t.*b=-20, c='
like "what no date can be is extra" "$output" $'^sales.Order%2C all\tDIFFERENT\t100\t0\t1\t0$' 'day=no date'
like "rows without columns are counted" "$output" $'^bare\tDIFFERENT\t2\t1\t0\t0$'
edit "INSERT INTO account SELECT id + 100000, owner, balance, rate, note FROM account WHERE id <= 1500"
output=$(deltamirror --verify "$conninfo" "$mirror" --wait 1 --tables=account 2>/dev/null) || true
like "a thousand keys of a kind are printed, and the others counted" "$output" $'^account\tDIFFERENT\t5000\t1\t1500\t1$' \
	$'^\textra\t\\.\\.\\. and 500 more$'
is "and only the tables that were asked for are compared" "$(grep -v $'^\t' <<<"$output" | cut -f 1 | xargs)" "table account"

# ---- tables

rm -f "$mirror"*
mirror_once
edit "DROP TABLE loose; DELETE FROM _daystream_tables WHERE name = 'loose'; DELETE FROM _daystream_tables WHERE name = 'bare'; 
	UPDATE _daystream_tables SET relid = 4000000000, definition = replace(definition, char(9) || relid || char(9), char(9) || 4000000000 || char(9)) WHERE name = 'moment'"
sql "CREATE TABLE late (a int); ALTER TABLE account ADD COLUMN more int"
verify --wait 1
like "a table that the mirror has not is missing where it has rows" "$output" $'^loose\tMISSING\t500\t500' $'^bare\tMISSING\t2'
like "and only noted where it has none" "$output" $'^late\tempty'
like "a table that the server has not is extra" "$output" $'^moment\tEXTRA\t0\t0\t6'
like "another definition is told" "$output" $'^account\tDIFFERENT\t.*"more" is not in the mirror'
like "a mirror that stands still is told" "$output" 'does not move on'
is "and the end is status 1" "$status" 1
sql "DROP TABLE late; ALTER TABLE account DROP COLUMN more"

# ---- late is not wrong

rm -f "$mirror"*
mirror_once
sql "UPDATE account SET balance = balance + 1 WHERE id <= 300; DELETE FROM pair WHERE b > -50"
sql "INSERT INTO loose SELECT * FROM loose LIMIT 30"
verify --wait 1
is "what a stopped mirror lacks counts as different" "$status" 1
like "by the number of rows" "$output" $'^account\tDIFFERENT\t5000\t0\t0\t300$' $'^loose\tDIFFERENT\t530\t30\t0\t0$' $'^pair\tDIFFERENT\t1951\t0\t49\t0$'
deltamirror "$mnt" "$mirror" 2>>"$work/mirror.log" &
mirror_pid=$!
kill -STOP "$mirror_pid"
sql "ALTER ROLE postgres SET idle_session_timeout = 500" # known from PostgreSQL 14 on
(sleep 2 && kill -CONT "$mirror_pid") &
exits "a mirror that goes on meanwhile is found equal" 0 deltamirror --verify "$conninfo" "$mirror"
sql "ALTER ROLE postgres RESET idle_session_timeout"

# It lists the tables first, and then waits for the mirror, which has none of these yet.
kill -STOP "$mirror_pid"
sql "CREATE TABLE recreated AS SELECT 1 AS i"
sql "CREATE TABLE gone AS SELECT 1 AS i"
(sleep 2 && sql "DROP TABLE gone, recreated" && sql "CREATE TABLE recreated AS SELECT 2 AS i" && kill -CONT "$mirror_pid") &
exits "a table that is dropped or made anew meanwhile is no difference" 0 deltamirror --verify "$conninfo" "$mirror"

sql "CREATE TABLE hot (id int PRIMARY KEY, n bigint); INSERT INTO hot SELECT i, 0 FROM generate_series(1, 20) i"
cat >"$work/load.sql" <<'SQL'
\set id random(1, 4700)
\set hot random(1, 3)
\set new random(10000, 10500)
BEGIN;
UPDATE account SET balance = balance + 1, note = 'n' || :new WHERE id = :id;
UPDATE hot SET n = n + 1 WHERE id = :hot;
INSERT INTO pair VALUES ('new', :new, 'x', now()) ON CONFLICT DO NOTHING;
DELETE FROM pair WHERE b = :new + 1;
INSERT INTO loose VALUES (:hot, 0, 'load', NULL, NULL);
DELETE FROM loose WHERE ctid = (SELECT ctid FROM loose WHERE z = 'load' LIMIT 1);
COMMIT;
SQL
pgbench -n -c 3 -T 600 -f "$work/load.sql" >"$work/pgbench.log" 2>&1 &
load_pid=$!
# shellcheck disable=SC2016 # wait_for expands it
wait_for 60 '[[ $(sql "SELECT max(n) > 50 FROM hot") == t ]]' "the load to begin"
for round in 1 2 3; do
	exits "under traffic the mirror is found equal ($round)" 0 deltamirror --verify "$conninfo" "$mirror"
done
note "$(sql "SELECT sum(n) || ' transactions of load' FROM hot")"
edit "UPDATE account SET owner = 'thief' WHERE id = 4711 OR id = 4712; DELETE FROM loose WHERE _rowid_ = (SELECT _rowid_ FROM loose WHERE z = 'zz' LIMIT 1)"
edit "UPDATE pair SET at = '' WHERE b = -77"
verify
like "and what is wrong is found in the midst of it" "$output" $'^\tdiffering\tid=471[12].*owner' $'^pair\tDIFFERENT\t[0-9]+\t0\t0\t1$' \
	$'^\tdiffering\ta=.*b=-77, c=.*\tat$' $'^loose\tDIFFERENT\t[0-9]+\t1\t0\t0$'
is "with status 1" "$status" 1
end_process "$load_pid" INT
wait "$load_pid" 2>/dev/null || true

# ---- what is known not to be exact, or to be late

sql "CREATE TABLE vague (a int); INSERT INTO vague VALUES (1), (2); UPDATE vague SET a = 3 WHERE a = 2"
caught_up "$mnt"
verify --tables=vague
like "a table whose changes could not be placed is named as such" "$output" $'^vague\tDIFFERENT\t2\t1\t1\t0\tinexact since [0-9]+\\.[0-9]+'
check "a mirror of one table's file" deltamirror --once "$mnt/tables/pair" "$work/one.sqlite"
exits "is compared in that table" 0 deltamirror --verify "$conninfo" "$work/one.sqlite"
is "and in nothing else" "$(deltamirror --verify "$conninfo" "$work/one.sqlite" 2>/dev/null | cut -f 1,2 | xargs)" "table result pair equal"

# ---- bounds

sql "CREATE TABLE big (id int PRIMARY KEY, filler text); INSERT INTO big SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 300000) i"
sql "CREATE TABLE wide (id int PRIMARY KEY, huge text); INSERT INTO wide SELECT i, repeat('0123456789', 1000000) FROM generate_series(1, 3) i"
caught_up "$mnt" 120
/usr/bin/time -f '%M' -o "$work/rss" deltamirror --verify "$conninfo" "$mirror" --tables=big,wide >"$work/output" 2>&1 || true
like "many and large rows are found equal" "$(cat "$work/output")" $'^big\tequal\t300000' $'^wide\tequal\t3'
check "in bounded memory ($(tail -n 1 "$work/rss") kB)" test "$(tail -n 1 "$work/rss")" -lt "$most_kb"
end_process "$mirror_pid"

edit "UPDATE big SET filler = id WHERE id <= 120000"
like "more differences than are looked at again are counted" "$(deltamirror --verify "$conninfo" "$mirror" --tables=big --wait 1 2>/dev/null | head -n 2)" \
	$'^big\tDIFFERENT\t300000\t0\t0\t120000\t20000 of these keys were not looked at again'

# ---- what is wrong with the command

exits "a file that is no mirror is refused" 1 deltamirror --verify "$conninfo" "$work/load.sql"
like "by its name" "$output" 'load.sql is no mirror'
exits "so is one that is not there" 1 deltamirror --verify "$conninfo" "$work/none.sqlite"
check_not "which is not made" test -e "$work/none.sqlite"
exits "another database of the server is refused" 1 deltamirror --verify "$conninfo dbname=template1" "$mirror"
like "by its name" "$output" 'mirror of database "postgres".*"template1"'
exits "a server that is not there is an error" 1 deltamirror --verify "host=$work port=1" "$mirror"
exits "a missing argument is wrong usage" 2 deltamirror --verify "$conninfo"

# ---- at rest, nothing is looked at twice: so no mark is set

sql "CREATE TABLE lists (a varchar(5)[], b char(3)[], c float8, d int[]); ALTER TABLE lists REPLICA IDENTITY FULL"
sql "INSERT INTO lists SELECT ARRAY[x, y]::varchar(5)[], ARRAY[y]::char(3)[], '-0', ARRAY[length(x), NULL] FROM
	unnest(ARRAY['', 'a', 'a b', 'B', 'ä', '\"', ',', '{']) x, unnest(ARRAY['z', '', NULL, 'a\\']) y"
mirror_once
marks() { grep -c 'prefix	daystream	content	verify' "$mnt/live" || true; }
before=$(marks)
exits "lists of texts stand in the order of what they print" 0 deltamirror --tables=lists --verify "$conninfo" "$mirror"
caught_up "$mnt"
is "so that both sides meet at first sight" "$(marks)" "$before"

# ---- a role that does not see all rows

sql "CREATE ROLE auditor LOGIN"
sql "GRANT pg_read_all_data TO auditor"
sql "ALTER TABLE lists ENABLE ROW LEVEL SECURITY"
sql "CREATE POLICY half ON lists USING (a[1] <> '')"
edit "DELETE FROM lists WHERE a LIKE '{\"\",%'"
exits "rows that a policy hides are an error, never passed over" 1 deltamirror --tables=lists --verify "${conninfo/user=$PGUSER/user=auditor}" "$mirror"
like "with the table and the reason" "$output" $'^lists\tFAILED\t.*row-level security'

# ---- a server whose bytes stand in another order than UTF-8's

daemon_stop
sql "CREATE DATABASE win ENCODING 'WIN1252' LOCALE 'C' TEMPLATE template0"
export PGDATABASE=win PGCLIENTENCODING=UTF8
conninfo="host=$PGHOST port=$PGPORT user=$PGUSER dbname=win"
store=$work/store2 mnt=$work/mnt2 mirror=$work/win.sqlite
sql 'CREATE TABLE "tä€" (a text PRIMARY KEY, "€" char(3), j json); CREATE TABLE loose (a text, c varchar); ALTER TABLE loose REPLICA IDENTITY FULL'
stream_up --slot win
sql "INSERT INTO \"tä€\" SELECT x, x, '\"€\"' FROM unnest(ARRAY['€', 'ä', 'z', 'œ', 'Ž', '', 'ÿ', '™']) x; INSERT INTO loose SELECT a, \"€\" FROM \"tä€\", generate_series(1, 3)"
mirror_once
exits "another encoding's order is no difference" 0 deltamirror --verify "$conninfo" "$mirror"
edit "DELETE FROM \"tä€\" WHERE a = '€'; UPDATE loose SET c = 'x' WHERE _rowid_ = 2"
verify --wait 1
like "and what differs is found" "$output" $'^loose\tDIFFERENT\t24\t1\t1\t0' $'^\tmissing\ta=€'

# ---- servers whose characters are longer than a byte, or become longer in UTF-8

other() { # DATABASE ENCODING
	daemon_stop
	PGDATABASE=postgres sql "CREATE DATABASE $1 ENCODING '$2' LOCALE 'C' TEMPLATE template0"
	export PGDATABASE=$1
	conninfo="host=$PGHOST port=$PGPORT user=$PGUSER dbname=$1"
	store=$work/store-$1 mnt=$work/mnt-$1 mirror=$work/$1.sqlite
}
other euc EUC_JP
sql "CREATE TYPE 種 AS ENUM ('日本', '-a-%,b', '')"
sql "CREATE TABLE 表 (a 種 PRIMARY KEY, b 種[])"
sql "INSERT INTO 表 VALUES ('日本', '{日本,\"-a-%,b\"}'), ('', NULL)"
stream_up --slot euc
snapshot_there
is "a snapshot of EUC_JP says an enum's labels" "$(grep -o 'labels\\t[^\	]*' "$mnt/snapshots/latest/tables/表" | sed 's/[0-9]*=/N=/g')" \
	'labels\tN=日本,N=%2Da-%25%2Cb,N='
mirror_once
sql "UPDATE 表 SET b = '{}' WHERE a = '日本'"
mirror_once
exits "and a mirror equals it" 0 deltamirror --verify "$conninfo" "$mirror"

other thai WIN874
long=$(printf 'ก%.0s' {1..63}) # of 189 bytes in UTF-8
sql "CREATE SCHEMA \"$long\""
sql "CREATE TABLE \"$long\".\"$long\" (\"$long\" int PRIMARY KEY)"
sql "INSERT INTO \"$long\".\"$long\" VALUES (1)"
stream_up --slot thai
mirror_once
exits "a table is found by names that are longer in UTF-8" 0 deltamirror --verify "$conninfo" "$mirror"

plan
