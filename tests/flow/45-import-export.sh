#!/bin/bash
# deltamirror import and export: a query's result there and back, all of it or nothing.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# A sanitizer's own memory is not ours to bound.
most_kb=150000
if grep -qa __asan_init "$build/deltamirror" || grep -qa __tsan_init "$build/deltamirror"; then
	most_kb=2000000
fi

db=$work/db.sqlite

import() { # [ARGUMENTS AFTER CONNINFO...]: leaves $status and $output
	run_quietly deltamirror import "$conninfo" "$@"
}

export_() { # QUERY TABLE
	run_quietly deltamirror export "$db" "$1" "$conninfo" "$2"
}

lite() {
	sqlite3 "$db" "$1"
}

refused() { # SENTENCE REGEX...: after import or export_
	local sentence=$1
	shift
	[[ $status -eq 1 ]] || output="status $status: $output"
	like "$sentence" "$output" 'error:' "$@"
}

server_up

# ---- there and back

sql "CREATE TABLE fleet (ident text PRIMARY KEY, seats int, open bool, height float8, photo bytea, price numeric(10,2))"
sql "INSERT INTO fleet VALUES ('N1', 4, true, '-0', '\\x00ff', 1.50), ('N2', NULL, false, 'NaN', '', 'NaN'), (E't\\ta\\nb', 1, NULL, 'Infinity', NULL, 0)"
import 'SELECT * FROM fleet ORDER BY 1;' "$db" planes --key ident
is "a query's result becomes a table" "$status" 0
like "which is said" "$output" 'importing: 3 rows'
is "with types and key" "$(lite "SELECT sql FROM sqlite_master")" \
	'CREATE TABLE "planes" ("ident" TEXT NOT NULL, "seats" INTEGER, "open" INTEGER, "height", "photo" BLOB, "price" TEXT, PRIMARY KEY ("ident"))'
is "and the values of docs/TYPES.md" "$(lite "SELECT quote(ident), seats, open, height, quote(photo), price FROM planes")" \
	"'N1'|4|1|0.0|X'00FF'|1.50"$'\n'"'N2'||0|NaN|X''|NaN"$'\n'"'t	a
b'|1||Inf|NULL|0.00"
export_ "SELECT * FROM planes" fleet
refused "what does not fit the server's table is its error" 'duplicate key'
sql "CREATE SCHEMA \"a b\"; CREATE TABLE \"a b\".\"Fleet\" (LIKE fleet)"
export_ "SELECT price, ident, seats, open, height, photo FROM planes" '"a b"."Fleet"'
is "what was imported can be exported, columns by their names" "$status: $(sql 'TABLE fleet EXCEPT TABLE "a b"."Fleet"')$(sql 'SELECT count(*) FROM "a b"."Fleet"')" "0: 3"

psql -Xq -v ON_ERROR_STOP=1 -f "$root/tests/flow/types.sql"
sql "SELECT fill_types()" >/dev/null
for table in $(sql "SELECT relname FROM pg_class WHERE relname ~ '^types_[0-9]+\$' ORDER BY 1"); do
	# What has no input function, or will not have its own output back, stays behind.
	columns=$(sql "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0
		AND format_type(atttypid, NULL) !~ '^(pg_node_tree|pg_ndistinct|pg_dependencies|pg_mcv_list|g(ts|hs)|pg_brin_|aclitem)'
		AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = atttypid AND (typtype = 'c' OR typelem <> 0)
			AND typnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
			AND coalesce((SELECT relkind <> 'c' FROM pg_class WHERE oid = coalesce(nullif(typrelid, 0), (SELECT typrelid FROM pg_type e WHERE e.oid = t.typelem))), false))")
	import "SELECT $columns FROM $table" "$db" "$table" --key k
	[[ $status -eq 0 ]] || note "$output"
	sql "CREATE TABLE back_$table (LIKE $table)"
	export_ "SELECT * FROM $table" "back_$table"
	[[ $status -eq 0 ]] || note "$output"
	sql "COPY (SELECT $columns FROM $table ORDER BY k) TO STDOUT" >"$work/there"
	sql "COPY (SELECT $columns FROM back_$table ORDER BY k) TO STDOUT" >"$work/back"
	check "all types come back as they were ($table: $(head -n 1 "$work/there" | tr '\t' '\n' | wc -l) columns)" cmp "$work/there" "$work/back"
