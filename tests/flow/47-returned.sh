#!/bin/bash
# A table that leaves the stream and comes back, or that comes into it with rows: what a mirror lacks is said, and a
# snapshot of that table and --resync=TABLE make the mirror equal.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

marked() { # the tables that are not exact, as the mirror knows itself
	sqlite3 "$mirror" "SELECT group_concat(name) FROM (SELECT name FROM _daystream_tables WHERE inexact_since IS NOT NULL ORDER BY 1)"
}
# A mirror that follows lacks rows of TABLE, says so, and gets them.
lacks() { # SENTENCE TABLE
	exits "$1: a mirror goes on" 0 mirror_once
	like "and names the table and the remedy" "$output" "warning: table \"$2\".*missing.*--resync=TABLE"
	is "once" "$(grep -c 'warning' <<<"$output")" 1
	is "it knows" "$(marked)" "$2"
	exits "the snapshots that there are would not help" 1 timeout 60 deltamirror --once "--resync=$2" "$mnt" "$mirror"
	exits "a new one of it" 0 timeout 60 daystream snapshot "--tables=$2" "$store"
	exits "brings the rows" 0 timeout 60 deltamirror --once "--resync=$2" "$mnt" "$mirror"
	is "then it is exact" "$(marked)" ""
	exits "and equals the server" 0 timeout 20 deltamirror --wait=5 --verify "$conninfo" "$mirror"
}
wholly() { # SENTENCE: of this nothing is missing
	exits "$1: a mirror goes on" 0 mirror_once
	is "without a warning" "$(grep -c 'warning' <<<"$output")" 0
	is "all is exact" "$(marked)" ""
	exits "and equals the server" 0 timeout 20 deltamirror --wait=5 --verify "$conninfo" "$mirror"
}
step() { # statements on stdin: each a transaction of its own, unless they say BEGIN
	psql -Xq -v ON_ERROR_STOP=1 -f -
}

# ---- the schema that is left out

server_up
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "INSERT INTO zzz SELECT i, 'before' FROM generate_series(1, 100) i"
stream_up
snapshot_there
mirror_once >/dev/null 2>&1
step <<-'SQL'
	ALTER TABLE zzz SET SCHEMA daystream;
	INSERT INTO daystream.zzz VALUES (1000, 'away');
	DELETE FROM daystream.zzz WHERE a = 1;
	UPDATE daystream.zzz SET b = 'away' WHERE a = 2;
	ALTER TABLE daystream.zzz SET SCHEMA public;
	INSERT INTO zzz VALUES (1001, 'back');
	UPDATE zzz SET b = 'back' WHERE a = 3;
	DELETE FROM zzz WHERE a = 4;
SQL
lacks "a table goes into the schema that is left out, and comes back" zzz
cp "$mirror" "$work/from.sqlite"
step <<-'SQL'
	CREATE TABLE daystream.yyy (a int PRIMARY KEY, b text);
	INSERT INTO daystream.yyy SELECT i, 'before' FROM generate_series(1, 100) i;
	ALTER TABLE daystream.yyy SET SCHEMA public;
SQL
lacks "a table comes from there with rows" yyy
step <<-'SQL'
	BEGIN;
	ALTER TABLE zzz SET SCHEMA daystream;
	UPDATE daystream.zzz SET b = 'within' WHERE a = 5;
	ALTER TABLE daystream.zzz SET SCHEMA public;
	COMMIT;
SQL
lacks "a table is away within a transaction" zzz
step <<-'SQL'
	BEGIN;
	CREATE TABLE daystream.xxx (a int PRIMARY KEY, b text);
	INSERT INTO daystream.xxx VALUES (1, 'made there');
	ALTER TABLE daystream.xxx SET SCHEMA public;
	INSERT INTO xxx VALUES (2, 'here');
	COMMIT;
SQL
lacks "a table is made there within a transaction" xxx
step <<-'SQL'
	CREATE SCHEMA other;
	ALTER TABLE zzz SET SCHEMA other;
	ALTER SCHEMA daystream RENAME TO kept;
	ALTER SCHEMA other RENAME TO daystream;
	INSERT INTO daystream.zzz VALUES (1002, 'schema');
	ALTER SCHEMA daystream RENAME TO other;
	ALTER SCHEMA kept RENAME TO daystream;
	ALTER TABLE other.zzz SET SCHEMA public;
SQL
exits "schemas are renamed: a mirror goes on" 0 mirror_once
like "and names the table" "$output" 'table "(other\.)?zzz".*missing'
is "it knows" "$(marked | tr , '\n' | grep -c zzz)" 1
exits "all comes anew from the server" 0 timeout 60 deltamirror --once --resync --from "$conninfo" "$mnt" "$mirror"
exits "and equals it" 0 timeout 20 deltamirror --wait=5 --verify "$conninfo" "$mirror"

