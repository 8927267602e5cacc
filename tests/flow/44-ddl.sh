#!/bin/bash
# Whatever people do to the schema, in the midst of traffic: a mirror that follows live, and one that reads the whole
# stream later, have the server's tables, columns and rows.
. "$(dirname "$0")/lib.sh"

live=$work/live.sqlite
stream_up
sql "CREATE TABLE mark (n int PRIMARY KEY)" && sql "INSERT INTO mark VALUES (0)"
# deltamirror is started again by whoever runs it; here that is a loop.
(
	while [[ ! -e $work/over ]]; do
		deltamirror "$mnt" "$live" >>"$work/live.log" 2>&1 || true
		sleep 0.2
	done
) &
keeper=$!

# ---- traffic

# shellcheck disable=SC2016
traffic='
	INSERT INTO k (note) SELECT repeat(md5(random()::text), 1 + (random() * 3)::int) FROM generate_series(1, 5);
	INSERT INTO bag (a, b) SELECT (random() * 5)::int, NULL FROM generate_series(1, 5);
	UPDATE k SET note = note || $$ changed$$ WHERE id % 7 = (random() * 6)::int;
	DELETE FROM k WHERE id % 11 = (random() * 10)::int AND id < (SELECT max(id) - 100 FROM k);
	UPDATE bag SET a = a + 1 WHERE ctid IN (SELECT ctid FROM bag ORDER BY random() LIMIT 2);
	DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag ORDER BY random() LIMIT 2);'
sql "CREATE TABLE k (id serial PRIMARY KEY, note text)"
sql "CREATE TABLE bag (a int, b text)"
sql "ALTER TABLE bag REPLICA IDENTITY FULL"
touch "$work/go"
(
	while [[ -e $work/go ]]; do
		if [[ -e $work/hold ]]; then
			touch "$work/held"
			sleep 0.05
			continue
		fi
		# Where a table is away for a moment, that part of it fails.
		psql -Xq -c "$traffic" >>"$work/traffic.log" 2>&1 || true
	done
) &
writer=$!

# shellcheck disable=SC2016 # wait_for expands it
hold() { touch "$work/hold" && rm -f "$work/held" && wait_for 60 '[[ -e $work/held ]]' "the traffic to pause"; }
resume() { rm -f "$work/hold"; }

# ---- steps

mark=0
arrived() { # the live mirror has all that is committed by now
	mark=$((mark + 1))
	sql "UPDATE mark SET n = $mark"
	wait_for 120 "[[ \$(sqlite3 -readonly '$live' 'SELECT n FROM mark') == $mark ]]" "the mirror to have it all" || {
		tail -n 5 "$work/live.log" "$work/daemon.log" >&2
		return 1
	}
}

agrees() { # SENTENCE: while the traffic pauses
	hold
	if arrived; then
		check "$1" "$root/contrib/compare-tables" -q -s "$live"
	else
		result 1 "$1" "$(tail -n 3 "$work/live.log")"
		plan # what follows needs the mirror
	fi
	resume
}

step() { # SENTENCE, statements on stdin: each a transaction of its own, unless they say BEGIN
	local status=0
	psql -Xq -v ON_ERROR_STOP=1 -f - >"$work/step.log" 2>&1 || status=$?
	[[ $status -eq 0 ]] || result 1 "$1: the statements" "$(cat "$work/step.log")"
	agrees "$1"
}

step "CREATE TABLE, without a row" <<-'SQL'
	CREATE TABLE e (a int PRIMARY KEY, b text);
	CREATE TABLE "Odd, name" ("x y" int PRIMARY KEY, "Z" text);
	CREATE TABLE nothing ();
	CREATE SCHEMA app;
	CREATE TABLE app.e (a int PRIMARY KEY);
	CREATE TABLE as_select AS SELECT g AS a, 'x' || g AS b FROM generate_series(1, 100) g;
SQL
step "ADD COLUMN: nullable, with a constant default, with a volatile one" <<-'SQL'
	ALTER TABLE k ADD c1 int;
	ALTER TABLE k ADD c2 text NOT NULL DEFAULT 'it''s	tab';
	ALTER TABLE k ADD c3 timestamptz DEFAULT clock_timestamp(), ADD c4 float8 DEFAULT random();
	ALTER TABLE bag ADD c numeric(10, 2) DEFAULT 1.50, ADD d jsonb DEFAULT '{"a": [1, null]}';
	ALTER TABLE nothing ADD a int DEFAULT 1;
	ALTER TABLE k ADD c5 int GENERATED ALWAYS AS (id * 2) STORED;
