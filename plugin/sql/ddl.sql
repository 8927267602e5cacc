-- What changes a definition and no row is told at the end of its transaction.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

-- made, changed, dropped
CREATE TABLE t (a int PRIMARY KEY);
ALTER TABLE t ADD b text DEFAULT 'x';
ALTER TABLE t RENAME b TO c;
ALTER TABLE t RENAME TO u;
DROP TABLE u;
SELECT * FROM lines();

-- what tells nothing: temporary, unlogged, views, sequences, partitioned ones, what does not last
CREATE TEMPORARY TABLE temporary (a int PRIMARY KEY);
DROP TABLE temporary;
CREATE UNLOGGED TABLE unlogged (a int PRIMARY KEY);
ALTER TABLE unlogged ADD b int;
DROP TABLE unlogged;
CREATE VIEW v AS SELECT 1 AS a;
DROP VIEW v;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
DROP MATERIALIZED VIEW m;
CREATE SEQUENCE s;
DROP SEQUENCE s;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
DROP FUNCTION f;
BEGIN;
CREATE TABLE t (a int PRIMARY KEY);
ALTER TABLE t ADD b int;
DROP TABLE t;
COMMIT;
BEGIN;
CREATE TABLE t (a int PRIMARY KEY);
ROLLBACK;
SELECT * FROM lines();

-- ... and what the first format did not have
CREATE TABLE t (a int PRIMARY KEY);
SELECT * FROM rows();
ALTER TABLE t ADD b int;
DROP TABLE t;
SELECT * FROM rows();

-- one with rows, made and dropped in one transaction
BEGIN;
CREATE TABLE t (a int PRIMARY KEY);
INSERT INTO t VALUES (1);
DROP TABLE t;
COMMIT;
SELECT * FROM changes();

-- a name that another table takes: dropped and made again, renamed into place, exchanged, handed on
CREATE TABLE t (a int PRIMARY KEY);
CREATE TABLE u (b int PRIMARY KEY);
SELECT count(*) FROM changes();
BEGIN;
DROP TABLE t;
CREATE TABLE t (c int PRIMARY KEY);
INSERT INTO t VALUES (1);
COMMIT;
SELECT * FROM changes();
BEGIN;
DROP TABLE t;
ALTER TABLE u RENAME TO t;
COMMIT;
SELECT * FROM changes();
CREATE TABLE u (d int PRIMARY KEY);
SELECT count(*) FROM changes();
BEGIN;
ALTER TABLE t RENAME TO aside;
ALTER TABLE u RENAME TO t;
ALTER TABLE aside RENAME TO u;
INSERT INTO t VALUES (1);
COMMIT;
SELECT * FROM changes();
BEGIN;
ALTER TABLE t RENAME TO aside;
CREATE TABLE t (e int PRIMARY KEY);
INSERT INTO t VALUES (1);
DROP TABLE aside;
COMMIT;
SELECT * FROM changes();
BEGIN;
ALTER TABLE t RENAME TO v;
INSERT INTO v VALUES (2);
DROP TABLE v;
COMMIT;
SELECT * FROM changes();
DROP TABLE u;
SELECT count(*) FROM changes();

-- schemas
CREATE SCHEMA one;
CREATE TYPE one.kind AS ENUM ('a', 'b');
CREATE TABLE one.t (a int PRIMARY KEY, k one.kind);
CREATE TABLE one.u (a int PRIMARY KEY);
CREATE TABLE other (a int PRIMARY KEY, k one.kind, l one.kind[]);
SELECT count(*) FROM changes();
ALTER SCHEMA one RENAME TO two;
SELECT * FROM changes();
ALTER TABLE two.u SET SCHEMA public;
SELECT * FROM changes();
BEGIN;
DROP SCHEMA two CASCADE;
CREATE SCHEMA two;
CREATE TABLE two.t (a int PRIMARY KEY, b int);
INSERT INTO two.t VALUES (1, 2);
COMMIT;
SELECT * FROM changes();
DROP SCHEMA two CASCADE;
SELECT * FROM changes();
DROP TABLE u, other;
SELECT * FROM changes();

-- types: renamed, moved, domains over them, arrays of them
CREATE TYPE pair AS (x int, y int);
CREATE DOMAIN word AS text;
CREATE DOMAIN longword AS word;
CREATE TABLE t (a int PRIMARY KEY, p pair, w word, l longword, ws word[]);
CREATE TABLE u (a int PRIMARY KEY);
SELECT count(*) FROM changes();
ALTER TYPE pair RENAME TO point2;
SELECT * FROM changes();
ALTER DOMAIN word RENAME TO token;
SELECT * FROM changes();
ALTER DOMAIN token ADD CHECK (value <> '');
DROP TABLE t;
DROP DOMAIN longword, token;
DROP TYPE point2;
SELECT count(*) FROM changes();

