-- What of a transaction is seen, and when.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

CREATE TABLE t (a int PRIMARY KEY, b text);
SELECT * FROM lines();

-- savepoints: one transaction, one number
BEGIN;
INSERT INTO t VALUES (1);
SAVEPOINT s1;
INSERT INTO t VALUES (2);
SAVEPOINT s2;
INSERT INTO t VALUES (3);
ROLLBACK TO s2;
INSERT INTO t VALUES (4);
RELEASE s1;
INSERT INTO t VALUES (5);
COMMIT;
SELECT count(DISTINCT substring(data FROM '_xid\t(\d+)')) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '0');
SELECT * FROM lines();

-- rolled back, read only, empty, about tables that were not asked for: nothing at all
BEGIN;
INSERT INTO t VALUES (6);
ROLLBACK;
BEGIN;
SELECT count(*) FROM t;
COMMIT;
BEGIN;
SAVEPOINT s;
INSERT INTO t VALUES (6);
ROLLBACK TO s;
COMMIT;
CREATE TABLE other (a int);
SELECT * FROM lines();
INSERT INTO other VALUES (1);
SELECT * FROM lines('tables', 't');

-- a large one, of which most is rolled back, in pieces that spill
SET logical_decoding_work_mem = '64kB';
BEGIN;
INSERT INTO t SELECT g, repeat('y', 100) FROM generate_series(1000, 1999) AS g;
SAVEPOINT s;
INSERT INTO t SELECT g, repeat('y', 100) FROM generate_series(2000, 4999) AS g;
ROLLBACK TO s;
UPDATE t SET b = 'z' WHERE a > 1990;
COMMIT;
SELECT count(*), count(*) FILTER (WHERE data ~ 'insert'), count(*) FILTER (WHERE data ~ 'update'), count(DISTINCT xid::text)
	FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'batch-bytes', '0');
RESET logical_decoding_work_mem;

-- from elsewhere
SELECT pg_replication_origin_create('deltaflood_regress') IS NOT NULL;
SELECT pg_replication_origin_session_setup('deltaflood_regress');
INSERT INTO t VALUES (7, 'from afar');
SELECT pg_logical_emit_message(true, 'from', 'afar') IS NOT NULL;
SELECT pg_replication_origin_session_reset();
INSERT INTO t VALUES (8, 'local');
SELECT substring(data FROM '_action.*') FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '0', 'include-schema', 'false', 'include-commit', 'false');
SELECT * FROM lines('only-local', 'true');
SELECT pg_replication_origin_drop('deltaflood_regress');

DROP TABLE t, other;
SELECT FROM pg_drop_replication_slot('regress');