SQL
step "DROP COLUMN, and another one of its name" <<-'SQL'
	ALTER TABLE k DROP c1, DROP c3;
	ALTER TABLE k ADD c1 bytea DEFAULT '\x00ff';
	BEGIN;
	ALTER TABLE bag DROP d;
	ALTER TABLE bag ADD d text DEFAULT 'd';
	INSERT INTO bag (a, d) VALUES (1, 'e');
	COMMIT;
	ALTER TABLE nothing DROP a;
	ALTER TABLE as_select DROP a, DROP b, ADD c int;
SQL
step "columns renamed, and exchanged" <<-'SQL'
	ALTER TABLE k RENAME c2 TO "C 2";
	BEGIN;
	LOCK k;
	UPDATE k SET c1 = '\x01' WHERE id % 3 = 0;
	ALTER TABLE k RENAME c1 TO t;
	ALTER TABLE k RENAME c4 TO c1;
	ALTER TABLE k RENAME t TO c4;
	UPDATE k SET c4 = '\x02' WHERE id % 5 = 0;
	COMMIT;
SQL
step "tables renamed, exchanged, moved to another schema and back" <<-'SQL'
	ALTER TABLE e RENAME TO f;
	INSERT INTO f VALUES (1, 'one');
	BEGIN;
	ALTER TABLE k RENAME TO aside;
	ALTER TABLE f RENAME TO k;
	ALTER TABLE aside RENAME TO f;
	INSERT INTO k VALUES (2, 'two');
	UPDATE f SET note = 'as f' WHERE id % 4 = 0;
	COMMIT;
	BEGIN;
	ALTER TABLE k RENAME TO aside;
	ALTER TABLE f RENAME TO k;
	ALTER TABLE aside RENAME TO e;
	COMMIT;
	ALTER TABLE bag SET SCHEMA app;
	INSERT INTO app.bag (a) VALUES (99);
	ALTER TABLE app.bag SET SCHEMA public;
SQL
step "ALTER SCHEMA RENAME, with a type that tables elsewhere use" <<-'SQL'
	CREATE TYPE app.kind AS ENUM ('a', 'b');
	CREATE TABLE kinds (id int PRIMARY KEY, k app.kind);
	INSERT INTO kinds VALUES (1, 'a'), (2, 'b');
	ALTER SCHEMA app RENAME TO shop;
	INSERT INTO shop.e VALUES (1);
	INSERT INTO kinds VALUES (3, 'a');
SQL
step "ALTER TYPE without a rewrite" <<-'SQL'
	SET timezone = UTC;
	CREATE TABLE types (id int PRIMARY KEY, v varchar(5), t text, n numeric(6, 2), ts timestamp, tz timestamptz, c cidr, i int,
		x varbit(4));
	INSERT INTO types VALUES (1, 'a', 'b', 1.25, '2020-01-01 12:00', '2020-06-01 12:00+02', '10.0.0.0/8', -1, '101'),
		(2, NULL, NULL, NULL, 'infinity', '-infinity', '10.1.2.3/32', 7, NULL), (3, '', '', 'NaN', '0044-03-15 BC', NULL, '::1', 0, '');
	ALTER TABLE types ALTER v TYPE varchar(50), ALTER n TYPE numeric(12, 2), ALTER x TYPE varbit(9);
	ALTER TABLE types ALTER v TYPE text, ALTER t TYPE varchar, ALTER n TYPE numeric;
	ALTER TABLE types ALTER ts TYPE timestamptz, ALTER tz TYPE timestamp;
	ALTER TABLE types ALTER c TYPE inet, ALTER i TYPE oid;
	ALTER TABLE types ALTER ts TYPE timestamp, ALTER i TYPE int;
