-- Every replica identity: what update and delete say of the old row.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

-- default: the primary key, in table column order on lines, in index order in _key
CREATE TABLE t (n int, b text, a text, extra text, PRIMARY KEY (a, n));
INSERT INTO t VALUES (1, 'b', 'a', 'e');
UPDATE t SET b = 'b2';
UPDATE t SET n = 2;
DELETE FROM t;
SELECT * FROM changes();

-- an index with other columns; one that includes more than its key
CREATE UNIQUE INDEX t_extra ON t (extra, b) INCLUDE (n);
ALTER TABLE t ALTER extra SET NOT NULL, ALTER b SET NOT NULL;
ALTER TABLE t REPLICA IDENTITY USING INDEX t_extra;
INSERT INTO t VALUES (1, 'b', 'a', 'e');
UPDATE t SET n = 2;
UPDATE t SET b = 'b2';
DELETE FROM t;
SELECT * FROM changes();

-- full: the whole old row before each update
ALTER TABLE t REPLICA IDENTITY FULL;
INSERT INTO t VALUES (1, 'b', 'a', 'e');
UPDATE t SET n = 2;
DELETE FROM t;
SELECT * FROM changes();

-- full without a primary key, and a row that was there before a column
CREATE TABLE bag (a int, b text);
ALTER TABLE bag REPLICA IDENTITY FULL;
INSERT INTO bag VALUES (1, NULL), (1, NULL);
ALTER TABLE bag ADD c text DEFAULT 'given', ADD d int;
UPDATE bag SET b = 'x';
DELETE FROM bag;
SELECT * FROM changes();
SELECT * FROM changes('skip-nulls', 'true');

-- nothing
ALTER TABLE t REPLICA IDENTITY NOTHING;
INSERT INTO t VALUES (1, 'b', 'a', 'e');
UPDATE t SET n = 2;
DELETE FROM t;
SELECT * FROM changes();

-- default without a primary key; with one that is deferrable, which is no identity
CREATE TABLE heap (a int, b int);
INSERT INTO heap VALUES (1, 2);
UPDATE heap SET b = 3;
DELETE FROM heap;
CREATE TABLE lax (a int PRIMARY KEY DEFERRABLE, b int);
INSERT INTO lax VALUES (1, 2);
DELETE FROM lax;
SELECT * FROM changes();

-- it changes in the middle of a transaction, and is looked at as it was then
ALTER TABLE t REPLICA IDENTITY DEFAULT;
BEGIN;
INSERT INTO t VALUES (1, 'b', 'a', 'e');
UPDATE t SET n = 2;
ALTER TABLE t REPLICA IDENTITY FULL;
UPDATE t SET n = 3;
ALTER TABLE t REPLICA IDENTITY USING INDEX t_extra;
DELETE FROM t;
COMMIT;
SELECT * FROM changes();

-- the identity's index goes away
DROP INDEX t_extra;
INSERT INTO t VALUES (1, 'b', 'a', 'e');
DELETE FROM t;
ALTER TABLE t REPLICA IDENTITY DEFAULT;
INSERT INTO t VALUES (1, 'b', 'a', 'e');
ALTER TABLE t DROP CONSTRAINT t_pkey;
DELETE FROM t;
SELECT * FROM changes();

-- unchanged TOAST is left out, NULL is not; the old row has it
CREATE TABLE toasted (a int PRIMARY KEY, b text, c text);
ALTER TABLE toasted ALTER b SET STORAGE EXTERNAL;
INSERT INTO toasted VALUES (1, repeat('x', 3000), 'short');
UPDATE toasted SET c = 'other';
UPDATE toasted SET a = 2;
UPDATE toasted SET b = NULL;
UPDATE toasted SET b = repeat('x', 3000);
ALTER TABLE toasted REPLICA IDENTITY FULL;
UPDATE toasted SET c = NULL;
DELETE FROM toasted;
SELECT * FROM changes();

-- a key that is stored apart
CREATE TABLE big_key (a text PRIMARY KEY, b int);
ALTER TABLE big_key ALTER a SET STORAGE EXTERNAL;
INSERT INTO big_key VALUES (repeat('x', 2500), 1);
UPDATE big_key SET b = 2;
DELETE FROM big_key;
SELECT replace(l, repeat('x', 2500), '<2500 x>') FROM changes() AS l;

DROP TABLE t, bag, heap, lax, toasted, big_key;
SELECT FROM pg_drop_replication_slot('regress');
