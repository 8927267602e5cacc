-- When schema lines come, and what they say.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

-- not again for what changes nothing
CREATE TABLE t (a int PRIMARY KEY, b text);
INSERT INTO t VALUES (1, 'x');
ANALYZE t;
VACUUM t;
CREATE INDEX t_b ON t (b);
COMMENT ON TABLE t IS 'a table';
ALTER TABLE t ALTER b SET DEFAULT 'y', ADD CHECK (a > 0);
INSERT INTO t VALUES (2);
SELECT * FROM changes();

-- but for each thing that it tells: within a transaction and between two
BEGIN;
INSERT INTO t VALUES (3);
ALTER TABLE t ADD c int;
INSERT INTO t VALUES (4, 'x', 5);
ALTER TABLE t RENAME b TO bb;
INSERT INTO t VALUES (5);
ALTER TABLE t ALTER bb SET NOT NULL;
INSERT INTO t VALUES (6);
COMMIT;
ALTER TABLE t DROP c;
INSERT INTO t VALUES (7);
ALTER TABLE t ALTER bb TYPE varchar(100);
INSERT INTO t VALUES (8);
ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (bb, a);
DELETE FROM t WHERE a = 8;
SELECT * FROM changes('skip-nulls', 'true');

-- the value of rows that were there before their column
ALTER TABLE t ADD plain int DEFAULT 5, ADD tricky text DEFAULT E'tab\t slash\\ \\N', ADD flag boolean DEFAULT true,
	ADD empty text DEFAULT '', ADD list int[] DEFAULT '{1,2}', ADD at timestamptz DEFAULT '2017-10-09 00:00+00', ADD none int DEFAULT NULL;
INSERT INTO t (a) VALUES (9);
UPDATE t SET bb = 'z' WHERE a = 1;
SELECT * FROM changes();
-- gone once the table was rewritten
ALTER TABLE t ALTER plain TYPE bigint;
INSERT INTO t (a) VALUES (10);
SELECT * FROM changes() LIMIT 1;

-- renamed: the table, its schema, a column's type, the type's schema
CREATE SCHEMA one;
CREATE TYPE one.kind AS ENUM ('a', 'b');
CREATE TABLE one.named (a int PRIMARY KEY, k one.kind);
INSERT INTO one.named VALUES (1, 'a');
ALTER TABLE one.named RENAME TO renamed;
INSERT INTO one.renamed VALUES (2, 'a');
ALTER SCHEMA one RENAME TO two;
INSERT INTO two.renamed VALUES (3, 'a');
ALTER TYPE two.kind RENAME TO sort;
INSERT INTO two.renamed VALUES (4, 'a');
ALTER TABLE two.renamed SET SCHEMA public;
INSERT INTO renamed VALUES (5, 'a');
ALTER TYPE two.sort SET SCHEMA public;
ALTER TYPE sort RENAME VALUE 'b' TO 'c';
INSERT INTO renamed VALUES (6, 'c');
SELECT * FROM changes();

-- another table under the name: dropped and made again
DROP TABLE renamed;
CREATE TABLE u (a int PRIMARY KEY);
INSERT INTO u VALUES (1);
DROP TABLE u;
CREATE TABLE u (a int PRIMARY KEY);
INSERT INTO u VALUES (2);
DROP TABLE u;
CREATE TABLE u (a int PRIMARY KEY, b int);
INSERT INTO u VALUES (3);
SELECT * FROM changes();

-- two that change names; the same definition comes again when its name was another's in between
CREATE TABLE v (a int PRIMARY KEY, b int);
INSERT INTO u VALUES (4);
INSERT INTO v VALUES (4);
ALTER TABLE u RENAME TO w;
ALTER TABLE v RENAME TO u;
ALTER TABLE w RENAME TO v;
INSERT INTO u VALUES (5);
INSERT INTO v VALUES (5);
BEGIN;
ALTER TABLE u RENAME TO aside;
CREATE TABLE u (a int PRIMARY KEY, b int);
INSERT INTO u VALUES (6);
DROP TABLE u;
ALTER TABLE aside RENAME TO u;
INSERT INTO u VALUES (7);
COMMIT;
INSERT INTO u VALUES (8);
INSERT INTO v VALUES (8);
SELECT regexp_replace(data, '_xid\t\d+', E'_xid\tN') ~ '_action\tschema' AS schema,
	substring(data FROM '_table\t(\w+)'), substring(data FROM '\ta\t(\d+)'),
	dense_rank() OVER (ORDER BY substring(data FROM '_relid\t(\d+)')::oid)
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '0', 'include-commit', 'false') WITH ORDINALITY
	ORDER BY ordinality;
SELECT * FROM changes();

-- rolled back: nothing has happened
BEGIN;
ALTER TABLE u ADD c int;
INSERT INTO u VALUES (9, 9, 9);
ROLLBACK;
INSERT INTO u VALUES (10);
BEGIN;
SAVEPOINT s;
ALTER TABLE u ADD c int;
INSERT INTO u VALUES (11, 11, 11);
ROLLBACK TO s;
INSERT INTO u VALUES (12);
COMMIT;
SELECT * FROM changes();

-- domains tell what they are made of
CREATE DOMAIN word AS varchar(7) NOT NULL;
CREATE DOMAIN longword AS word;
CREATE TABLE x (a word PRIMARY KEY, b longword, c word[], d numeric(6, 2), e bit varying(5), f "char", g char);
INSERT INTO x VALUES ('a', 'b', '{c}');
SELECT * FROM changes();

-- a table without columns
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
SELECT * FROM changes();

DROP TABLE t, u, v, x, nothing;
DROP DOMAIN longword, word;
DROP TYPE sort;
DROP SCHEMA two;
SELECT FROM pg_drop_replication_slot('regress');