SQL
step "ALTER TYPE with a rewrite" <<-'SQL'
	SET timezone = 'Europe/Vienna';
	ALTER TABLE types ALTER ts TYPE timestamptz;
	ALTER TABLE types ALTER tz TYPE timestamptz, ALTER i TYPE bigint, ALTER n TYPE numeric(5, 1);
	ALTER TABLE types ALTER i TYPE text USING i::text || ' !', ALTER t TYPE int USING length(t);
	ALTER TABLE types ALTER id TYPE bigint;
	ALTER TABLE k DROP c5;
	ALTER TABLE k ALTER id TYPE bigint;
	BEGIN;
	INSERT INTO types (id, v) VALUES (4, 'before');
	ALTER TABLE types ALTER id TYPE numeric;
	UPDATE types SET v = 'behind' WHERE id = 4;
	ALTER TABLE types ALTER id TYPE int;
	COMMIT;
SQL
step "an enum's labels: renamed, exchanged, added, one that is empty; the type renamed" <<-'SQL'
	ALTER TYPE shop.kind RENAME VALUE 'a' TO '';
	ALTER TYPE shop.kind RENAME VALUE '' TO 'it''s, a';
	BEGIN;
	INSERT INTO kinds VALUES (4, 'b');
	ALTER TYPE shop.kind RENAME VALUE 'b' TO 'c';
	INSERT INTO kinds VALUES (5, 'c');
	COMMIT;
	ALTER TYPE shop.kind ADD VALUE 'first' BEFORE 'c';
	INSERT INTO kinds VALUES (6, 'first');
	BEGIN;
	ALTER TYPE shop.kind RENAME VALUE 'c' TO 'x';
	ALTER TYPE shop.kind RENAME VALUE 'first' TO 'c';
	ALTER TYPE shop.kind RENAME VALUE 'x' TO 'first';
	COMMIT;
	ALTER TABLE kinds DROP CONSTRAINT kinds_pkey, ADD PRIMARY KEY (k, id);
	ALTER TYPE shop.kind RENAME VALUE 'c' TO 'd';
	ALTER TYPE shop.kind RENAME TO sort;
SQL
step "domains" <<-'SQL'
	CREATE DOMAIN word AS varchar(9);
	CREATE TABLE words (w word PRIMARY KEY, l shop.sort);
	INSERT INTO words VALUES ('a');
	ALTER DOMAIN word ADD CONSTRAINT short CHECK (length(value) < 5);
	ALTER DOMAIN word SET NOT NULL;
	ALTER DOMAIN word RENAME TO token;
	INSERT INTO words VALUES ('b');
SQL
step "the primary key: another one, a new one over a new column, none" <<-'SQL'
	ALTER TABLE shop.e ADD b text NOT NULL DEFAULT 'b';
	BEGIN;
	ALTER TABLE shop.e DROP CONSTRAINT e_pkey, ADD PRIMARY KEY (b, a);
	UPDATE shop.e SET b = 'c';
	COMMIT;
	ALTER TABLE shop.e DROP CONSTRAINT e_pkey;
	INSERT INTO shop.e VALUES (1, 'again'), (1, 'again');
	ALTER TABLE shop.e ADD n bigserial PRIMARY KEY;
	UPDATE shop.e SET b = b || n;
	DELETE FROM shop.e WHERE n = 1;
	ALTER TABLE k DROP CONSTRAINT k_pkey, ADD PRIMARY KEY (id, "C 2");
	ALTER TABLE e DROP CONSTRAINT e_pkey, ADD UNIQUE (a) DEFERRABLE;
	INSERT INTO e VALUES (50, 'no key');