done

# ---- into a table that is there

import "SELECT 'N1' AS ident, 5 AS seats" "$db" planes
refused "a row whose key is there is refused" 'UNIQUE.*--replace'
is "and nothing has changed" "$(lite "SELECT seats FROM planes WHERE ident = 'N1'")" 4
import "VALUES ('N1', 5), ('N9', 9)" "$db" planes
refused "columns that the table has not are named" 'no column "column1"'
import "SELECT * FROM (VALUES ('N1', 5), ('N9', 9)) v(IDENT, seats)" "$db" planes --replace
is "--replace replaces rows of the same key and adds others" "$status: $(lite "SELECT ident, seats FROM planes WHERE ident LIKE 'N%' ORDER BY 1" | xargs)" "0: N1|5 N2| N9|9"
import "SELECT 7 AS seats, 'seven' AS photo" "$db" planes --replace --key seats
refused "--key has to be a key of a table that is there" 'no primary key or unique index'
import "SELECT 1 AS n" "$db" numbers --key n
import "SELECT NULL::int AS n" "$db" numbers --replace
refused "NULL is no value of a key" 'NULL in column "n" of the key'
import "SELECT i AS n, NULL::numeric AS v FROM generate_series(1, 3) i" "$db" plain
import "SELECT i AS n, 1.5::numeric AS v FROM generate_series(4, 5) i" "$db" plain
is "without a key rows are added" "$(lite "SELECT group_concat(n) FROM plain")" 1,2,3,4,5
import "SELECT 1/(3 - i) AS n FROM generate_series(1, 5) i" "$db" plain --replace
refused "where the query fails" 'division by zero'
is "nothing is lost" "$(lite "SELECT group_concat(n) FROM plain")" 1,2,3,4,5
import "SELECT 6 AS n" "$db" plain --replace
is "--replace without a key replaces all" "$(lite "SELECT group_concat(n) FROM plain")" 6
import "SELECT 1.5::numeric AS a, 2::numeric(5,2) AS k, 1e400::numeric AS b" "$db" reals --numeric=real
is "--numeric=real takes the nearest double" "$(lite "SELECT a, typeof(a), typeof(k), b FROM reals")" "1.5|real|real|Inf"

# ---- what is refused

import "SELECT 1 AS a, 2 AS \"A\"" "$db" t
refused "a column of the same name twice" '"A" twice'
import "SELECT 1" "$db" t
refused "a column without a name" 'column 1 .* no name'
import "SELECT 1 AS a; DROP TABLE fleet" "$db" t
refused "two statements" 'multiple commands'
import "SELECT 1 AS a) TO STDOUT; DROP TABLE fleet; --" "$db" t
refused "nor otherwise" 'syntax error'
import "DELETE FROM fleet RETURNING ident" "$db" t
refused "what changes something" 'one SELECT'
import "DROP TABLE fleet" "$db" t
refused "what has no result" 'no query with a result'
import "SELECT \$1::int AS a" "$db" t
refused "parameters" 'parameters'
import "SELECT 1 AS a" "$db" t --key b
refused "a key that is not in the result" 'key.s column "b"'
import "SELECT 1 AS a" "$db" sqlite_x
refused "reserved names" 'reserved'
is "and none of it left a table" "$(lite ".tables t")$(sql "SELECT count(*) FROM fleet")" 3
import "SELECT x FROM nowhere" "$work/new.sqlite" t
refused "what fails" 'nowhere'
import "SELECT 1/(5000 - i) AS x FROM generate_series(1, 5000) i" "$work/new.sqlite" t
refused "in the midst, too" 'division'
is "leaves no database" "$(compgen -G "$work/new.sqlite*" | wc -l)" 0
for query in "SELECT 1; SELECT 2" "DELETE FROM planes" "SELECT ?1" "" "CREATE TABLE t (a)" "SELECT seats, seats FROM planes" "SELECT nothing FROM planes"; do
	export_ "$query" fleet
	refused "export refuses \"$query\""
