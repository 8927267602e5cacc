-- What types print, and what escapes they need.
\t on
\pset format unaligned
SELECT FROM pg_create_logical_replication_slot('regress', 'deltaflood');

CREATE TABLE numbers (a smallint, b int, c bigint, d real, e double precision, f numeric(10, 3), g oid, h money);
INSERT INTO numbers VALUES
	(-32768, -2147483648, -9223372036854775808, '-Infinity', 'NaN', 'NaN', 0, -1234.5),
	(32767, 2147483647, 9223372036854775807, 0.1, 0.1::float8 + 0.2, 12.5, 4294967295, 1234567.89),
	(0, 0, 0, 1e-30, 1e300, 0, 1, 0),
	(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT * FROM changes();

CREATE TABLE times (a date, b time, c timetz, d timestamp, e timestamptz, f interval);
INSERT INTO times VALUES
	('2017-10-09', '01:02:03.4', '01:02:03+05:30', '2017-10-09 01:02:03', '2017-10-09 01:02:03+02', '1 year 2 months 3 days 04:05:06.789'),
	('infinity', '24:00', '00:00+00', '-infinity', 'infinity', '-1 mons +1 day -00:00:01'),
	('0044-03-15 BC', '0:0', '0:0-15', '0044-03-15 BC', '0044-03-15 00:00:00+00 BC', '0');
SELECT * FROM changes();

CREATE TABLE flags (a boolean, b boolean[], c bit(3), d varbit);
INSERT INTO flags VALUES (true, '{t,f,NULL}', B'101', B'1'), (false, '{}', B'000', B''), (NULL, NULL, NULL, NULL);
SELECT * FROM changes();

-- escapes; the empty text and the text \N are not NULL
CREATE TABLE texts (a text, b varchar(10), c char(4), d name, e "char", f json, g jsonb, h xml, i bytea, j uuid);
INSERT INTO texts VALUES
	(E'tab\t line\n return\r slash\\ back\b feed\f vertical\v bell\a', E'\t', 'x', 'n', 'c', E'{"a":\t"\\n"}', '{"a": "\n\\"}',
		E'<a>\n</a>', '\x00ff5c', '00000000-0000-0000-0000-000000000001'),
	('', '', '', '', '', '""', '""', '', '', NULL),
	('\N', '\N', '\N', '\N', '\', '"\\N"', '"\\N"', '\N', '\x5c4e', NULL),
	('äöü ✓ 𝄞', 'ß', 'ä', 'é', 'e', '"é"', '"é"', 'é', 'é', NULL);
SELECT * FROM changes();

-- longer than the pieces that escaping takes at a time
CREATE TABLE longer (a text);
INSERT INTO longer VALUES (repeat(E'\\\t\n', 20000)), (repeat('é', 10000)), (repeat(E'ab\tc', 2048) || 'end');
SELECT length(l), md5(l) = md5(E'_table\tlonger\t_xid\tN\t_action\tinsert\ta\t' || repeat(E'\\\\\\t\\n', 20000)),
	md5(l) = md5(E'_table\tlonger\t_xid\tN\t_action\tinsert\ta\t' || repeat('é', 10000)),
	md5(l) = md5(E'_table\tlonger\t_xid\tN\t_action\tinsert\ta\t' || repeat(E'ab\\tc', 2048) || 'end')
	FROM rows() AS l;

-- all that is printed without the type's own function is as that one prints it
SET datestyle = 'ISO, MDY';
SET timezone = 'UTC';
CREATE TABLE printed (n int GENERATED ALWAYS AS IDENTITY, a numeric, b date, c timestamp, d timestamptz, e float8, f float4, g uuid);
INSERT INTO printed (a) SELECT sign * digits.d * power::numeric
	FROM (VALUES (0.0), (1), (9), (10), (99.9), (100), (999), (1000), (9999), (10000), (10001), (99999.0001), (12345678.87654321),
		(1.000), (0.10), (0.0100), (0.00001000)) AS digits(d),
		(VALUES ('1'), ('1e4'), ('1e-4'), ('1e-17'), ('1e60'), ('1e64'), ('1e-60'), ('1e300'), ('1e-300')) AS powers(power),
		(VALUES (1), (-1)) AS signs(sign);
INSERT INTO printed (a) VALUES ('NaN'), ('-0.00'), (repeat('9', 64)::numeric), (repeat('9', 65)::numeric), (('0.' || repeat('9', 64))::numeric),
	(('0.' || repeat('9', 65))::numeric), (('0.' || repeat('0', 63) || '1')::numeric), (repeat('123', 4000)::numeric), (1e16383), (1e-16383);
INSERT INTO printed (b, c, d) SELECT t::date, t, t AT TIME ZONE 'UTC'
	FROM (VALUES ('0001-01-01'::timestamp), ('0001-01-01 00:00:00.000001'), ('0001-12-31 23:59:59.999999 BC'), ('9999-12-31 23:59:59.999999'),
		('10000-01-01'), ('1999-12-31 23:59:59.999999'), ('2000-01-01'), ('2000-02-29 12:34:56.7'), ('1900-02-28 01:02:03.45'),
		('1970-01-01 00:00:00.100001'), ('1969-12-31 23:59:59.99999'), ('4713-01-01 BC'), ('infinity'), ('-infinity')) AS v(t);
INSERT INTO printed (e, f) SELECT v, v::float4
	FROM unnest('{0,-0,1,-1,0.1,1e15,1e16,123456789012345,1e22,1e-5,1.5e-7,NaN,Infinity,-Infinity}'::float8[]) AS v;
INSERT INTO printed (e) VALUES (5e-324), (1.7976931348623157e308), (0.1::float8 + 0.2);
INSERT INTO printed (g) VALUES ('01234567-89ab-cdef-fedc-ba9876543210'), ('00000000-0000-0000-0000-000000000000'), ('ffffffff-ffff-ffff-ffff-ffffffffffff');
SELECT count(*) FROM printed;
SELECT l FROM rows('skip-nulls', 'true') AS l
	EXCEPT ALL
SELECT concat(E'_table\tprinted\t_xid\tN\t_action\tinsert\tn\t', n, E'\ta\t' || a, E'\tb\t' || b, E'\tc\t' || c, E'\td\t' || d,
	E'\te\t' || e, E'\tf\t' || f, E'\tg\t' || g) FROM printed;

-- text of every length to three blocks, with each byte that needs an escape, or is none of ASCII, at each place
CREATE TABLE placed (n int GENERATED ALWAYS AS IDENTITY, a text);
INSERT INTO placed (a) SELECT overlay(repeat('abc~ defghij', 4) PLACING odd FROM place FOR 1) || repeat('k', rest)
	FROM unnest(ARRAY[E'\t', E'\n', E'\r', E'\b', E'\f', E'\x0b', E'\\', E'\x01', E'\x1f', E'\x7f', 'é', '✓']) AS odd,
		generate_series(1, 48) AS place, generate_series(0, 15, 5) AS rest;
INSERT INTO placed (a) SELECT repeat('a', n) || odd FROM generate_series(0, 48) AS n, unnest(ARRAY['', E'\\', 'ß', E'\t\t']) AS odd;
SELECT count(*) FROM placed;
SELECT l FROM rows() AS l
	EXCEPT ALL
SELECT E'_table\tplaced\t_xid\tN\t_action\tinsert\tn\t' || n || E'\ta\t' || replace(replace(replace(replace(replace(replace(replace(
	a, E'\\', E'\\\\'), E'\t', E'\\t'), E'\n', E'\\n'), E'\r', E'\\r'), E'\b', E'\\b'), E'\f', E'\\f'), E'\x0b', E'\\v') FROM placed;
RESET timezone;
RESET datestyle;
DROP TABLE printed, placed;
SELECT count(*) FROM changes();

-- arrays, enums, composites, ranges, domains over them
CREATE TYPE mood AS ENUM ('happy', E'very\thappy');
CREATE TYPE pair AS (x int, y text);
CREATE DOMAIN small AS int CHECK (VALUE < 10);
CREATE DOMAIN smaller AS small CHECK (VALUE < 5);
CREATE DOMAIN yes AS boolean;
CREATE DOMAIN label AS varchar(7) NOT NULL;
CREATE DOMAIN labels AS label[];
CREATE SCHEMA other;
CREATE TYPE other.mood AS ENUM ('sad');
CREATE TABLE many (a int[], b text[][], c mood, d other.mood[], e pair, f pair[], g smaller, h yes, i label, j labels,
	k int4range, l tsvector, m inet, n regclass, o numeric(6, 2)[], p timestamp(3) with time zone, q interval day to second);
INSERT INTO many VALUES ('{1,NULL,3}', '{{a,"b c"},{"\"","\\"}}', E'very\thappy', '{sad}', '(1,"a b")', '{"(1,a)"}', 3, true,
	'seven', '{a,b}', '[1,5)', 'a:1 b:2', '10.0.0.1/8', 'pg_class', '{1.5}', '2017-10-09 00:00:00.1239+00', '1 day');
SELECT * FROM changes();

-- generated and dropped columns
CREATE TABLE generated (a int PRIMARY KEY, gone text, b int GENERATED ALWAYS AS (a * 2) STORED, c int GENERATED ALWAYS AS IDENTITY);
INSERT INTO generated VALUES (1, 'x');
ALTER TABLE generated DROP gone;
INSERT INTO generated VALUES (2);
UPDATE generated SET a = 3 WHERE a = 1;
SELECT * FROM changes();

DROP TABLE numbers, times, flags, texts, longer, many, generated;
DROP DOMAIN labels, label, yes, smaller, small;
DROP TYPE mood, pair, other.mood;
DROP SCHEMA other;
SELECT FROM pg_drop_replication_slot('regress');
