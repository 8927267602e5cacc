-- What can be asked for.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

CREATE TABLE zzz (a text PRIMARY KEY, b text);
CREATE TABLE flags (a int PRIMARY KEY, b boolean, c text DEFAULT 'x');
INSERT INTO zzz VALUES ('fox49', NULL);
UPDATE zzz SET a = 'fox61', b = 'hen62';
UPDATE zzz SET b = NULL;
DELETE FROM zzz;
INSERT INTO flags VALUES (1, true, NULL), (2, false, '');
ALTER TABLE flags ADD d boolean DEFAULT true;
INSERT INTO flags VALUES (3, NULL, NULL);

CREATE FUNCTION look(VARIADIC options text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT regexp_replace(regexp_replace(data, 'time\t.*', E'time\tT'), 'lsn\t\S*', E'lsn\tL')
	FROM (SELECT regexp_replace(regexp_replace(data, '_relid\t\d+', E'_relid\tOID'), '_xid\t\d+', E'_xid\tN') AS data
		FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC ARRAY['batch-bytes', '0'] || options)) AS l
$$;

-- the first format
SELECT * FROM look('skip-nulls', 'true', 'include-commit', 'false', 'include-schema', 'false', 'tables', 'zzz');
-- each on its own
SELECT * FROM look();
SELECT * FROM look('include-xids', 'false');
SELECT * FROM look('include-commit', 'false', 'include-schema', 'false', 'skip-nulls', 'on');
SELECT * FROM look('include-commit', 'off', 'include-schema', 'no', 'null', 'NIL');
SELECT * FROM look('include-commit', '0', 'include-schema', 'f', 'null', '');
SELECT * FROM look('include-commit', 'off', 'convert-bool', 'false', 'tables', 'flags');
SELECT * FROM look('include-commit', 'off', 'include-schema', 'off', 'tables', 'zzz,zzz,none,other.zzz');
SELECT * FROM look('include-commit', 'off', 'include-schema', 'off', 'tables', 'none', 'tables', 'zzz');
SELECT count(*) FROM look('only-local', 'true', 'batch-bytes', '268435456');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch-bytes', '1');

-- errors name the option, and what is right
\set SHOW_CONTEXT never
SELECT * FROM look('include-xid', 'true');
SELECT * FROM look('', '');
SELECT * FROM look('skip-nulls', 'maybe');
SELECT * FROM look('include-schema', '');
SELECT * FROM look('batch-bytes', '');
SELECT * FROM look('batch-bytes', '-1');
SELECT * FROM look('batch-bytes', '64kB');
SELECT * FROM look('batch-bytes', '268435457');
SELECT * FROM look('batch-bytes', '99999999999999999999');
SELECT * FROM look('null', E'a\tb');
SELECT * FROM look('tables', '');
SELECT * FROM look('tables', 'a,');
SELECT * FROM look('tables', 'a,,b');
SELECT * FROM look('tables', 'a.b.c');
SELECT * FROM look('tables', 'public.a');
SELECT * FROM look('tables', '.a');
SELECT * FROM look('tables', 'a.');
SELECT * FROM look('tables', '-a');
SELECT * FROM look('tables', 'a/b');
SELECT * FROM look('tables', 'a%2');
SELECT * FROM look('tables', 'a%00');
SELECT * FROM look('tables', 'a%2c');
SELECT * FROM look('tables', 'a%41');
SELECT * FROM look('tables', repeat('a', 64));
SELECT * FROM look('tables', repeat('a', 300));
SELECT count(*) FROM look('tables', repeat('a', 63));

DROP FUNCTION look;
DROP TABLE zzz, flags;
SELECT FROM pg_drop_replication_slot('regress');
