#!/bin/bash
# daystream cat --json: every line can be turned back into what it was, whatever types and values it has.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
psql -Xq -v ON_ERROR_STOP=1 -f "$root/tests/flow/types.sql" >/dev/null
stream_up
sed -i 's/^segment_size.*/segment_size = 300000/' "$store/daystream.conf"
daemon_stop
daemon_start "$store" "$mnt"
sql "SELECT fill_types()" >/dev/null
sql "SELECT change_types()" >/dev/null

# Names, keys and actions.
sql 'CREATE SCHEMA "o.d"'
sql 'CREATE TABLE "o.d"."ta,ble" ("k%" int, "*" text, "_action" text, " ""q""	" text, PRIMARY KEY ("k%", "*"))'
sql "INSERT INTO \"o.d\".\"ta,ble\" VALUES (1, 'x', NULL, E'\\x01\\x1f\\x7f\"/\\\\')"
sql 'UPDATE "o.d"."ta,ble" SET "k%" = 2'
sql 'DELETE FROM "o.d"."ta,ble"'
sql 'CREATE TABLE whole (a int, b jsonb)'
sql 'ALTER TABLE whole REPLICA IDENTITY FULL'
sql "INSERT INTO whole VALUES (1, '{\"a\": [1.50, null, \"\\u00e4\"]}')"
sql 'UPDATE whole SET a = 2'
sql 'TRUNCATE whole'
sql 'CREATE TABLE bare (a int)'
sql 'INSERT INTO bare VALUES (1)'
sql 'DELETE FROM bare'
sql "SELECT pg_logical_emit_message(true, 'pre\"fix', E'con\\ntent')" >/dev/null
sql 'DROP TABLE bare'
sql 'CREATE TABLE toast (id int PRIMARY KEY, v text, n int)'
sql "INSERT INTO toast SELECT 1, string_agg(md5(g::text), ''), 0 FROM generate_series(1, 400) g"
sql 'UPDATE toast SET n = 1'
sql 'ALTER TABLE toast ALTER n TYPE boolean USING n = 1'

# Random values.
sql "CREATE TABLE random (id int PRIMARY KEY, t text, n numeric, f float8, r real, i bigint, j json, b jsonb, a text[], d timestamptz[], o boolean[],
	x numeric[], y bytea, z jsonb[], w timestamp)"
sql "SELECT setseed(0.42)" >/dev/null
sql "CREATE FUNCTION some_text() RETURNS text LANGUAGE sql VOLATILE AS \$\$
	SELECT coalesce(string_agg(CASE WHEN random() < 0.1 THEN (ARRAY['\"', '\\', '{', '}', ',', 'NULL', ' '])[1 + (random() * 6)::int]
		ELSE chr((ARRAY[1, 32, 160, 8192, 65536])[1 + (random() * 4)::int] + (random() * 90)::int) END, ''), '') FROM generate_series(1, (random() * 12)::int) \$\$"
sql "INSERT INTO random SELECT g, some_text(), (random() - 0.5)::numeric * (10 ^ (random() * 60 - 30))::numeric, (random() - 0.5) * 10 ^ (random() * 600 - 300),
	((random() - 0.5) * 10 ^ (random() * 70 - 35))::real, ((random() - 0.5) * 1.8e19)::bigint,
	(E'{ \"k\" :\n' || to_json(some_text()) || E'\r\n, \"k\": 1e5 ,\"l\":\t[ ] }')::json, jsonb_build_object(some_text(), random()::numeric, 'l', some_text()),
	ARRAY[some_text(), NULL, some_text()], ARRAY[to_timestamp(random() * 4e9), 'infinity', '0044-03-15 12:00:00 BC'], ARRAY[true, NULL, false],
	ARRAY[[random()::numeric, 'NaN'], [1.50, NULL]], convert_to(some_text(), 'UTF8'), ARRAY[jsonb_build_array(some_text()), 'null', NULL, '\"x\"'],
	to_timestamp(random() * 4e9)::timestamp FROM generate_series(1, 2000) g"
snapshot_there # it has a line
caught_up "$mnt"
cp "$mnt/live" "$work/live"

exits "it is told in JSON" 0 bash -c "daystream cat --json '$mnt' >'$work/json'"
is "a line for each" "$(wc -l <"$work/json")" "$(wc -l <"$work/live")"
is "jq takes all of them" "$(jq -c .action "$work/json" | wc -l)" "$(wc -l <"$work/live")"
python3 "$root/tests/flow/json_back.py" --plain "$work/live" >"$work/wanted"
check "they can be turned back" bash -c "python3 '$root/tests/flow/json_back.py' '$work/json' >'$work/back'"
check "to what they were, byte for byte" cmp "$work/back" "$work/wanted"
note "$(wc -l <"$work/json") lines, $(diff "$work/live" "$work/wanted" | grep -c "^<") with line breaks or nulls within json"

wait_for 60 "[[ \$(daystream cat '$store' | wc -c) == \$(wc -c <'$mnt/live') ]]" "the store to be as the mount"
check "a store tells the same" cmp <(daystream cat --json "$store") "$work/json"
is "a row is its columns" "$(jq -c 'select(.table == "toast" and .action == "insert") | .row | [.id, (.v | length), .n]' "$work/json" | head -n 1)" '[1,12800,0]'
is "what is unchanged is absent" "$(jq -c 'select(.table == "toast" and .action == "update") | .row' "$work/json")" '{"id":1,"n":1}'
is "an old key and an old row" "$(jq -c 'select(.old and (.table == "ta,ble" or .table == "whole")) | [.action, .old]' "$work/json")" \
	'["replace",{"k%":1,"*":"x"}]
["delete",{"k%":2,"*":"x"}]
["replace",{"a":1,"b":{"a":[1.5,null,"ä"]}}]'
is "a changed type holds from its line on" "$(jq -c 'select(.table == "toast" and .row) | .row.n' "$work/json" | paste -sd ' ')" "0 1 true"
is "the digits of a number are kept" "$(grep -c '"b":{"a": \[1.50, null, "ä"\]}' "$work/json")" 3
is "a message" "$(jq -c 'select(.prefix == "pre\"fix") | [.action, .content]' "$work/json")" '["message","con\ntent"]'

# Definitions that stand before the first line that is read.
count=$(wc -l <"$work/live")
for at in $((count / 4)) $((count / 2)) $((count - 30)); do
	position=$(sed -n "${at}p" "$work/live" | cut -f 2,4 --output-delimiter .)
	for place in "$store" "$mnt"; do
		check "from within the stream ($(basename "$place")) the same is told" cmp <(daystream cat --json --since "$position" "$place") <(tail -n "+$at" "$work/json")
	done
done
check "of one table" cmp <(daystream cat --json --tables random --since "$position" "$mnt") <(tail -n "+$at" "$work/json" | grep '"table":"random"')
plan