SQL
step "REPLICA IDENTITY in all its forms, one after another" <<-'SQL'
	CREATE TABLE ident (a int PRIMARY KEY, b int NOT NULL, c text);
	CREATE UNIQUE INDEX ident_b ON ident (b);
	CREATE UNIQUE INDEX ident_ba ON ident (b, a);
	INSERT INTO ident SELECT g, g * 10, 'c' || g FROM generate_series(1, 20) g;
	ALTER TABLE ident REPLICA IDENTITY FULL;
	UPDATE ident SET a = a + 100 WHERE b = 10;
	ALTER TABLE ident REPLICA IDENTITY USING INDEX ident_b;
	UPDATE ident SET b = b + 1 WHERE a = 2;
	UPDATE ident SET a = 3000 WHERE a = 3;
	ALTER TABLE ident REPLICA IDENTITY NOTHING;
	INSERT INTO ident VALUES (21, 210, NULL);
	ALTER TABLE ident REPLICA IDENTITY USING INDEX ident_ba;
	DELETE FROM ident WHERE a = 4;
	BEGIN;
	UPDATE ident SET c = 'default' WHERE a = 5;
	ALTER TABLE ident REPLICA IDENTITY DEFAULT;
	UPDATE ident SET a = 6000 WHERE a = 6;
	ALTER TABLE ident REPLICA IDENTITY FULL;
	UPDATE ident SET c = NULL WHERE a = 7;
	ALTER TABLE ident DROP CONSTRAINT ident_pkey;
	INSERT INTO ident SELECT * FROM ident WHERE a = 8 AND false;
	UPDATE ident SET c = 'no key' WHERE a = 9;
	DELETE FROM ident WHERE a = 10;
	COMMIT;
	ALTER TABLE ident ADD PRIMARY KEY (b);
	ALTER TABLE ident REPLICA IDENTITY DEFAULT;
	UPDATE ident SET a = 11 WHERE b = 120;
	DROP INDEX ident_ba, ident_b;
	UPDATE ident SET b = 7 WHERE b = 130;
SQL
step "FULL without a key: of equal rows exactly one goes" <<-'SQL'
	CREATE TABLE equal (i int, f float8, r real, t text, j json, b bytea);
	ALTER TABLE equal REPLICA IDENTITY FULL;
	INSERT INTO equal SELECT 1, f, f, NULL, j, '\x00' FROM unnest('{NaN,-0,0,Infinity,NULL,4.9e-324}'::float8[]) f,
		unnest(ARRAY['{"a": 1}', NULL, '{"a":1}', 'null']::json[]) j, generate_series(1, 3) WHERE f IS DISTINCT FROM 4.9e-324;
	INSERT INTO equal SELECT NULL, NULL, NULL, NULL, NULL, NULL FROM generate_series(1, 3);
	DELETE FROM equal WHERE ctid IN (SELECT min(ctid) FROM equal GROUP BY i, f::text, r::text, t, j::text, b);
	UPDATE equal SET t = 'one of them' WHERE ctid IN (SELECT max(ctid) FROM equal GROUP BY i, f::text, r::text, t, j::text, b);
	DELETE FROM equal WHERE ctid IN (SELECT ctid FROM equal WHERE f = 0 LIMIT 2);
	ALTER TABLE equal ADD x int DEFAULT 3;
	DELETE FROM equal WHERE ctid IN (SELECT min(ctid) FROM equal GROUP BY i, f::text, j::text);
SQL
step "tables dropped and made again under the name, with and without rows, in one transaction and in two" <<-'SQL'
	DROP TABLE as_select;
	BEGIN;
	DROP TABLE e;
	CREATE TABLE e (other text PRIMARY KEY);
	INSERT INTO e VALUES ('new');
	COMMIT;
	BEGIN;
	CREATE TABLE short (a int);
	INSERT INTO short VALUES (1);
	DROP TABLE short;
	COMMIT;
	BEGIN;
	CREATE TABLE tmp (LIKE e INCLUDING ALL);
	INSERT INTO tmp SELECT other || '!' FROM e;
	DROP TABLE e;
	ALTER TABLE tmp RENAME TO e;
	COMMIT;
	BEGIN;
	ALTER TABLE words RENAME TO old_words;
	CREATE TABLE words (n int PRIMARY KEY);
	INSERT INTO words VALUES (1);
	DROP TABLE old_words;
	COMMIT;
	BEGIN;
	ALTER TABLE words RENAME TO given_back;
	ROLLBACK;
	DROP SCHEMA shop CASCADE;
	CREATE SCHEMA shop;
	CREATE TABLE shop.e (a int PRIMARY KEY);
	CREATE TEMP TABLE unseen (a int);
	INSERT INTO unseen VALUES (1);
