-- ALTER TABLE that writes a table anew: a truncate and all rows, under the table's own name.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

CREATE TABLE t (a int PRIMARY KEY, b text);
INSERT INTO t VALUES (1, 'one'), (2, NULL);
-- a constant default writes nothing, a volatile one does
ALTER TABLE t ADD c int DEFAULT 5;
ALTER TABLE t ADD d int DEFAULT 1 + random() * 0;
ALTER TABLE t ALTER a TYPE bigint;
INSERT INTO t VALUES (3);
SELECT * FROM changes();

-- lines of the same transaction stand where they belong
BEGIN;
INSERT INTO t VALUES (4, 'before');
ALTER TABLE t ALTER c TYPE text;
INSERT INTO t VALUES (5, 'between');
UPDATE t SET b = 'changed' WHERE a = 4;
ALTER TABLE t ADD e int DEFAULT 1 + random() * 0, DROP d;
ALTER TABLE t RENAME TO tt;
ALTER TABLE tt ALTER b TYPE varchar(20) USING 'x' || b, ALTER e TYPE bigint;
DELETE FROM tt WHERE a > 1;
COMMIT;
INSERT INTO tt VALUES (6);
SELECT * FROM changes();

-- rolled back
BEGIN;
ALTER TABLE tt ALTER e TYPE text;
ROLLBACK;
INSERT INTO tt VALUES (7);
SELECT * FROM changes();

-- with TOAST, dropped columns, two tables in turn
CREATE TABLE big (a int PRIMARY KEY, gone int, b text);
ALTER TABLE big ALTER b SET STORAGE EXTERNAL;
INSERT INTO big VALUES (1, 2, repeat('x', 3000)), (2, 3, 'small');
ALTER TABLE big DROP gone;
BEGIN;
ALTER TABLE big ALTER a TYPE bigint;
ALTER TABLE tt ALTER e TYPE text;
ALTER TABLE big ALTER a TYPE int;
UPDATE big SET a = 3 WHERE a = 1;
COMMIT;
SELECT * FROM changes();