-- an enum's labels: a renamed one keeps its number
CREATE TYPE kind AS ENUM ('a', 'b,c', E'tab\t');
CREATE DOMAIN sort AS kind;
CREATE TABLE t (a int PRIMARY KEY, k kind, s sort, l kind[]);
SELECT * FROM changes();
ALTER TYPE kind ADD VALUE 'ab' AFTER 'a';
SELECT * FROM changes();
BEGIN;
INSERT INTO t VALUES (1, 'a', 'a', '{a}');
ALTER TYPE kind RENAME VALUE 'a' TO 'z';
INSERT INTO t VALUES (2, 'z', 'z', '{z}');
COMMIT;
SELECT * FROM changes();
ALTER TYPE kind RENAME VALUE 'z' TO 'a';
SELECT * FROM changes();
DROP TABLE t;
DROP DOMAIN sort;
DROP TYPE kind;
SELECT count(*) FROM changes();

-- what composites, arrays and ranges are made of
CREATE TYPE kind AS ENUM ('a', 'b');
CREATE TYPE pair AS (x int, k kind);
CREATE TYPE kinds AS RANGE (subtype = kind);
CREATE DOMAIN list AS kind[];
CREATE TABLE t (a int PRIMARY KEY, p pair, ps pair[], l list, r kinds);
SELECT * FROM changes();
ALTER TYPE kind RENAME VALUE 'a' TO 'c';
SELECT * FROM changes();
BEGIN;
INSERT INTO t (a, p) VALUES (1, '(1,b)');
ALTER TYPE pair ADD ATTRIBUTE y int;
INSERT INTO t (a, p) VALUES (2, '(1,b,2)');
ALTER TYPE pair DROP ATTRIBUTE x;
COMMIT;
SELECT * FROM changes();
DROP TABLE t;
DROP TYPE kind CASCADE;
DROP TYPE pair;
SELECT count(*) FROM changes();

-- the key and the replica identity
ALTER TABLE u REPLICA IDENTITY FULL;
SELECT * FROM changes();
ALTER TABLE u REPLICA IDENTITY NOTHING;
SELECT * FROM changes();
ALTER TABLE u ADD b int NOT NULL, ADD c int NOT NULL;
CREATE UNIQUE INDEX u_b ON u (b);
CREATE UNIQUE INDEX u_c ON u (c);
SELECT count(*) FROM changes();
ALTER TABLE u REPLICA IDENTITY USING INDEX u_b;
SELECT * FROM changes();
ALTER TABLE u REPLICA IDENTITY USING INDEX u_c;
SELECT * FROM changes();
DROP INDEX u_c;
SELECT * FROM changes();
ALTER TABLE u REPLICA IDENTITY DEFAULT;
SELECT * FROM changes();
ALTER TABLE u DROP CONSTRAINT u_pkey;
SELECT * FROM changes();
ALTER TABLE u ADD PRIMARY KEY USING INDEX u_b;
SELECT * FROM changes();
DROP TABLE u;

-- unlogged is gone for readers; logged again it comes with its rows
CREATE TABLE t (a int PRIMARY KEY);
INSERT INTO t VALUES (1), (2);
SELECT count(*) FROM changes();
ALTER TABLE t SET UNLOGGED;
INSERT INTO t VALUES (3);
SELECT * FROM changes();
ALTER TABLE t SET LOGGED;
SELECT * FROM changes();
DROP TABLE t;