SQL
step "TRUNCATE: CASCADE, several tables, with rows before and behind" <<-'SQL'
	CREATE TABLE main (a int PRIMARY KEY);
	CREATE TABLE refers (a int REFERENCES main, id serial PRIMARY KEY);
	CREATE TABLE deeper (b int REFERENCES refers, id serial PRIMARY KEY);
	INSERT INTO main SELECT generate_series(1, 10);
	INSERT INTO refers SELECT generate_series(1, 10);
	INSERT INTO deeper SELECT generate_series(1, 10);
	BEGIN;
	INSERT INTO main VALUES (11);
	TRUNCATE main CASCADE;
	INSERT INTO main VALUES (12);
	TRUNCATE e, ident;
	INSERT INTO e VALUES ('behind');
	SAVEPOINT s;
	TRUNCATE main CASCADE;
	ROLLBACK TO s;
	COMMIT;
SQL
step "partitions: attached, detached, moved between, truncated, dropped" <<-'SQL'
	CREATE TABLE p (id int, at date, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
	CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
	CREATE TABLE p2 (note text, id int NOT NULL, at date NOT NULL);
	INSERT INTO p2 VALUES ('before', 1, '2021-05-05');
	ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
	INSERT INTO p SELECT g, date '2020-06-01' + g * 30, 'g' || g FROM generate_series(1, 15) g;
	UPDATE p SET at = at + 365 WHERE id = 2;
	ALTER TABLE p ADD more int DEFAULT 7;
	ALTER TABLE p RENAME note TO remark;
	ALTER TABLE p DETACH PARTITION p1;
	INSERT INTO p1 (id, at) VALUES (100, '1999-01-01');
	UPDATE p1 SET remark = 'alone';
	CREATE TABLE p3 PARTITION OF p DEFAULT PARTITION BY LIST (id);
	CREATE TABLE p3_5 PARTITION OF p3 FOR VALUES IN (5);
	INSERT INTO p VALUES (5, '1990-01-01');
	TRUNCATE p2;
	ALTER TABLE p DETACH PARTITION p3;
	DROP TABLE p;
SQL
step "SET UNLOGGED and back" <<-'SQL'
	CREATE TABLE logged (a int PRIMARY KEY);
	INSERT INTO logged VALUES (1), (2);
	ALTER TABLE logged SET UNLOGGED;
	INSERT INTO logged VALUES (3);
	CREATE UNLOGGED TABLE never (a int PRIMARY KEY);
SQL
step "... with its rows" <<-'SQL'
	ALTER TABLE logged SET LOGGED;
	DELETE FROM logged WHERE a = 1;
	DROP TABLE never;
SQL
step "a column that is TOASTed, with everything around it changed" <<-'SQL'
	CREATE TABLE big (id int PRIMARY KEY, t text, n int);
	ALTER TABLE big ALTER t SET STORAGE EXTERNAL;
	INSERT INTO big SELECT g, repeat(md5(g::text), 400), 0 FROM generate_series(1, 5) g;
	UPDATE big SET n = 1;
	ALTER TABLE big DROP n, ADD m text DEFAULT 'm';
	UPDATE big SET m = 'n' WHERE id = 1;
	ALTER TABLE big RENAME t TO tt;
	UPDATE big SET id = id + 10;
	ALTER TABLE big REPLICA IDENTITY FULL;
	UPDATE big SET m = NULL;
	ALTER TABLE big ALTER tt TYPE varchar(20000);
SQL

step "extensions: their types moved, and dropped with what needs them" <<-'SQL'
	CREATE EXTENSION citext;
	CREATE TABLE ci (a citext PRIMARY KEY, b int, c citext);
	INSERT INTO ci VALUES ('A', 1, 'c'), ('b', 2, NULL);
	ALTER EXTENSION citext SET SCHEMA shop;
	INSERT INTO ci VALUES ('C', 3, 'c');
	ALTER TABLE ci ALTER c TYPE text;
	DROP EXTENSION citext CASCADE;
	INSERT INTO ci VALUES (4);
SQL

step "types that are made of others" <<-'SQL'
	CREATE TYPE odd AS ENUM ('a', 'b,c', E'tab\t', '-x', 'ünï/.%');
	ALTER TYPE odd ADD VALUE 'first' BEFORE 'a';
	CREATE TYPE pair AS (x int, o odd, y int[]);
	CREATE TYPE deep AS (p pair, q pair[], r int);
	ALTER TYPE pair ADD ATTRIBUTE z text, DROP ATTRIBUTE y;
	CREATE TYPE odds AS RANGE (subtype = odd, multirange_type_name = multi_odds);
	CREATE DOMAIN list AS odd[];
	CREATE TABLE made (a int PRIMARY KEY, p pair, l list, r odds, m multi_odds, d deep, ls list[], row ci, o odd DEFAULT 'a');
	INSERT INTO made VALUES (1, '(1,"b,c",z)', '{a,first}', '[first,a]', '{[first,a]}', '("(1,a,)",,3)', NULL, '(1,x)', 'ünï/.%');
SQL

# ---- what another transaction has renamed in the meantime

sql "CREATE TABLE was (a int PRIMARY KEY)"
sql "CREATE TABLE stays (a int PRIMARY KEY)"
mkfifo "$work/statements"

begin_beside() { # STATEMENTS: of a transaction that stays open
	rm -f "$work/step.log" # what the last one said
	psql -Xq -v ON_ERROR_STOP=1 -f - <"$work/statements" >"$work/step.log" 2>&1 &
	session=$!
	exec {statements}>"$work/statements"
	echo "BEGIN; $1; SELECT 'begun';" >&"$statements"
	# shellcheck disable=SC2016
	wait_for 30 'grep -q begun "$work/step.log"' "the transaction to have begun"
}

commit_beside() { # STATEMENTS
	echo "$1; COMMIT;" >&"$statements"
	exec {statements}>&-
	check "the transaction beside commits" wait "$session"
}

begin_beside "INSERT INTO mark VALUES (-1)"
sql "ALTER TABLE was RENAME TO is_now"
sql "ALTER TABLE stays RENAME TO stays_there"
sql "CREATE TABLE stays (b int PRIMARY KEY)"
caught_up "$mnt"
# A new session of the walsender knows nothing of what it has sent.
sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active" >/dev/null
commit_beside "DROP TABLE is_now; ALTER TABLE stays_there ADD c int; DELETE FROM mark WHERE n = -1"
agrees "a table that another transaction renamed meanwhile is dropped, another is changed"

# Nothing locks a schema, or a type, of a table that is being written to.
sql "CREATE SCHEMA one"
sql "CREATE SCHEMA two"
sql "CREATE TYPE tone AS ENUM ('a', 'b')"
sql "CREATE TABLE one.t (a int PRIMARY KEY)"
sql "CREATE TABLE two.t (b text PRIMARY KEY)"
sql "CREATE TABLE tones (a int PRIMARY KEY, t tone)"
sql "INSERT INTO tones VALUES (1, 'a'), (2, 'b')"
# Of these, the new names are known before the transaction comes.
sql "CREATE SCHEMA three"
sql "CREATE TYPE shade AS ENUM ('a', 'b')"
sql "CREATE TABLE three.u (a int PRIMARY KEY)"
sql "CREATE TABLE shades (a int PRIMARY KEY, t shade)"
sql "INSERT INTO shades VALUES (1, 'a')"
begin_beside "INSERT INTO one.t VALUES (1); INSERT INTO tones VALUES (3, 'a'); INSERT INTO three.u VALUES (1);
	INSERT INTO shades VALUES (3, 'a')"
sql "BEGIN; ALTER SCHEMA one RENAME TO aside; ALTER SCHEMA two RENAME TO one; ALTER SCHEMA aside RENAME TO two; COMMIT"
sql "ALTER TYPE tone RENAME VALUE 'a' TO 'c'"
sql "ALTER SCHEMA three RENAME TO four"
sql "INSERT INTO four.u VALUES (2)"
sql "ALTER TYPE shade RENAME VALUE 'a' TO 'c'"
sql "INSERT INTO shades VALUES (2, 'b')"
caught_up "$mnt"
commit_beside "SELECT"
agrees "a table is written to while its schema and a label get other names"
theirs=$(sql "SELECT oid, relnamespace::regnamespace FROM pg_class WHERE relname = 't' ORDER BY 1")
is "and each has its own name" "$(sqlite3 -readonly -separator $'\t' "$live" "SELECT relid, schema FROM _daystream_tables WHERE \"table\" = 't' ORDER BY 1")" "$theirs"
# A table that got the older name since is not gone, though that transaction does not see it.
sql "CREATE SCHEMA five"
sql "CREATE TABLE five.v (a int PRIMARY KEY)"
begin_beside "INSERT INTO five.v VALUES (1); CREATE TABLE own (a int)"
sql "ALTER SCHEMA five RENAME TO six"
sql "CREATE SCHEMA five"
sql "CREATE TABLE five.v (b int PRIMARY KEY)"
sql "INSERT INTO five.v VALUES (2)"
commit_beside "SELECT"
agrees "a table is made under the name that another one has in a transaction that began before"

