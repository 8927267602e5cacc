#!/bin/bash
# Tables that are unlogged and logged again in one transaction: what they did meanwhile is not in the log. A mirror is told what it
# loses, and keeps what other commands write anew.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

truncates() { grep -c '_action.truncate' "$mnt/live" || true; }
# Statements on stdin, COUNT of whose `truncate` lines come.
step() { # SENTENCE COUNT
	local before
	before=$(truncates)
	psql -Xq -v ON_ERROR_STOP=1 -f -
	exits "$1: a mirror goes on" 0 mirror_once
	is "without a warning" "$(grep -c 'warning' <<<"$output")" 0
	is "tables are emptied" "$(($(truncates) - before))" "$2"
	exits "it equals the server" 0 timeout 20 deltamirror --wait=5 --verify "$conninfo" "$mirror"
}
rows() { sqlite3 "$mirror" "SELECT group_concat(a) FROM (SELECT a FROM zzz ORDER BY a)"; }

server_up
place=$server/place
as_server mkdir "$place"
sql "CREATE TABLESPACE place LOCATION '$place'"
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "CREATE TABLE other (a int PRIMARY KEY, b text)"
sql "CREATE TABLE parted (a int PRIMARY KEY, b text) PARTITION BY RANGE (a)"
sql "CREATE TABLE leaf PARTITION OF parted FOR VALUES FROM (0) TO (1000)"
sql "CREATE TABLE leaf2 PARTITION OF parted FOR VALUES FROM (1000) TO (2000)"
for table in zzz other parted; do
	sql "INSERT INTO $table SELECT i, 'before' FROM generate_series(1, 100) i"
done
sql "INSERT INTO parted VALUES (1001, 'beside')"
sql "SELECT pg_create_logical_replication_slot('again', 'deltaflood')" >/dev/null
stream_up
snapshot_there
mirror_once >/dev/null 2>&1

# ---- what goes without a row

step "emptied" 1 <<-'SQL'
	BEGIN;
	ALTER TABLE zzz SET UNLOGGED;
	DELETE FROM zzz;
	ALTER TABLE zzz SET LOGGED;
	COMMIT;
SQL
is "no row is left" "$(rows)" ""
step "with what is logged before and then" 1 <<-'SQL'
	INSERT INTO zzz VALUES (1, 'old');
	BEGIN;
	INSERT INTO zzz VALUES (2, 'before');
	UPDATE zzz SET b = 'changed' WHERE a = 1;
	ALTER TABLE zzz SET UNLOGGED;
	DELETE FROM zzz;
	ALTER TABLE zzz SET LOGGED;
	INSERT INTO zzz VALUES (3, 'then'), (4, 'then');
	DELETE FROM zzz WHERE a = 4;
	COMMIT;
SQL
is "what came then is left" "$(rows)" 3
step "with rows left" 1 <<-'SQL'
	BEGIN;
	ALTER TABLE zzz SET UNLOGGED;
	INSERT INTO zzz VALUES (5, 'unlogged');
	UPDATE zzz SET b = 'unlogged' WHERE a = 3;
	ALTER TABLE zzz SET LOGGED;
	INSERT INTO zzz VALUES (6, 'logged');
	CLUSTER zzz USING zzz_pkey;
	INSERT INTO zzz VALUES (7, 'logged');
	ALTER TABLE zzz SET TABLESPACE place;
	COMMIT;
SQL
is "all are there" "$(rows)" 3,5,6,7
step "more than once" 3 <<-'SQL'
	BEGIN;
	ALTER TABLE zzz SET UNLOGGED;
	DELETE FROM zzz;
	ALTER TABLE zzz SET LOGGED;
	ALTER TABLE zzz SET UNLOGGED;
	TRUNCATE zzz;
	ALTER TABLE zzz SET LOGGED;
	INSERT INTO zzz VALUES (1, 'between');
	ALTER TABLE zzz SET UNLOGGED;
	UPDATE zzz SET a = 2;
	ALTER TABLE zzz SET LOGGED;
	ALTER TABLE zzz SET UNLOGGED;
	DELETE FROM zzz;
	ALTER TABLE zzz SET LOGGED;
	COMMIT;
SQL
step "rewritten before and then" 3 <<-'SQL'
	INSERT INTO zzz VALUES (1, 'old');
	BEGIN;
	ALTER TABLE zzz ALTER a TYPE bigint;
	ALTER TABLE zzz SET UNLOGGED;
	DELETE FROM zzz;
	ALTER TABLE zzz ALTER a TYPE int;
	ALTER TABLE zzz SET LOGGED;
	INSERT INTO zzz VALUES (2, 'new');
	ALTER TABLE zzz ALTER a TYPE bigint;
	CLUSTER zzz USING zzz_pkey;
	COMMIT;
SQL
step "truncated before and then" 3 <<-'SQL'
	BEGIN;
	TRUNCATE zzz;
	ALTER TABLE zzz SET UNLOGGED;
	ALTER TABLE zzz SET LOGGED;
	INSERT INTO zzz VALUES (3, 'logged');
	ALTER TABLE zzz SET UNLOGGED;
	DELETE FROM zzz;
	ALTER TABLE zzz SET LOGGED;
	INSERT INTO zzz VALUES (4, 'logged');
	TRUNCATE zzz;
	INSERT INTO zzz VALUES (5, 'last');
	COMMIT;
