-- Which relations have lines, and under which name.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

-- partitions under their own names; a row that moves is deleted and inserted
CREATE TABLE parted (a int PRIMARY KEY, b text) PARTITION BY RANGE (a);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 (b text, gone int, a int NOT NULL);
ALTER TABLE parted_2 DROP gone;
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (10) TO (20);
CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (20) TO (30) PARTITION BY LIST (a);
CREATE TABLE parted_3_x PARTITION OF parted_3 DEFAULT;
INSERT INTO parted VALUES (1, 'one'), (11, 'eleven'), (21, 'deep');
UPDATE parted SET a = 12 WHERE a = 1;
UPDATE parted SET b = 'changed' WHERE a = 11;
TRUNCATE parted;
ALTER TABLE parted DETACH PARTITION parted_1;
INSERT INTO parted_1 VALUES (2, 'alone');
SELECT * FROM changes();

-- inheritance
CREATE TABLE parent (a int PRIMARY KEY);
CREATE TABLE child (b int) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2, 3);
DELETE FROM parent;
SELECT * FROM changes();

-- truncate: several, cascading, with sequences
CREATE TABLE main (a serial PRIMARY KEY);
CREATE TABLE refers (a int REFERENCES main);
CREATE TABLE lone (a int PRIMARY KEY);
INSERT INTO main DEFAULT VALUES;
INSERT INTO refers VALUES (1);
TRUNCATE lone, main RESTART IDENTITY CASCADE;
BEGIN;
INSERT INTO lone VALUES (1);
TRUNCATE lone;
INSERT INTO lone VALUES (2);
TRUNCATE lone;
COMMIT;
SELECT * FROM changes();

-- not these: temporary, unlogged, views of any kind, sequences
CREATE TEMPORARY TABLE passing (a int);
INSERT INTO passing VALUES (1);
CREATE UNLOGGED TABLE unlogged (a int PRIMARY KEY);
INSERT INTO unlogged VALUES (1);
CREATE MATERIALIZED VIEW seen AS SELECT a FROM lone;
CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a;
CREATE UNIQUE INDEX ON kept (a);
REFRESH MATERIALIZED VIEW seen;
REFRESH MATERIALIZED VIEW CONCURRENTLY kept;
CREATE VIEW shown AS SELECT 1;
CREATE SEQUENCE counted;
SELECT nextval('counted');
SELECT * FROM lines();

-- a table made from a query; one that becomes logged comes whole
CREATE TABLE made AS SELECT g AS a FROM generate_series(1, 2) AS g;
ALTER TABLE unlogged SET LOGGED;
INSERT INTO unlogged VALUES (2);
SELECT * FROM changes();

-- the tables of extensions and of other schemas are tables too; TOAST and catalogs are not
CREATE SCHEMA app;
CREATE TABLE app.t (a text);
ALTER TABLE app.t ALTER a SET STORAGE EXTERNAL;
INSERT INTO app.t VALUES (repeat('x', 3000));
SELECT * FROM changes();

DROP SCHEMA app CASCADE;
DROP VIEW shown;
DROP MATERIALIZED VIEW seen, kept;
DROP SEQUENCE counted;
DROP TABLE parted, parted_1, parent, child, main, refers, lone, unlogged, made;
SELECT FROM pg_drop_replication_slot('regress');
