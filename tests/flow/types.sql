-- Tables with a column of every type that a column can have, and hard values: types_1, types_2, ... with the key k.
-- What stands in `sample` is an SQL expression; arrays, domains and the rows of catalogs follow from it.
-- fill_types() and change_types() bring rows. Types without a value are left in types_without_sample.

SET client_min_messages = warning;
CREATE SCHEMA samples;
SET search_path = public, samples;
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('sad', 'so, so', 'it''s "fine"\', '', 'ü');
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN evenint AS posint CHECK (VALUE % 2 = 0);
CREATE DOMAIN ints AS int[];
CREATE DOMAIN flag AS bool;
CREATE DOMAIN octets AS bytea;
CREATE DOMAIN ratio AS float8;
CREATE TYPE pair AS (a int, "b c" text, m mood);
CREATE TYPE nested AS (p pair, q pair[], d numeric);
CREATE DOMAIN somepair AS pair;
CREATE TYPE moodrange AS RANGE (subtype = mood);
CREATE TYPE textrange AS RANGE (subtype = text);

CREATE UNLOGGED TABLE samples.sample (type regtype, expression text);
INSERT INTO sample SELECT type::regtype, quote_literal(value) FROM (VALUES
	('bool', ARRAY['true', 'false']),
	('flag', ARRAY['true', 'false']),
	('"char"', ARRAY['a', '', '\', E'\t', '~', ',']),
	('name', ARRAY['x', '', 'a name with "quotes" and \', repeat('n', 63)]),
	('int2', ARRAY['0', '-32768', '32767']),
	('int4', ARRAY['0', '-2147483648', '2147483647']),
	('int8', ARRAY['0', '-9223372036854775808', '9223372036854775807']),
	('posint', ARRAY['1', '2147483647']),
	('evenint', ARRAY['2', '2147483646']),
	('oid', ARRAY['0', '4294967295', '2147483648']),
	('float4', ARRAY['0', '-0', 'NaN', 'Infinity', '-Infinity', '1e-45', '3.4028235e38', '0.1', '1.1754944e-38']),
	('float8', ARRAY['0', '-0', 'NaN', 'Infinity', '-Infinity', '5e-324', '-5e-324', '1.7976931348623157e308', '0.1',
		'2.2250738585072011e-308', '9007199254740993', '1e15', '123456789012345678']),
	('ratio', ARRAY['-0', 'NaN', '0.30000000000000004']),
	('numeric', ARRAY['0', '0.00', 'NaN', 'Infinity', '-Infinity', '1.50', '-1.5e-20', '9007199254740993', '1e400',
		repeat('1234567890', 100), '0.' || repeat('1234567890', 100), '-' || repeat('9', 700) || '.' || repeat('1', 300)]),
	('money', ARRAY['0', '-92233720368547758.08', '92233720368547758.07', '1234.5']),
	('text', ARRAY['', ' ', 'x', '\N', 'NULL', E'\\', E'tab\tnew\nline\rreturn\bback\fform\vvert', 'äöü € 𝄞 ' || chr(1114109),
		'e' || chr(769), chr(65279) || 'bom', (SELECT string_agg(chr(i), '') FROM generate_series(1, 160) i), '%s %n ''"`$(x)', repeat('long ', 3000)]),
	('varchar', ARRAY['', 'x ', E'\t']),
	('bpchar', ARRAY['', 'x', 'x  ', ' x']),
	('citext', ARRAY['', 'MiXed', 'mixed']),
	('bytea', ARRAY['\x', '\x00', '\x00ff0a5c09', '\x5c4e', '\xdeadbeef']),
	('octets', ARRAY['\x', '\x00ff']),
	('json', ARRAY['null', '{"a" : [1, 2.50, "x\ty\u0041"],  "a": 2 }', '""', ' 1 ']),
	('jsonb', ARRAY['null', '{"b": [1, 2.50, "x\ty"], "a": {"c": null}}', '1e400', '"\\"', '[]']),
	('jsonpath', ARRAY['$', 'lax $."a b"[*] ? (@ > 1 && @.x like_regex "^\\d")', 'strict $.a']),
	('xml', ARRAY['', '<a b="c">&amp; <!-- x --></a>', 'text', '<?xml version="1.0"?><r/>']),
	('uuid', ARRAY['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']),
	('date', ARRAY['epoch', 'infinity', '-infinity', '4713-01-01 BC', '5874897-12-31', '0001-01-01', '2024-02-29']),
	('time', ARRAY['00:00', '24:00', '23:59:59.999999', '12:34:56.1']),
	('timetz', ARRAY['00:00+00', '24:00-12', '23:59:59.999999+15:59:59', '12:34:56.1-00:30']),
	('timestamp', ARRAY['epoch', 'infinity', '-infinity', '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999', '2024-02-29 12:00:00.000001']),
	('timestamptz', ARRAY['epoch', 'infinity', '-infinity', '4713-01-02 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', '2024-06-30 12:00:00.5+05:30']),
	('interval', ARRAY['0', '178000000 years', '-178000000 years', '1 mon -1 days +00:00:00.000001', '-1 year 2 mons -3 days 04:05:06.789']),
	('inet', ARRAY['0.0.0.0', '192.168.1.1/24', '::', 'fe80::1/64', '::ffff:1.2.3.4']),
	('cidr', ARRAY['0.0.0.0/0', '10.0.0.0/8', '::/0', '2001:db8::/32']),
	('macaddr', ARRAY['00:00:00:00:00:00', 'ff:ff:ff:ff:ff:fe']),
	('macaddr8', ARRAY['00:00:00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff:ff:fe']),
	('bit', ARRAY['0', '1']),
	('varbit', ARRAY['', '0', '1010101010101010101010101']),
	('point', ARRAY['(0,-0)', '(NaN,Infinity)', '(0.1,1e-300)']),
	('lseg', ARRAY['[(0,0),(1,1)]', '[(-1e300,0),(Infinity,1)]']),
	('line', ARRAY['{1,-1,0}', '{0,1,-0.5}']),
	('box', ARRAY['(1,1),(0,0)', '(Infinity,1),(-Infinity,0)']),
	('path', ARRAY['[(0,0),(1,1)]', '((0,0),(1,1),(2,0))']),
	('polygon', ARRAY['((0,0),(1,1),(2,0))', '((0,0))']),
	('circle', ARRAY['<(0,0),1>', '<(1.5,-2),0>']),
	('tsvector', ARRAY['', 'a:1A fat:2B,4C ''it''''s'':3', '''sp ace'' ''back\\slash''']),
	('tsquery', ARRAY['', '''fat'' & ( ''rat'':*A | !''cat'' ) <2> ''dog''']),
	('pg_lsn', ARRAY['0/0', 'FFFFFFFF/FFFFFFFF', '16/B374D848']),
	('xid', ARRAY['0', '4294967295']),
	('xid8', ARRAY['0', '18446744073709551615']),
	('cid', ARRAY['0', '4294967295']),
	('tid', ARRAY['(0,0)', '(4294967295,65535)']),
	('int2vector', ARRAY['', '1', '-1 2 32767']),
	('oidvector', ARRAY['', '1', '4294967295 0']),
	('refcursor', ARRAY['', 'a cursor']),
	('aclitem', ARRAY['=r/postgres', 'postgres=arwdDxt/postgres', 'postgres=r*w/postgres']),
	('regclass', ARRAY['-', 'pg_class', '4294967295']),
	('regtype', ARRAY['-', 'integer', 'timestamp with time zone', 'mood']),
	('regproc', ARRAY['-', 'now', 'pg_catalog.int4in']),
	('regprocedure', ARRAY['-', 'abs(integer)']),
	('regoper', ARRAY['0', 'pg_catalog.||/']),
	('regoperator', ARRAY['0', '+(integer,integer)', '!!(NONE,tsquery)']),
	('regrole', ARRAY['-', 'postgres']),
	('regnamespace', ARRAY['-', 'public']),
	('regcollation', ARRAY['-', '"C"', '"POSIX"']),
	('regconfig', ARRAY['-', 'simple']),
	('regdictionary', ARRAY['-', 'simple']),
	('pg_snapshot', ARRAY['1:1:', '10:20:10,14,15']),
	('txid_snapshot', ARRAY['1:1:', '10:20:10,14,15']),
	('int4range', ARRAY['empty', '[1,10)', '(,)', '[5,]']),
	('int8range', ARRAY['empty', '[-9223372036854775808,9223372036854775807)', '(,)']),
	('numrange', ARRAY['empty', '[1.50,2.0]', '(-Infinity,Infinity)', '[NaN,NaN]']),
	('tsrange', ARRAY['empty', '["2024-01-01 00:00:00",infinity)', '[-infinity,]']),
	('tstzrange', ARRAY['empty', '["2024-01-01 00:00:00+02","2024-01-01 00:00:00.000001+00"]']),
	('daterange', ARRAY['empty', '[2024-01-01,2024-12-31]', '[infinity,infinity]']),
	('moodrange', ARRAY['empty', '[sad,"so, so"]', '["",)']),
	('textrange', ARRAY['empty', '["",a]', E'["a,b","c\\"d\\\\]"]', '(,)']),
	('int4multirange', ARRAY['{}', '{[1,3),[5,9)}', '{(,)}']),
	('int8multirange', ARRAY['{}', '{[1,3),[5,9)}']),
	('nummultirange', ARRAY['{}', '{[1.50,2.0],(3,)}']),
	('tsmultirange', ARRAY['{}', '{["2024-01-01 00:00:00","2024-01-02 00:00:00")}']),
	('tstzmultirange', ARRAY['{}', '{["2024-01-01 00:00:00+02",)}']),
	('datemultirange', ARRAY['{}', '{[2024-01-01,2024-01-31],[2024-03-01,]}']),
	('moodmultirange', ARRAY['{}', '{[sad,"so, so"]}']),
	('textmultirange', ARRAY['{}', '{[a,b],["c d","e,f"]}']),
	('mood', ARRAY['sad', 'so, so', 'it''s "fine"\', '', 'ü']),
	('ints', ARRAY['{}', '{1,NULL,-3}', '[0:1]={7,8}', '{{1,2},{3,4}}']),
	('pair', ARRAY['(,,)', '(1,"",sad)', '(2,"a ""b"" \\ (c),",ü)']),
	('somepair', ARRAY['(,,)', '(1,x,sad)']),
	('nested', ARRAY['(,,)', '("(1,x,sad)","{""(2,y,sad)"",NULL}",1.50)']),
	('hstore', ARRAY['', '"a"=>"1", "b c"=>NULL, "q\"uo\\te"=>"x=>y"'])
) AS of (type, samples), unnest(samples) value;

-- Types without an input function: their values stand in the catalogs.
CREATE UNLOGGED TABLE samples.correlated (a int, b int);
INSERT INTO correlated SELECT i % 10, i % 5 FROM generate_series(1, 1000) i;
CREATE STATISTICS correlated_stat ON a, b FROM correlated;
ANALYZE correlated;
INSERT INTO sample VALUES
	('pg_node_tree', '(SELECT ev_action FROM pg_rewrite ORDER BY oid LIMIT 1)'),
	('pg_ndistinct', '(SELECT stxdndistinct FROM pg_statistic_ext_data LIMIT 1)'),
	('pg_dependencies', '(SELECT stxddependencies FROM pg_statistic_ext_data LIMIT 1)'),
	('pg_mcv_list', '(SELECT stxdmcv FROM pg_statistic_ext_data LIMIT 1)'),
	-- these stand in indexes only
	('gtsvector', 'NULL'), ('pg_brin_bloom_summary', 'NULL'), ('pg_brin_minmax_multi_summary', 'NULL');
-- ghstore is hstore's own such type.
INSERT INTO sample SELECT oid, 'NULL' FROM pg_type WHERE typname = 'ghstore';
-- Row types of catalogs and views.
INSERT INTO sample SELECT t.oid, format('coalesce((SELECT x FROM %1$s x LIMIT 1), %2$L::%1$s)', typrelid::regclass, '(' || repeat(',', relnatts - 1) || ')')
	FROM pg_type t JOIN pg_class c ON c.oid = typrelid
	WHERE typtype = 'c' AND relkind IN ('r', 'v') AND relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace);
-- Domains of the information schema.
INSERT INTO sample VALUES ('information_schema.yes_or_no', '''YES'''), ('information_schema.cardinal_number', '7'),
	('information_schema.character_data', '''x'''), ('information_schema.sql_identifier', '''x'''),
	('information_schema.time_stamp', '''2024-06-30 12:00:00.5+05:30''');

-- All types that a column can have: those that CREATE TABLE takes.
CREATE UNLOGGED TABLE samples.usable (type regtype PRIMARY KEY, element regtype, nested bool);
DO $$
DECLARE t record;
BEGIN
	FOR t IN SELECT p.oid::regtype AS type, p.typelem::regtype AS element, coalesce(e.typcategory = 'A', false) AS nested FROM pg_type p
		LEFT JOIN pg_type e ON e.oid = p.typelem LEFT JOIN pg_class c ON c.oid = p.typrelid LEFT JOIN pg_class ec ON ec.oid = e.typrelid
		WHERE p.typtype <> 'p' AND p.typisdefined AND p.typnamespace <> ALL (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(toast|temp)')
		AND (c.oid IS NULL OR c.relkind IN ('r', 'v', 'c')) AND (ec.oid IS NULL OR ec.relkind IN ('r', 'v', 'c'))
		AND coalesce(c.relnamespace, ec.relnamespace, 0) <> 'samples'::regnamespace ORDER BY p.oid
	LOOP
		BEGIN
			EXECUTE format('CREATE TEMP TABLE probe (x %s)', t.type);
			DROP TABLE probe;
			INSERT INTO usable VALUES (t.type, t.element, t.nested);
		EXCEPTION WHEN invalid_table_definition THEN
			NULL; -- it holds a pseudo-type
		END;
	END LOOP;
END $$;

-- Arrays of all of them. ARRAY[] of what is an array itself is another thing.
INSERT INTO sample SELECT u.type, CASE WHEN nested THEN format('array_fill((%s)::%s, ARRAY[1,2], ARRAY[0,-1])', min(expression), element)
		ELSE format('ARRAY[%s, NULL]::%s', string_agg(format('(%s)::%s', expression, element), ', '), u.type) END
	FROM usable u JOIN sample s ON s.type = element
	WHERE u.type::text LIKE '%[]' GROUP BY u.type, element, nested;
INSERT INTO sample SELECT u.type, format('array_fill((%s)::%s, ARRAY[1,2], ARRAY[0,-1])', min(expression), element)
	FROM usable u JOIN sample s ON s.type = element
	WHERE NOT nested AND u.type::text LIKE '%[]' GROUP BY u.type, element;
INSERT INTO sample SELECT type, '''{}''' FROM usable WHERE type::text LIKE '%[]';

CREATE UNLOGGED TABLE types_without_sample AS SELECT type::text FROM usable WHERE type NOT IN (SELECT type FROM sample);

CREATE UNLOGGED TABLE samples.filled AS SELECT type, quote_ident('v ' || type::text) AS name, expressions,
	(row_number() OVER (ORDER BY type) - 1) / 120 + 1 AS number, typcategory <> 'A' AND typtype IN ('b', 'e', 'd', 'r') AS simple
	FROM usable JOIN (SELECT type, array_agg(expression) AS expressions FROM sample GROUP BY type) x USING (type) JOIN pg_type ON oid = type;

-- types_N with a key, loose_N without one, key_N: each type that can be one.
DO $$
DECLARE
	n int;
	t record;
BEGIN
	FOR n IN SELECT DISTINCT number FROM filled ORDER BY 1 LOOP
		EXECUTE (SELECT format('CREATE TABLE types_%s (k int PRIMARY KEY, %s)', n, string_agg(format('%s %s', name, type), ', ' ORDER BY type)) FROM filled WHERE number = n);
		EXECUTE format('CREATE TABLE loose_%1$s (LIKE types_%1$s); ALTER TABLE loose_%1$s DROP COLUMN k; ALTER TABLE loose_%1$s REPLICA IDENTITY FULL', n);
	END LOOP;
	n := 0;
	FOR t IN SELECT * FROM filled WHERE simple ORDER BY type LOOP
		BEGIN
			EXECUTE format('CREATE TABLE key_%s (v %s PRIMARY KEY, n int)', n, t.type);
			n := n + 1;
		EXCEPTION WHEN undefined_object THEN
			NULL; -- no order
		END;
	END LOOP;
END $$;

CREATE FUNCTION fill_types() RETURNS void LANGUAGE plpgsql SET search_path = public, samples AS $$
DECLARE
	n int;
	t record;
	e text;
BEGIN
	FOR n IN SELECT DISTINCT number FROM filled ORDER BY 1 LOOP
		FOR k IN 1 .. 14 LOOP
			EXECUTE (SELECT format('INSERT INTO types_%s VALUES (%s, %s)', n, k, string_agg(CASE WHEN k = 14 THEN 'NULL' ELSE
				format('(%s)::%s', expressions[(k - 1) % cardinality(expressions) + 1], type) END, ', ' ORDER BY type)) FROM filled WHERE number = n);
		END LOOP;
		EXECUTE (SELECT format('INSERT INTO loose_%1$s SELECT %2$s FROM types_%1$s; INSERT INTO loose_%1$s SELECT %2$s FROM types_%1$s WHERE k IN (2, 14)',
			n, string_agg(name, ', ' ORDER BY type)) FROM filled WHERE number = n);
	END LOOP;
	FOR t IN SELECT c.oid::regclass AS name, type, expressions FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attnum = 1
		JOIN filled ON type = atttypid WHERE relname LIKE 'key\_%' AND relkind = 'r' LOOP
		FOREACH e IN ARRAY t.expressions LOOP
			EXECUTE format('INSERT INTO %s SELECT (%s)::%s, 1 WHERE (%2$s)::%3$s IS NOT NULL ON CONFLICT DO NOTHING', t.name, e, t.type);
		END LOOP;
	END LOOP;
END $$;

CREATE FUNCTION change_types() RETURNS void LANGUAGE plpgsql SET search_path = public, samples AS $$
DECLARE
	n int;
	t record;
BEGIN
	FOR n IN SELECT DISTINCT number FROM filled ORDER BY 1 LOOP
		EXECUTE (SELECT format('UPDATE types_%1$s a SET %2$s FROM types_%1$s b WHERE b.k = a.k %% 14 + 1; DELETE FROM types_%1$s WHERE k = 3',
			n, string_agg(format('%s = b.%1$s', name), ', ')) FROM filled WHERE number = n);
		EXECUTE (SELECT format('DELETE FROM loose_%1$s WHERE ctid = (SELECT max(ctid) FROM loose_%1$s); UPDATE loose_%1$s SET %2$s = NULL WHERE ctid = (SELECT min(ctid) FROM loose_%1$s)',
			n, min(name)) FROM filled WHERE number = n);
	END LOOP;
	FOR t IN SELECT oid::regclass AS name FROM pg_class WHERE relname LIKE 'key\_%' AND relkind = 'r' LOOP
		EXECUTE format('UPDATE %s SET n = 2; DELETE FROM %1$s WHERE ctid = (SELECT max(ctid) FROM %1$s) AND (SELECT count(*) > 2 FROM %1$s)', t.name);
	END LOOP;
END $$;
