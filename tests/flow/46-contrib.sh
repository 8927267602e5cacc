#!/bin/bash
# Tables of the kind that PostgreSQL's own regression suite has (geometry, JSON,
# text search), and every type that its contrib extensions define: streamed,
# mirrored, compared, when they are filled and when they are changed.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
stream_up

# ---- contrib: each type of each extension in a table of its own

mapfile -t extensions < <(sql "SELECT name FROM pg_available_extensions ORDER BY 1")
for extension in "${extensions[@]}"; do
	sql "CREATE EXTENSION IF NOT EXISTS \"$extension\" CASCADE" || note "$extension cannot be created here"
done
sql "CREATE TABLE samples (type text, value text)"
sql "INSERT INTO samples VALUES
	('citext', 'Straße'), ('citext', ''), ('citext', E'tab\there'), ('cube', '(1,2),(3.5,-4e-300)'), ('cube', '(0)'),
	('cube', '()'), ('earth', '(6378168,0,0)'), ('ean13', '978-0-393-04002-9'), ('hstore', ''),
	('hstore', '\"a=>b\"=>\"it''s \\\"q\\\" \\\\\", empty=>\"\", null=>NULL, \"ключ\"=>\"значение\"'), ('isbn', '0-393-04002-X'),
	('isbn13', '978-0-393-04002-9'), ('ismn', 'M-3452-4680-5'), ('ismn13', '979-0-3452-4680-5'), ('issn', '1436-4522'),
	('issn13', '977-1436-452-00-8'), ('lo', '4294967295'), ('lquery', '*.Europe.*{1,2}.!Paris@'), ('ltree', 'Top.Science.Astronomy'),
	('ltree', ''), ('ltxtquery', 'Europe & Russia*@ & !Transportation'), ('query_int', '1&(2|!3)'), ('seg', '1.50 .. 2.0'),
	('seg', '<0.1'), ('seg', '~6.70'), ('upc', '220356483481'),
	('dblink_pkey_results', '(1,id)'), ('tablefunc_crosstab_2', '(row,\"a,b\",)'), ('tablefunc_crosstab_3', '(row,,\"\",x)'),
	('tablefunc_crosstab_4', '(\"\"\"\",1,2,3,4)')"
# Types that have no text: keys of indexes.
inner="'^(ghstore|gtrgm|ltree_gist|intbig_gkey|gbtreekey)'"
of_extensions="FROM pg_type t JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
	WHERE t.typtype IN ('b', 'd', 'c', 'e', 'r') AND typcategory <> 'A' AND typname !~ $inner
	AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')"
is "there is a sample of each contrib type" \
	"$(sql "SELECT typname $of_extensions AND typname NOT IN (SELECT type FROM samples) ORDER BY 1")" ""
mapfile -t types < <(sql "SELECT DISTINCT typname $of_extensions ORDER BY 1")
note "${#extensions[@]} extensions, ${#types[@]} types"
for type in "${types[@]}"; do
	sql "CREATE TABLE \"contrib $type\" (id int PRIMARY KEY, v \"$type\", many \"$type\"[], d \"$type\")"
	sql "INSERT INTO \"contrib $type\" SELECT n, value::\"$type\", ARRAY[value, NULL, value]::\"$type\"[], NULL
		FROM (SELECT value, row_number() OVER () n FROM samples WHERE type = '$type') s"
	sql "INSERT INTO \"contrib $type\" VALUES (-1, NULL, NULL, NULL), (-2, NULL, '{}', NULL)"
	sql "UPDATE \"contrib $type\" SET d = v WHERE id > 0"
done
mirror_once
equal_tables "each type of contrib's extensions comes as it is"
is "with its rows" "$(sqlite3 "$mirror" 'SELECT count(*) > 3 AND count(d) FROM "contrib hstore"')" 1

# ---- geometry

psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
CREATE TABLE point_tbl (f1 point, g box, h polygon);
ALTER TABLE point_tbl REPLICA IDENTITY FULL;
INSERT INTO point_tbl (f1) VALUES ('(0.0,0.0)'), ('(-10.0,0.0)'), ('(-3.0,4.0)'), ('(5.1, 34.5)'), ('(-5.0,-12.0)'), ('(1e-300,-1e-300)'),
	('(1e+300,Infinity)'), ('(Infinity, 1e+300)'), (' ( Nan , NaN ) '), ('10.0,10.0'), ('(-0,0)'), (NULL), ('(0.0,0.0)');