# ---- what sends nothing

hold
arrived
rows_of_k() { grep -vc '_action	schema' "$mnt/tables/k"; }
before=$(rows_of_k)
psql -Xq -v ON_ERROR_STOP=1 -c "VACUUM FULL k" -c "CLUSTER k USING k_pkey" -c "VACUUM ANALYZE k" -c "REINDEX TABLE k"
arrived
is "VACUUM FULL, CLUSTER, ANALYZE and REINDEX bring no row" "$(rows_of_k)" "$before"
resume

# ---- what people added to the mirror

hold
arrived # the trigger is to see no older row go
sqlite3 -cmd '.timeout 60000' "$live" "ALTER TABLE k ADD COLUMN mine TEXT DEFAULT 'm'; CREATE INDEX mine_note ON k (note);
	CREATE INDEX mine_c1 ON k (c1); CREATE VIEW mine AS SELECT id, note FROM k; CREATE TABLE kept (id);
	CREATE TRIGGER mine_kept AFTER DELETE ON k BEGIN INSERT INTO kept VALUES (old.id); END"
arrived
psql -Xq -v ON_ERROR_STOP=1 -c "ALTER TABLE k DROP c1" -c "ALTER TABLE k RENAME note TO remark" \
	-c "DELETE FROM k WHERE id = (SELECT max(id) FROM k)" -c "ALTER TABLE k RENAME remark TO note"
