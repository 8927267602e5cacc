#!/bin/bash
# deltamirror --verify: equal is told from different, and late from wrong.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

verify() { # [OPTIONS...]: leaves $status and $output (both streams)
	run_quietly deltamirror --verify "$conninfo" "$mirror" "$@"
}

edit() { # STATEMENTS: a person's hand in the mirror
	sqlite3 -cmd '.timeout 10000' "$mirror" "$1"
}

server_up
sql "CREATE TABLE account (id int PRIMARY KEY, owner text, balance numeric(12,2), rate float8, note text)"
sql "CREATE TABLE pair (a text COLLATE \"en_US.utf8\", b bigint, c char(4), at timestamptz, PRIMARY KEY (a, b, c))" 2>/dev/null ||
	sql "CREATE TABLE pair (a text, b bigint, c char(4), at timestamptz, PRIMARY KEY (a, b, c))"
sql "CREATE TABLE loose (x int, y float8, z text, raw bytea, j json); ALTER TABLE loose REPLICA IDENTITY FULL"
sql 'CREATE SCHEMA sales; CREATE TABLE sales."Order, all" (day date PRIMARY KEY, open bool, ids int[])'
sql "CREATE TABLE moment (k float8 PRIMARY KEY, v float4)"
sql "CREATE TABLE bare ()"
stream_up
sql "INSERT INTO account SELECT i, 'owner ' || i % 7, i * 1.5, i / 3.0, CASE WHEN i % 5 > 0 THEN '' END FROM generate_series(1, 5000) i"
sql "INSERT INTO pair SELECT chr(65 + i % 40) || E'\\u00e4\\t' || i % 11, -i, left('ab', i % 3), 'epoch'::timestamptz + i * interval '1 hour' FROM generate_series(1, 2000) i"
sql "INSERT INTO loose SELECT i % 10, CASE WHEN i % 3 = 0 THEN '-0' WHEN i % 3 = 1 THEN '0' ELSE 'NaN' END::float8,
	CASE WHEN i % 4 > 0 THEN repeat('z', i % 4) END, decode('00ff', 'hex'), '{\"a\": 1}' FROM generate_series(1, 500) i"
sql "INSERT INTO sales.\"Order, all\" SELECT 'epoch'::date + i, i % 2 = 0, ARRAY[i, NULL] FROM generate_series(1, 100) i"
sql "INSERT INTO moment VALUES ('-Infinity', 'NaN'), ('Infinity', 1), ('NaN', 2), ('-0', '-0'), (5e-324, 1e-45), (0.1, 0.1)"
sql "INSERT INTO bare DEFAULT VALUES; INSERT INTO bare DEFAULT VALUES"
mirror_once

# ---- equal

exits "a mirror that equals its server is found equal" 0 deltamirror --verify "$conninfo" "$mirror"
is "one line a table says so" "$(deltamirror --verify "$conninfo" "$mirror" 2>/dev/null)" \
"table	result	rows	missing	extra	differing	note
account	equal	5000	0	0	0
bare	equal	2	0	0	0
loose	equal	500	0	0	0
moment	equal	6	0	0	0
pair	equal	2000	0	0	0
sales.Order%2C all	equal	100	0	0	0"

plan
