-- An error in the middle of it leaves nothing behind for the next use in the same session.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

-- A type that cannot print what it holds.
CREATE TYPE broken;
SET client_min_messages = error;
CREATE FUNCTION broken_in(cstring) RETURNS broken LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION broken_out(broken) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'enum_out';
RESET client_min_messages;
CREATE TYPE broken (INPUT = broken_in, OUTPUT = broken_out, LIKE = int4);
CREATE TABLE fine (a int PRIMARY KEY);
CREATE TABLE bad (a int PRIMARY KEY, b broken);
INSERT INTO fine VALUES (1);
INSERT INTO bad VALUES (1, '5');
INSERT INTO fine VALUES (2);

-- the error names the place
CREATE FUNCTION try() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	context text;
BEGIN
	PERFORM * FROM pg_logical_slot_get_changes('regress', NULL, NULL);
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT;
	RETURN message || E'\n' || regexp_replace(split_part(context, E'\nSQL', 1), 'LSN \S+', 'LSN L');
END
$$;
SET datestyle = 'German';
SELECT try();
SELECT try();
SHOW datestyle;
\set VERBOSITY terse
SELECT * FROM lines();

-- what the server says about catalogs now finds nobody
ALTER TABLE fine ADD b int;
ALTER TABLE bad ADD c int;
ANALYZE fine;
CREATE SCHEMA app;
ALTER SCHEMA app RENAME TO app2;
DROP SCHEMA app2;
INSERT INTO fine VALUES (3, 4);

-- the way around it
SELECT * FROM lines('tables', 'fine');
INSERT INTO fine VALUES (5, 6);
BEGIN;
INSERT INTO fine VALUES (7, 8);
SELECT * FROM lines();
SAVEPOINT s;
SELECT try();
ALTER TABLE fine ADD c int;
ROLLBACK TO s;
COMMIT;
SELECT * FROM lines();

RESET datestyle;
DROP FUNCTION try;
DROP TABLE fine, bad;
DROP TYPE broken CASCADE;
SELECT FROM pg_drop_replication_slot('regress');