arrived
is "indexes, views, triggers and columns survive where their columns do" "$(sqlite3 -readonly "$live" "
	SELECT group_concat(name) FROM (SELECT name FROM sqlite_master WHERE name LIKE 'mine%' ORDER BY 1);
	SELECT count(*) FROM kept WHERE id IS NOT NULL;
	SELECT count(*) = (SELECT count(*) FROM k WHERE mine = 'm') FROM mine")" "mine,mine_kept,mine_note
1
1"
like "and a lost one is named" "$(cat "$work/live.log")" 'index "mine_c1" of table "k" is gone'
resume
equal() { "$root/contrib/compare-tables" -q "$live"; }
hold && arrived
check "with them the rows are the server's" equal
resume

# ---- in the midst of crashes

kills=0
churn() { # 12 rounds of changes by somebody else
	local i
	for i in {1..12}; do
		psql -Xq -v ON_ERROR_STOP=1 -f - <<-SQL || true
			CREATE TABLE churn_$i (a int PRIMARY KEY, b text DEFAULT 'b$i');
			INSERT INTO churn_$i SELECT generate_series(1, 50);
			BEGIN;
			ALTER TABLE churn_$i RENAME b TO c;
			ALTER TABLE churn_$i ADD d int DEFAULT $i;
			UPDATE churn_$i SET c = 'changed' WHERE a % 2 = 0;
			COMMIT;
			ALTER TABLE k ADD x$i int DEFAULT $i;
			ALTER TABLE k RENAME x$i TO y$i;
			ALTER TABLE churn_$i RENAME TO kept_$i;
			ALTER TABLE kept_$i ALTER a TYPE bigint;
			$([[ $((i % 3)) -ne 0 ]] || echo "DROP TABLE kept_$i; ALTER TABLE k DROP y$i;")
		SQL
		sleep 0.3
	done
}
churn >"$work/churn.log" 2>&1 &
churn=$!
while alive $churn; do
	sleep 0.$((RANDOM % 9 + 1))
	case $((kills++ % 4)) in
	0 | 2) sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active" >/dev/null ;;
	1) daemon_kill && daemon_start "$store" "$mnt" ;;
	3) pkill -KILL -P "$keeper" deltamirror || true ;;
	esac
done
wait $churn
note "walsender, daemon or mirror were killed $kills times meanwhile"
hold && arrived
check "definitions change while walsender, daemon and mirror are killed" equal
resume

# ---- the whole stream, read by a mirror that starts now