# Nothing locks the schema of a table that is being written to.
sql "CREATE TABLE daystream.vvv (a int PRIMARY KEY)"
coproc writer { psql -XqAt; }
echo "BEGIN; INSERT INTO daystream.vvv VALUES (1); SELECT 'written';" >&"${writer[1]}"
read -r -t 30 <&"${writer[0]}"
sql "ALTER SCHEMA daystream RENAME TO kept"
exits "a schema comes in: a mirror of then" 0 timeout 60 deltamirror --once --resync --from "$conninfo" "$mnt" "$mirror"
is "is exact" "$(marked)" ""
echo "COMMIT; SELECT 'written';" >&"${writer[1]}"
read -r -t 30 <&"${writer[0]}"
exits "what was written there before, and is committed then: it goes on" 0 mirror_once
like "and names the table" "$output" 'warning: table "kept.vvv".*missing'
is "it knows" "$(marked)" kept.vvv
sql "ALTER SCHEMA kept RENAME TO daystream"
mirror_once

# ---- nothing is missing

step <<-'SQL'
	ALTER TABLE zzz SET UNLOGGED;
	INSERT INTO zzz VALUES (2000, 'unlogged');
	ALTER TABLE zzz SET LOGGED;
	INSERT INTO zzz VALUES (2001, 'logged');
SQL
wholly "unlogged and logged again"
step <<-'SQL'
	ALTER TABLE zzz SET SCHEMA daystream;
	INSERT INTO daystream.zzz VALUES (3000, 'away');
	BEGIN;
	ALTER TABLE daystream.zzz SET SCHEMA public;
	ALTER TABLE zzz ALTER a TYPE bigint;
	INSERT INTO zzz VALUES (3001, 'back');
	COMMIT;
	ALTER TABLE yyy SET SCHEMA daystream;
	BEGIN;
	ALTER TABLE daystream.yyy SET SCHEMA public;
	TRUNCATE yyy;
	INSERT INTO yyy VALUES (1, 'new');
	COMMIT;
	BEGIN;
	CREATE TABLE daystream.www (a int PRIMARY KEY);
	ALTER TABLE daystream.www SET SCHEMA public;
	INSERT INTO www VALUES (1);
	COMMIT;
	BEGIN;
	ALTER TABLE xxx RENAME TO aside;
	ALTER TABLE yyy RENAME TO xxx;
	ALTER TABLE aside RENAME TO yyy;
	COMMIT;
SQL
wholly "tables come with all of their rows, or change places"
exits "a mirror that was away all the while goes on" 0 timeout 60 deltamirror --once "$mnt" "$work/from.sqlite"
check "the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
rm -f "$mirror"*
exits "a new mirror is made" 0 mirror_once
like "and told, too, where its snapshot is older" "$output" 'table "xxx".*missing|table "yyy".*missing|table "zzz".*missing'
daemon_stop
check "the store is sound" daystream check "$store"

# ---- a list of tables

store=$work/narrow
mnt=$work/narrow.mnt
rm -f "$mirror"*
: >"$work/daemon.log"
stream_up --slot=narrow --tables=zzz,later,a.www,b.www
snapshot_there
mirror_once >/dev/null 2>&1
step <<-'SQL'
	ALTER TABLE zzz RENAME TO hidden;
	INSERT INTO hidden VALUES (4000, 'away');
	ALTER TABLE hidden RENAME TO zzz;
SQL
lacks "a table gets a name that is not listed, and its own again" zzz
step <<-'SQL'
	CREATE TABLE filled (a int PRIMARY KEY, b text);
	INSERT INTO filled SELECT i, 'before' FROM generate_series(1, 100) i;
	ALTER TABLE filled RENAME TO later;
SQL
lacks "one that has come since gets a listed name" later
step <<-'SQL'
	BEGIN;
	CREATE TABLE fresh (LIKE zzz INCLUDING ALL);
	INSERT INTO fresh SELECT * FROM zzz WHERE a > 50;
	ALTER TABLE zzz RENAME TO old;
	ALTER TABLE fresh RENAME TO zzz;
	COMMIT;
SQL
lacks "another one is put in its place" zzz
step <<-'SQL'
	BEGIN;
	ALTER TABLE zzz RENAME TO hidden;
	TRUNCATE hidden;
	ALTER TABLE hidden RENAME TO zzz;
	COMMIT;
SQL
lacks "it is emptied under another name" zzz
step <<-'SQL'
	ALTER TABLE later RENAME TO filled;
	INSERT INTO filled VALUES (5000, 'away');
	ALTER TABLE filled RENAME TO later;
	DROP TABLE zzz;
SQL
lacks "one comes back, and another is dropped" later
sql "CREATE SCHEMA a"
sql "CREATE SCHEMA b"
sql "CREATE TABLE a.www (i int PRIMARY KEY)"
sql "CREATE TABLE b.www (j int PRIMARY KEY)"
echo "BEGIN; INSERT INTO b.www VALUES (1); INSERT INTO a.www VALUES (2); SELECT 'written';" >&"${writer[1]}"
read -r -t 30 <&"${writer[0]}"
sql "ALTER SCHEMA a RENAME TO c"
sql "ALTER SCHEMA b RENAME TO a"
echo "COMMIT; SELECT 'written';" >&"${writer[1]}"
read -r -t 30 <&"${writer[0]}"
exits "one loses its listed name to another while both are written to" 0 mirror_once
is "it is gone, the other has it" "$(sqlite3 -readonly "$mirror" "SELECT name FROM _daystream_tables WHERE name LIKE '%www%'")" a.www
is "with its row" "$(sqlite3 -readonly "$mirror" 'SELECT j FROM "a.www"')" 1
check "the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
daemon_stop
check "the store is sound" daystream check "$store"
plan