CREATE TABLE box_tbl (id serial PRIMARY KEY, f1 box);
INSERT INTO box_tbl (f1) VALUES ('(2.0,2.0,0.0,0.0)'), ('((1.0,1.0),(3.0,3.0))'), ('((-8, 2), (-2, -10))'), ('2.5,2.5, 2.5,3.5'), ('3.0,3.0,3.0,3.0'),
	('(-inf,-inf,inf,inf)');
CREATE TABLE circle_tbl (id serial PRIMARY KEY, f1 circle);
INSERT INTO circle_tbl (f1) VALUES ('<(5,1),3>'), ('((1,2),100)'), (' 1 , 3 , 5 '), ('<(100,200),10>'), ('<(100,1),115>'), ('<(3,5),0>'), ('<(3,5),NaN>');
CREATE TABLE path_tbl (id serial PRIMARY KEY, f1 path);
INSERT INTO path_tbl (f1) VALUES ('[(1,2),(3,4)]'), (' ( ( 1 , 2 ) , ( 3 , 4 ) ) '), ('[ (0,0),(3,0),(4,5),(1,6) ]'), ('((1,2) ,(3,4 ))'), ('1,2 ,3,4 '),
	('[11,12,13,14]'), ('((10,20))');
CREATE TABLE polygon_tbl (id serial PRIMARY KEY, f1 polygon);
INSERT INTO polygon_tbl (f1) VALUES ('(2.0,0.0),(2.0,4.0),(0.0,0.0)'), ('(3.0,1.0),(3.0,3.0),(1.0,0.0)'), ('(1,2),(3,4),(5,6)'), ('(0.0,0.0)'), ('(0.0,1.0),(0.0,1.0)');
CREATE TABLE line_tbl (id serial PRIMARY KEY, s line, seg lseg);
INSERT INTO line_tbl (s, seg) VALUES ('{0,-1,5}', '[(1,2),(3,4)]'), ('{1,0,5}', '(0,0),(6,6)'), ('{NaN,1,2}', '[(-inf,10),(1e+300,NaN)]'), ('[(1,3),(2,3)]', NULL);
CREATE TABLE quad_points (id int PRIMARY KEY, p point, b box, c circle, way path);
INSERT INTO quad_points SELECT g, point(sin(g) * g, cos(g) / g), box(point(g, -g), point(sqrt(g), ln(g))), circle(point(g, 0.1 * g), g / 3.0),
	path(polygon(4 + g % 9, circle(point(g, g), g))) FROM generate_series(1, 5000) g;
SQL
mirror_once
equal_tables "geometry comes as it is"
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
UPDATE point_tbl SET g = box(f1, point(1, 1)), h = polygon(box(point(0, 0), f1)) WHERE f1 IS NOT NULL AND f1[0] = 0;
DELETE FROM point_tbl WHERE ctid IN (SELECT ctid FROM point_tbl WHERE f1 ~= point(10, 10));
UPDATE quad_points SET p = p * point(0, 1), way = NULL WHERE id % 7 = 0;
UPDATE quad_points SET c = c * point(0.5, 0.1) WHERE id % 5 = 0;
DELETE FROM quad_points WHERE id % 11 = 0;
SQL
mirror_once
equal_tables "so do its changes, with and without a key"

# ---- JSON

psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
CREATE TABLE test_json (id serial PRIMARY KEY, json_type text, j json, b jsonb, p jsonpath);
INSERT INTO test_json (json_type, j) VALUES ('scalar', '"a scalar"'), ('array', '["zero", "one","two",null,"four","five", [1,2,3],{"f1":9}]'),
	('object', '{"field1":"val1","field2":"val2","field3":null, "field4": 4, "field5": [1,2,3], "field6": {"f1":9}}'),
	('empty', '{}'), ('empty', '[]'), ('empty', '""'), ('spaces', E' {\n\t"a" :  [ 1 , 2.50 , -0, 1e5 , 1E-5 ]\r\n} '), ('twice', '{"a":1, "b":2, "a":3}'),
	('names', '{"":1, "a\tb":2, "a\"b":3, "\\":4, "/":5, "\/":6, "\u0041":7, "null":null}'),
	('number', '12345678901234567890123456789.012345678901234567890'), ('number', '-0.0'), ('number', '1e400'), ('null', 'null'), ('true', 'true');
INSERT INTO test_json (json_type, j) VALUES ('unicode', '"\u00e4\u20ac \ud83d\ude04\ud83d\udc36 \u0001 \u2028"'), ('unicode', '"ä€ 😄🐶"'),
	('unicode', '{"𝔘":"\ud834\udd1e", "ключ":["значение", "\u00fc"]}');