-- a partitioned table: each leaf
CREATE TABLE parted (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted VALUES (1, 1), (11, 11);
ALTER TABLE parted ALTER b TYPE text;
SELECT * FROM changes();

-- an empty one says nothing; nor do commands that change no row
CREATE TABLE empty (a int);
ALTER TABLE empty ALTER a TYPE bigint;
VACUUM FULL tt;
CLUSTER tt USING t_pkey;
ALTER TABLE tt SET TABLESPACE pg_default;
SELECT * FROM lines();

-- what a constant default gave is told, though the catalogs do not say it any more at the end
BEGIN;
ALTER TABLE tt ADD f text DEFAULT 'eins', ADD g int;
SAVEPOINT s;
ALTER TABLE tt ADD h int DEFAULT 7;
ROLLBACK TO s;
ALTER TABLE tt ADD h int DEFAULT 8;
CLUSTER tt;
COMMIT;
INSERT INTO tt VALUES (8);
BEGIN;
ALTER TABLE tt DROP h, DROP g, ALTER f TYPE varchar;
CLUSTER tt;
UPDATE tt SET f = 'zwei' WHERE a = 8;
COMMIT;
SELECT * FROM lines();

-- also of another type since, if that leaves the rows as they are, and a long one
BEGIN;
ALTER TABLE tt ADD i varchar DEFAULT 'drei', ADD j text DEFAULT repeat('lang ', 100);
CLUSTER tt;
ALTER TABLE tt ALTER i TYPE text;
COMMIT;
SELECT regexp_replace(line, '(lang )+', 'lang ') FROM lines() line;
ALTER TABLE tt DROP i, DROP j;
SELECT count(*) FROM lines();

-- a type with the same bytes that prints otherwise: no row is written, and the line says so
CREATE CAST (bigint AS timestamptz) WITHOUT FUNCTION AS ASSIGNMENT;
SET client_min_messages = warning;
CREATE TYPE shout;
CREATE FUNCTION shout_in(cstring) RETURNS shout LANGUAGE internal STRICT IMMUTABLE AS 'textin';
CREATE FUNCTION shout_out(shout) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'textout';
CREATE TYPE shout (INPUT = shout_in, OUTPUT = shout_out, LIKE = text);
CREATE CAST (text AS shout) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE DOMAIN stamp AS timestamptz;
CREATE DOMAIN number AS bigint;
CREATE TABLE p (a bigint, b number, c text, d int, e oid, x xml, gone int);
INSERT INTO p VALUES (1, 2, 'three', 4, 5, '<six/>', 7);
SELECT count(*) FROM lines();
BEGIN;
ALTER TABLE p DROP gone, ALTER a TYPE timestamptz, ALTER b TYPE stamp;
DROP DOMAIN number;
COMMIT;
SELECT * FROM lines();
-- those that readers can tell, or that print alike, are not said, nor where all rows come, or there is none
ALTER TABLE p ALTER c TYPE shout, ALTER d TYPE oid, ALTER e TYPE int, ADD f int DEFAULT 6;
ALTER TABLE p ALTER x TYPE text USING upper(x::text);
ALTER TABLE p ALTER d TYPE int, ALTER d SET DEFAULT 1;
CREATE TABLE q (a bigint);
ALTER TABLE q ALTER a TYPE text;
ALTER TABLE q ALTER a TYPE bigint USING a::bigint;
BEGIN;
INSERT INTO q VALUES (1);
TRUNCATE q;
ALTER TABLE q ALTER a TYPE timestamptz;
COMMIT;
SELECT * FROM lines();
-- each step of one transaction
BEGIN;
ALTER TABLE p ALTER e TYPE regclass;
INSERT INTO p (e) VALUES ('pg_class');
ALTER TABLE p ALTER e TYPE oid, ALTER d TYPE oid;
DROP CAST (bigint AS timestamptz);
COMMIT;
SELECT * FROM changes();
DROP TABLE p, q;
DROP DOMAIN stamp;
-- nor where the older type goes with its functions, be it one from before or of this transaction
CREATE CAST (shout AS text) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE EXTENSION isn;
CREATE CAST (ean13 AS bigint) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (txid_snapshot AS pg_snapshot) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE TABLE p (a shout, b isbn13, c isbn13, d txid_snapshot);
INSERT INTO p VALUES ('one', '978-0-393-04002-9', '978-0-393-04002-9', '1:2:');
SELECT count(*) FROM lines();
BEGIN;
ALTER TABLE p ALTER a TYPE text;
DROP TYPE shout CASCADE;
COMMIT;
BEGIN;
CREATE EXTENSION citext;
ALTER TABLE p ALTER a TYPE citext;
INSERT INTO p VALUES ('Two');
ALTER TABLE p ALTER a TYPE text;
DROP EXTENSION citext;
COMMIT;
SELECT * FROM changes();
-- functions that run the same code are alike, a library's others not
ALTER TABLE p ALTER b TYPE ean13, ALTER c TYPE isbn, ALTER d TYPE pg_snapshot;
BEGIN;
ALTER TABLE p ALTER b TYPE bigint;
DROP EXTENSION isn CASCADE;
COMMIT;
SELECT * FROM changes();
DROP TABLE p;
DROP CAST (txid_snapshot AS pg_snapshot);
RESET client_min_messages;
SELECT count(*) FROM lines();

-- materialized views are rewritten all the time
CREATE MATERIALIZED VIEW seen AS SELECT a FROM tt;
REFRESH MATERIALIZED VIEW seen;
SELECT * FROM lines();

-- only the tables that were asked for
DROP MATERIALIZED VIEW seen;
ALTER TABLE tt ALTER a TYPE int;
ALTER TABLE big ALTER a TYPE bigint;
SELECT * FROM rows('tables', 'big');

DROP TABLE tt, big, parted, empty;
SELECT FROM pg_drop_replication_slot('regress');