rm "$work/go"
wait $writer
caught_up "$mnt" 120
check "a mirror that starts from the stream ends there" deltamirror --once "$mnt" "$mirror"
check "... and has the same tables, columns and rows" "$root/contrib/compare-tables" -q -s "$mirror"
check "one that copies from the server" deltamirror --once --from "$conninfo" "$mnt" "$work/from.sqlite"
check "... has them, too" "$root/contrib/compare-tables" -q -s "$work/from.sqlite"
definitions() { sqlite3 -readonly "$1" 'SELECT definition FROM _daystream_tables ORDER BY relid'; }
is "... and the definitions that the stream tells" "$(definitions "$work/from.sqlite")" "$(definitions "$mirror")"
check "the store is sound" daystream check "$store"

# ---- what cannot be placed

is "no table is unplaced so far" "$(status_of "$mnt" unplaced)" ""
sql "CREATE TABLE \"no key\" (a int)"
sql "INSERT INTO \"no key\" VALUES (1), (2)"
caught_up "$mnt"
is "inserts need no key" "$(status_of "$mnt" unplaced)" ""
sql "ALTER TABLE \"no key\" REPLICA IDENTITY NOTHING"
sql "DELETE FROM \"no key\" WHERE a = 1"
sql "UPDATE \"no key\" SET a = 3"
caught_up "$mnt"
is "a change that cannot be placed marks its table in /status" "$(status_of "$mnt" unplaced)" "no key"
is "and is said once" "$(grep -c 'a row of table no key was changed' "$work/daemon.log")" 1
daemon_stop
daemon_start "$store" "$mnt"
is "it is known after a start" "$(status_of "$mnt" unplaced)" "no key"
sql "ALTER TABLE \"no key\" REPLICA IDENTITY FULL"
sql "UPDATE \"no key\" SET a = 4"
caught_up "$mnt"
is "until the table has an identity" "$(status_of "$mnt" unplaced)" ""
sql "ALTER TABLE \"no key\" REPLICA IDENTITY NOTHING"
sql "DELETE FROM \"no key\""
caught_up "$mnt"
is "(and when it loses that, it is marked again)" "$(status_of "$mnt" unplaced)" "no key"
sql "DROP TABLE \"no key\""
caught_up "$mnt"
is "or is gone" "$(status_of "$mnt" unplaced)" ""
like "whose lines stay readable" "$(tail -n 1 "$mnt/tables/no key")" "_action	drop$"

# ---- values that only the server knows

sql "CREATE TYPE mood AS ENUM ('sad', 'glad')"
sql "CREATE TABLE moods (id int PRIMARY KEY, list mood[])"
sql "INSERT INTO moods VALUES (1, '{sad,glad}')"
inexact() { sqlite3 -readonly "$live" "SELECT inexact_since IS NOT NULL FROM _daystream_tables WHERE name = 'moods'"; }
arrived
is "a table is exact" "$(inexact)" 0
sql "ALTER TYPE mood RENAME VALUE 'glad' TO 'happy'"
arrived
is "a label renamed within arrays marks it in the mirror" "$(inexact)" 1
like "and a warning says so" "$(cat "$work/live.log")" 'column "list" of table "moods" prints otherwise now'
sql "ALTER TABLE moods ALTER list TYPE text[]"
arrived
is "until its rows come anew" "$(inexact)" 0
check "and are the server's" "$root/contrib/compare-tables" -q "$live" moods
sql "CREATE CAST (bigint AS timestamptz) WITHOUT FUNCTION AS ASSIGNMENT"
sql "ALTER TABLE moods ADD n bigint"
sql "UPDATE moods SET n = 5"
sql "ALTER TABLE moods ALTER n TYPE bigint USING n * 2"
arrived
is "a type whose rows are written anew marks nothing" "$(inexact)" 0
sql "ALTER TABLE moods ALTER n TYPE timestamptz"
arrived
is "one that prints otherwise, of which no row is written, does" "$(inexact)" 1
like "which is said" "$(cat "$work/live.log")" 'table "moods" prints column "n" otherwise now'

touch "$work/over"
while alive "$keeper"; do # whose loop sees that it is over, once it has none
	pkill -P "$keeper" deltamirror || true
	sleep 0.2
done
wait "$keeper" 2>/dev/null || true
plan
