-- Names that could be taken for something else.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

CREATE SCHEMA app;
CREATE SCHEMA "odd, schema/%.-	x";
CREATE TABLE app.t (a int PRIMARY KEY);
CREATE TABLE "odd, schema/%.-	x"."t\able" (a int PRIMARY KEY);
CREATE TABLE "quo""te'd" (a int PRIMARY KEY);
CREATE TABLE "Grüße, %/.
zwei" ("Schlüssel" int PRIMARY KEY);
CREATE TABLE _table (_table int, _action text, _xid text, _schema text, _c text, _s text, _key text, _relid text,
	PRIMARY KEY (_table, _action));
CREATE TABLE "-minus" ("-a" int, "*" int, "b,c" int, "d	e" int, "f\g" int, "%2A" int, "h.i/j" int, "k
l" int, "\N" int);
ALTER TABLE "-minus" ADD PRIMARY KEY ("-a", "*", "b,c", "d	e", "f\g", "%2A", "h.i/j", "k
l", "\N");
CREATE TABLE star ("*" int PRIMARY KEY);

INSERT INTO app.t VALUES (1);
INSERT INTO "odd, schema/%.-	x"."t\able" VALUES (1);
INSERT INTO "quo""te'd" VALUES (1);
INSERT INTO "Grüße, %/.
zwei" VALUES (1);
INSERT INTO _table VALUES (1, 'update', '2', '3', '4', '5', '6', '7');
UPDATE _table SET _action = 'delete';
INSERT INTO "-minus" VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9);
DELETE FROM "-minus";
INSERT INTO star VALUES (1);
ALTER TABLE star REPLICA IDENTITY FULL;
DELETE FROM star;
SELECT * FROM changes();

-- by the same spelling in the option
INSERT INTO app.t VALUES (2);
INSERT INTO "odd, schema/%.-	x"."t\able" VALUES (2);
INSERT INTO "quo""te'd" VALUES (2);
INSERT INTO "Grüße, %/.
zwei" VALUES (2);
INSERT INTO "-minus" VALUES (2, 2, 3, 4, 5, 6, 7, 8, 9);
INSERT INTO star VALUES (2);
CREATE TABLE t (a int PRIMARY KEY);
INSERT INTO t VALUES (2);
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '0', 'tables', 'app.T,quo"te,x');
SELECT l FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '0', 'include-commit', '0', 'include-xids', '0',
	'include-schema', '0', 'tables', 'odd%2C schema%2F%25%2E-%09x.t\able,Grüße%2C %25%2F%2E%0Azwei') AS r (lsn, xid, l);
SELECT * FROM rows('tables', '%2Dminus,app.t,quo"te''d');

-- as long as they may be
SELECT format('CREATE TABLE %I (%I int PRIMARY KEY)', repeat('é', 31) || 'x', repeat(',', 63)) \gexec
SELECT format('INSERT INTO %I VALUES (1)', repeat('é', 31) || 'x') \gexec
SELECT * FROM changes('tables', repeat('é', 31) || 'x');
SELECT format('DROP TABLE %I', repeat('é', 31) || 'x') \gexec

DROP TABLE app.t, "odd, schema/%.-	x"."t\able", "quo""te'd", "Grüße, %/.
zwei", _table, "-minus", star, t;
DROP SCHEMA app, "odd, schema/%.-	x";
SELECT FROM pg_drop_replication_slot('regress');
