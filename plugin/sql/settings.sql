-- A session's settings change nothing, and stay what they were.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

CREATE SCHEMA app;
CREATE TYPE app.kind AS ENUM ('a');
CREATE TYPE kind AS ENUM ('a');
CREATE TABLE t (a timestamptz, b interval, c float8, d bytea, e date, f regclass, g money, h app.kind, i kind, j text);
INSERT INTO t VALUES ('2017-10-09 00:00+00', '1 day 02:03', 1.0::float8 / 3, '\x00ff', '2017-10-09', 't', 12.5, 'a', 'a', 'j');

SET datestyle = 'German, DMY';
SET timezone = 'Asia/Kolkata';
SET intervalstyle = 'sql_standard';
SET extra_float_digits = -15;
SET bytea_output = 'escape';
SET search_path = 'app', 'public';
SET quote_all_identifiers = on;
SELECT * FROM lines();

SELECT name, setting, source FROM pg_settings WHERE name IN ('DateStyle', 'TimeZone', 'IntervalStyle', 'extra_float_digits',
	'bytea_output', 'search_path', 'quote_all_identifiers') ORDER BY name COLLATE "C";
SELECT a, b, c, d, e, f, h, i FROM public.t;

-- also within a transaction that has set its own, and after an error
BEGIN;
SET LOCAL datestyle = 'SQL, MDY';
INSERT INTO public.t (a, e) VALUES ('2017-10-09 00:00+00', '10/09/2017');
SELECT * FROM rows();
SHOW datestyle;
SAVEPOINT s;
\set SHOW_CONTEXT never
SELECT * FROM rows('none', 'such');
ROLLBACK TO s;
SHOW datestyle;
SHOW timezone;
COMMIT;
SHOW datestyle;
SELECT * FROM rows('skip-nulls', 'true');

RESET ALL;
DROP TABLE t;
DROP TYPE kind, app.kind;
DROP SCHEMA app;
SELECT FROM pg_drop_replication_slot('regress');