-- partitions
CREATE TABLE p (a int PRIMARY KEY, b text) PARTITION BY RANGE (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 (b text, a int NOT NULL);
SELECT * FROM changes();
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
SELECT * FROM changes();
ALTER TABLE p ADD c int;
SELECT * FROM changes();
ALTER TABLE p DETACH PARTITION p1;
DROP TABLE p;
SELECT * FROM changes();
DROP TABLE p1;
SELECT * FROM changes();

-- a list of tables: renamed out of it and into it
CREATE TABLE t (a int PRIMARY KEY);
CREATE TABLE u (a int PRIMARY KEY);
SELECT * FROM changes('tables', 't');
ALTER TABLE t RENAME TO v;
SELECT * FROM changes('tables', 't');
ALTER TABLE u RENAME TO t;
SELECT * FROM changes('tables', 't');
DROP TABLE v;
SELECT * FROM changes('tables', 't');
-- within a transaction, changed under the other name
BEGIN;
ALTER TABLE t RENAME TO v;
INSERT INTO v VALUES (1);
ALTER TABLE v RENAME TO t;
INSERT INTO t VALUES (2);
COMMIT;
BEGIN;
ALTER TABLE t RENAME TO v;
TRUNCATE v;
ALTER TABLE v RENAME TO t;
COMMIT;
SELECT * FROM changes('tables', 't');
-- not changed, or emptied, or changed so that all rows come
BEGIN;
ALTER TABLE t RENAME TO v;
ALTER TABLE v RENAME TO t;
INSERT INTO t VALUES (3);
COMMIT;
ALTER TABLE t RENAME TO v;
BEGIN;
ALTER TABLE v RENAME TO t;
TRUNCATE t;
INSERT INTO t VALUES (4);
COMMIT;
ALTER TABLE t RENAME TO v;
BEGIN;
ALTER TABLE v RENAME TO t;
ALTER TABLE t ALTER a TYPE bigint;
INSERT INTO t VALUES (5);
COMMIT;
SELECT * FROM changes('tables', 't');
-- emptied, and then changed under the other name
BEGIN;
TRUNCATE t;
ALTER TABLE t RENAME TO v;
INSERT INTO v VALUES (6);
ALTER TABLE v RENAME TO t;
COMMIT;
SELECT * FROM changes('tables', 't');
-- made under it, without a row and with one
DROP TABLE t;
BEGIN;
CREATE TABLE u (a int PRIMARY KEY);
ALTER TABLE u RENAME TO t;
INSERT INTO t VALUES (1);
COMMIT;
BEGIN;
DROP TABLE t;
CREATE TABLE u (a int PRIMARY KEY);
INSERT INTO u VALUES (1);
ALTER TABLE u RENAME TO t;
INSERT INTO t VALUES (2);
COMMIT;
SELECT * FROM changes('tables', 't');
-- unlogged, it has rows that come
ALTER TABLE t SET UNLOGGED;
INSERT INTO t VALUES (3);
ALTER TABLE t SET LOGGED;
SELECT * FROM changes('tables', 't');
-- the first format has no such line
ALTER TABLE t RENAME TO v;
INSERT INTO v VALUES (4);
ALTER TABLE v RENAME TO t;
INSERT INTO t VALUES (5);
SELECT * FROM rows('tables', 't');
DROP TABLE t;
SELECT * FROM changes('tables', 't');
-- into and out of the schema that is left out
CREATE SCHEMA daystream;
CREATE TABLE t (a int PRIMARY KEY);
ALTER TABLE t SET SCHEMA daystream;
INSERT INTO daystream.t VALUES (1);
ALTER SCHEMA daystream RENAME TO other;
CREATE SCHEMA daystream;
ALTER TABLE other.t SET SCHEMA daystream;
INSERT INTO daystream.t VALUES (2);
ALTER TABLE daystream.t SET SCHEMA public;
INSERT INTO t VALUES (3);
DROP TABLE t;
DROP SCHEMA other;
SELECT * FROM changes();
DROP SCHEMA daystream;

-- what was renamed by another transaction meanwhile
CREATE TABLE t (a int PRIMARY KEY);
CREATE TABLE u (a int PRIMARY KEY);
SELECT count(*) FROM changes();
BEGIN;
SAVEPOINT s;
ALTER TABLE t ADD b int;
ROLLBACK TO s;
SAVEPOINT s;
DROP TABLE t;
RELEASE s;
ALTER TABLE u ADD c int;
COMMIT;
SELECT * FROM changes();

-- moved on disk, only
VACUUM FULL u;
CLUSTER u USING u_pkey;
TRUNCATE u;
SELECT * FROM rows();
SELECT * FROM changes() WITH ORDINALITY;
DROP TABLE u;

-- all of it in one session, which knows what it has sent
SELECT count(*) FROM changes();
CREATE TABLE t (a int PRIMARY KEY);
ANALYZE t;
CREATE INDEX t_a ON t (a);
COMMENT ON TABLE t IS 'a table';
ALTER TABLE t RENAME TO u;
CREATE TABLE t (a int PRIMARY KEY);
INSERT INTO u VALUES (1);
DROP TABLE u;
ALTER TABLE t RENAME TO u;
DROP TABLE u;
SELECT * FROM changes();

DROP SCHEMA IF EXISTS two;
SELECT FROM pg_drop_replication_slot('regress');