UPDATE test_json SET b = j;
INSERT INTO test_json (json_type, j) VALUES ('json only', '"\u0000"'), ('json only', '"\ud83d"');
INSERT INTO test_json (json_type, j, b) SELECT 'deep', (repeat('[', n) || repeat(']', n))::json, (repeat('{"a":[', n) || repeat(']}', n))::jsonb
	FROM unnest(ARRAY[1, 10, 100, 900]) n;
INSERT INTO test_json (json_type, p) VALUES ('path', '$."a b"[*] ? (@.size() > 2 && exists (@.c)).d.** {2 to 5}'), ('path', 'strict $[0 to last]'),
	('path', '$ ? (@ like_regex "^\\d+$" flag "i")');
CREATE TABLE testjsonb (id int PRIMARY KEY, j jsonb);
INSERT INTO testjsonb SELECT g, jsonb_build_object('wait', CASE WHEN g % 3 = 0 THEN NULL ELSE 'CC' || g END, 'line', g, 'public', g % 2 = 0,
	'age', g % 90, 'word', md5(g::text), 'list', (SELECT jsonb_agg(i * 1.5) FROM generate_series(1, g % 9) i),
	'deep', jsonb_build_array(jsonb_build_object('ü', repeat('é', g % 50)))) FROM generate_series(1, 8000) g;
INSERT INTO testjsonb SELECT 10000 + n, (SELECT jsonb_object_agg('k' || i, md5(i::text || n)) FROM generate_series(1, 2000) i) FROM generate_series(1, 5) n;
SQL
mirror_once
equal_tables "JSON comes as it is"
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
UPDATE testjsonb SET j = j || '{"new": [1, {"x": "\u00e9"}]}' WHERE id % 3 = 0;
UPDATE testjsonb SET j = jsonb_set(j, '{deep,0,ü}', '"\"quoted\""') WHERE id % 4 = 0;
UPDATE testjsonb SET j = j - 'word' WHERE id > 9999;
UPDATE test_json SET json_type = json_type || '!';
DELETE FROM testjsonb WHERE j @> '{"age": 25}';
SQL
mirror_once
equal_tables "so do its changes"

# ---- text search

psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
CREATE TABLE test_tsvector (id serial PRIMARY KEY, t text, a tsvector, q tsquery);
INSERT INTO test_tsvector (t, a, q) VALUES ('odd', E'\'\\\\a\' \'it\'\'s\' \'tab\there\' \'sp ace\' \'😄\':1A,2B,16383', E'\'it\'\'s\' & !(\'sp ace\':*A | b) <-> c <10> d'),
	('empty', '', ''), ('null', NULL, NULL), ('weights', 'a:1A b:2B,3C d:4D', 'a:A & b:BC | !d:*');
INSERT INTO test_tsvector (t, a, q) SELECT words, to_tsvector('english', words), plainto_tsquery('english', words)
	FROM (SELECT string_agg((ARRAY['running', 'foxes', 'jumped', 'über', 'lazy', 'databases', 'O''Brien', 'http://example.org/a?b=c', 'x-y-z', '1.5e3',
		'the', 'quick', 'naïve', 'wal', 'slot', 'stream'])[1 + (g * i * 7919) % 16], ' ' ORDER BY i) words
		FROM generate_series(1, 3000) g, generate_series(1, 12) i GROUP BY g) s;
INSERT INTO test_tsvector (t, a) SELECT 'long', (SELECT to_tsvector('simple', string_agg(md5(i::text || n), ' ')) FROM generate_series(1, 4000) i) FROM generate_series(1, 3) n;
CREATE INDEX ON test_tsvector USING gin (a);
CREATE TABLE documents (id int PRIMARY KEY, body text, found tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED);
INSERT INTO documents (id, body) SELECT g, repeat('The ' || g || ' foxes are jumping over ' || md5(g::text) || '. ', 1 + g % 40) FROM generate_series(1, 2000) g;
SQL
mirror_once
equal_tables "text search comes as it is"
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
UPDATE test_tsvector SET a = setweight(a, 'B') || 'new:1' WHERE id % 3 = 0;
UPDATE test_tsvector SET a = strip(a), q = !!q WHERE id % 5 = 0;
UPDATE test_tsvector SET t = t || '.' WHERE t LIKE 'long%';
UPDATE documents SET body = upper(body) WHERE id % 2 = 0;
DELETE FROM documents WHERE found @@ to_tsquery('english', 'jump & 77');
SQL
mirror_once
equal_tables "so do its changes"
check "the stream follows its rules" "$root/tests/flow/stream.py" rules "$mnt/live"
plan