done
export_ "SELECT ident FROM planes" nowhere
refused "a table that is not there" 'no table nowhere'
export_ "SELECT 1 AS wings" fleet
refused "a column that is not there" 'column "wings"'
export_ "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000)
	SELECT 'M' || n AS ident, CASE n WHEN 300000 THEN 'x' ELSE n END AS seats FROM c" fleet
refused "a value that does not fit, at the very end" 'invalid input syntax.*"x"' 'line'
is "leaves nothing of it" "$(sql "SELECT count(*) FROM fleet")" 3
exits "a database that is not there is an error" 1 deltamirror export "$work/none.sqlite" "SELECT 1 AS a" "$conninfo" fleet
exits "a missing argument is wrong usage" 2 deltamirror import "$conninfo" "SELECT 1 AS a" "$db"
exits "and to export" 2 deltamirror export "$db" "SELECT 1 AS a" "$conninfo"
exits "import has its own help" 0 deltamirror import --help
exits "export, too" 0 deltamirror export --help

# ---- a mirror

sql "SET client_min_messages = warning; DROP SCHEMA samples CASCADE"
stream_up --tables fleet
sql "UPDATE fleet SET seats = seats"
mirror_once
db=$mirror
import "SELECT * FROM fleet" "$mirror" fleet
refused "a mirror's table is the mirror's" 'belongs to the mirror'
import "SELECT * FROM fleet" "$mirror" mine
is "a table of one's own beside it is fine" "$status: $(lite "SELECT count(*) FROM mine")" "0: 3"
sql "TRUNCATE \"a b\".\"Fleet\""
export_ "SELECT * FROM fleet" '"a b"."Fleet"'
is "and what it holds can be exported" "$status: $(sql 'TABLE fleet EXCEPT TABLE "a b"."Fleet"')" "0: "

# ---- size, and an end before the end

db=$work/db.sqlite
/usr/bin/time -f %M -o "$work/rss" deltamirror import "$conninfo" "SELECT i, repeat(md5(i::text), 10) AS filler FROM generate_series(1, 600000) i" "$db" big --key i >"$work/output" 2>&1
is "many rows arrive" "$(lite "SELECT count(*), sum(i) FROM big")" "600000|180000300000"
check "in bounded memory ($(tail -n 1 "$work/rss") kB)" test "$(tail -n 1 "$work/rss")" -lt "$most_kb"
sql "CREATE TABLE big (i int, filler text)"
/usr/bin/time -f %M -o "$work/rss" deltamirror export "$db" "SELECT * FROM big" "$conninfo" big >"$work/output" 2>&1
is "and go back" "$(sql "SELECT count(*), sum(i) FROM big")" $'600000\t180000300000'
check "in bounded memory, too ($(tail -n 1 "$work/rss") kB)" test "$(tail -n 1 "$work/rss")" -lt "$most_kb"
deltamirror import "$conninfo" "SELECT i, pg_sleep(0.001)::text AS z FROM generate_series(1, 1000000) i" "$work/new.sqlite" slow 2>"$work/import.log" &
pid=$!
# shellcheck disable=SC2016 # wait_for expands it
wait_for 30 '[[ $(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '\''COPY%pg_sleep%'\''") == 1 ]]'
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
is "a signal ends an import, and leaves nothing" "$status: $(compgen -G "$work/new.sqlite*" | wc -l)" "1: 0"
# shellcheck disable=SC2016 # wait_for expands it
wait_for 30 '[[ $(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '\''COPY%pg_sleep%'\'' AND state = '\''active'\''") == 0 ]]' "the server to end the query"
env --default-signal=INT deltamirror export "$db" "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c" "$conninfo" big 2>"$work/export.log" &
pid=$!
# shellcheck disable=SC2016 # wait_for expands it
wait_for 30 '[[ $(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '\''COPY%STDIN%'\''") == 1 ]]'
sleep 0.5
kill -INT "$pid"
status=0
wait "$pid" || status=$?
is "and an export" "$status" 1
like "which says so" "$(cat "$work/import.log" "$work/export.log")" 'stopped'
is "and nothing of it is there" "$(sql "SELECT count(*) FROM big")" 600000
plan