SQL
step "in savepoints that stay" 1 <<-'SQL'
	BEGIN;
	SAVEPOINT s;
	INSERT INTO zzz VALUES (6, 'sub');
	ALTER TABLE zzz SET UNLOGGED;
	SAVEPOINT r;
	DELETE FROM zzz;
	ALTER TABLE zzz SET LOGGED;
	RELEASE r;
	RELEASE s;
	INSERT INTO zzz VALUES (7, 'behind');
	COMMIT;
SQL
step "made in the transaction, also unlogged, and without a row" 1 <<-'SQL'
	BEGIN;
	CREATE TABLE made (a int PRIMARY KEY);
	INSERT INTO made VALUES (1);
	ALTER TABLE made SET UNLOGGED;
	DELETE FROM made;
	ALTER TABLE made SET LOGGED;
	CREATE UNLOGGED TABLE never (a int PRIMARY KEY);
	INSERT INTO never VALUES (1);
	DELETE FROM never;
	ALTER TABLE never SET LOGGED;
	COMMIT;
SQL
step "renamed, and moved to another schema" 2 <<-'SQL'
	CREATE SCHEMA s;
	INSERT INTO made VALUES (2);
	BEGIN;
	ALTER TABLE made SET UNLOGGED;
	DELETE FROM made;
	ALTER TABLE made SET SCHEMA s;
	ALTER TABLE s.made SET LOGGED;
	ALTER TABLE zzz RENAME TO aside;
	ALTER TABLE other RENAME TO zzz;
	ALTER TABLE aside RENAME TO other;
	ALTER TABLE zzz SET UNLOGGED;
	DELETE FROM zzz;
	ALTER TABLE zzz SET LOGGED;
	COMMIT;
SQL
step "a partition" 1 <<-'SQL'
	BEGIN;
	ALTER TABLE leaf SET UNLOGGED;
	DELETE FROM parted WHERE a < 1000;
	ALTER TABLE leaf SET LOGGED;
	INSERT INTO parted VALUES (1, 'new');
	COMMIT;
SQL
step "under a name that is left out, within the transaction" 1 <<-'SQL'
	BEGIN;
	ALTER TABLE leaf2 SET SCHEMA daystream;
	ALTER TABLE daystream.leaf2 SET UNLOGGED;
	DELETE FROM parted WHERE a > 1000;
	ALTER TABLE daystream.leaf2 SET LOGGED;
	ALTER TABLE daystream.leaf2 SET SCHEMA public;
	COMMIT;
SQL

# ---- what keeps its rows

sql "INSERT INTO zzz SELECT i, 'rows' FROM generate_series(1, 10) i"
step "other commands that write a table anew" 0 <<-'SQL'
	CLUSTER zzz USING other_pkey;
	VACUUM FULL zzz;
	ALTER TABLE zzz SET TABLESPACE place;
	REINDEX TABLE zzz;
	BEGIN;
	INSERT INTO zzz VALUES (11, 'before');
	CLUSTER zzz;
	DELETE FROM zzz WHERE a = 1;
	ALTER TABLE zzz SET TABLESPACE pg_default;
	REINDEX TABLE zzz;
	COMMIT;
SQL
step "in a savepoint that is rolled back" 0 <<-'SQL'
	BEGIN;
	SAVEPOINT s;
	ALTER TABLE zzz SET UNLOGGED;
	DELETE FROM zzz;
	ALTER TABLE zzz SET LOGGED;
	INSERT INTO zzz VALUES (100, 'never');
	ROLLBACK TO s;
	CLUSTER zzz;
	INSERT INTO zzz VALUES (12, 'behind');
	COMMIT;
	BEGIN;
	CLUSTER zzz;
	SAVEPOINT s;
	ALTER TABLE zzz SET UNLOGGED;
	ROLLBACK TO s;
	COMMENT ON TABLE zzz IS 'behind';
	COMMIT;
SQL
is "all rows are there" "$(rows)" 2,3,4,5,6,7,8,9,10,11,12

# ---- long ago

before=$(truncates)
daemon_stop
psql -Xq -v ON_ERROR_STOP=1 <<-'SQL'
	BEGIN;
	ALTER TABLE zzz SET UNLOGGED;
	DELETE FROM zzz;
	ALTER TABLE zzz SET LOGGED;
	INSERT INTO zzz VALUES (1, 'first');
	ALTER TABLE zzz SET UNLOGGED;
	UPDATE zzz SET a = 2;
	ALTER TABLE zzz SET LOGGED;
	CLUSTER zzz;
	COMMIT;
	VACUUM FULL pg_class;
	ALTER TABLE zzz ADD c int;
	CLUSTER pg_class USING pg_class_oid_index;
	VACUUM pg_class;
SQL
daemon_start "$store" "$mnt"
exits "the catalogs were written anew since: a mirror goes on" 0 mirror_once
is "tables are emptied" "$(($(truncates) - before))" 2
is "what is left is there" "$(rows)" 2
exits "it equals the server" 0 timeout 20 deltamirror --wait=5 --verify "$conninfo" "$mirror"
asked() { sql "SELECT data FROM pg_logical_slot_peek_changes('again', NULL, NULL)"; }
asked >"$work/once"
asked >"$work/twice"
check "the same comes again" cmp "$work/once" "$work/twice"
is "as the daemon got it" "$(grep -c '_action.truncate' "$work/once")" "$(truncates)"

slot_drop again
check "the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
exits "a new mirror" 0 deltamirror --once "$mnt" "$work/new.sqlite"
exits "equals the server" 0 timeout 20 deltamirror --wait=5 --verify "$conninfo" "$work/new.sqlite"
daemon_stop
check "the store is sound" daystream check "$store"
plan
