#!/bin/bash
# deltaflood in databases that are not UTF8: lines that leave by a walsender are UTF-8 all the same, and
# what cannot be is an error that names the column.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
export PGCLIENTENCODING=UTF8
same() { is "$1" "$3" "$2"; } # NAME EXPECTED GOT
run_sql() { psql -XqAt -v ON_ERROR_STOP=1 -d "$1" "${@:2}"; }

# receive DATABASE [OPTION...]: what pg_recvlogical gets of all that was committed
receive() {
	local database=$1 end
	shift
	end=$(run_sql "$database" -c 'SELECT pg_current_wal_insert_lsn()')
	timeout 60 pg_recvlogical -d "$database" -S "s_$database" --start --no-loop -E "$end" -f - "$@" 2>&1
}

create() { # DATABASE ENCODING
	run_sql postgres -c "CREATE DATABASE $1 TEMPLATE template0 ENCODING '$2' LC_COLLATE 'C' LC_CTYPE 'C'"
	pg_recvlogical -d "$1" -S "s_$1" -P deltaflood --create-slot
}

plain=(-o include-commit=off -o include-xids=off -o include-schema=off)

create latin1 LATIN1
run_sql latin1 <<'EOC'
BEGIN;
CREATE TABLE "grün" ("ä" text PRIMARY KEY, b char(3), c text[]);
ALTER TABLE "grün" ADD d text DEFAULT 'ö	ß';
COMMIT;
INSERT INTO "grün" VALUES ('é\', 'ü	', '{é,a}'), (repeat('ÿ', 10000), NULL, NULL);
SELECT FROM pg_logical_emit_message(true, 'ä', 'ö');
SELECT FROM pg_logical_emit_message(true, 'bytes', '\x00e4'::bytea);
INSERT INTO "grün" VALUES ('last');
EOC
expected=$(
	printf '_table\tgrün\t_relid\tN\t_key\tä\t_action\tschema\tä\tnumber\\t1\\ttype\\ttext\\tnotnull\\t1\\tpk\\t1\tb\tnumber\\t2\\ttype\\tcharacter(3)'
	printf '\tc\tnumber\\t3\\ttype\\ttext[]\td\tnumber\\t4\\ttype\\ttext\\tmissing\\tö\\\\tß\n'
	printf '_table\tgrün\t_action\tinsert\tä\té\\\\\tb\tü\\t \tc\t{é,a}\td\tö\\tß\n'
	printf '_table\tgrün\t_action\tinsert\tä\t%s\tb\t\\N\tc\t\\N\td\tö\\tß\n' "$(printf 'ÿ%.0s' {1..10000})"
	printf '_action\tmessage\tprefix\tä\tcontent\tö\n_action\tmessage\tprefix\tbytes\tcontent\t\\\\x00e4\n'
	printf '_table\tgrün\t_action\tinsert\tä\tlast\tb\t\\N\tc\t\\N\td\tö\\tß\n'
)
# Under the SQL functions the server itself converts, also where a walsender runs them.
got=$(run_sql latin1 -c "SELECT data FROM pg_logical_slot_peek_changes('s_latin1', NULL, NULL, 'include-commit', '0', 'include-xids', '0')" |
	sed 's/_relid\t[0-9]*/_relid\tN/')
same 'LATIN1 by the SQL function' "$expected" "$got"
got=$(run_sql 'dbname=latin1 replication=database' -c "SELECT data FROM pg_logical_slot_peek_changes('s_latin1', NULL, NULL, 'include-commit', '0', 'include-xids', '0')" |
	sed 's/_relid\t[0-9]*/_relid\tN/')
same 'LATIN1 by the SQL function in a walsender' "$expected" "$got"
got=$(receive latin1 -o include-commit=off -o include-xids=off | sed 's/_relid\t[0-9]*/_relid\tN/')
same 'LATIN1 by pg_recvlogical' "$expected" "$got"

run_sql latin1 -c "INSERT INTO \"grün\" VALUES ('x', 'ä'), ('y', NULL)"
got=$(receive latin1 -o tables=grün -o skip-nulls -o null=leer "${plain[@]}")
same 'an option without a value is true; tables by the name on the line' \
	$'_table\tgrün\t_action\tinsert\tä\tx\tb\tä  \td\tö\\tß\n_table\tgrün\t_action\tinsert\tä\ty\td\tö\\tß' "$got"
got=$(receive latin1 -o tables || true)
like 'tables without a value is an error' "$got" 'option "tables" needs a value'

create euc_jp EUC_JP
run_sql euc_jp -c "CREATE TABLE \"表\" (a text PRIMARY KEY); INSERT INTO \"表\" VALUES ('日本\語	'), (repeat('漢字', 5000))"
got=$(receive euc_jp "${plain[@]}")
same 'EUC_JP' $'_table\t表\t_action\tinsert\ta\t日本\\\\語\\t\n_table\t表\t_action\tinsert\ta\t'"$(printf '漢字%.0s' {1..5000})" "$got"

# A byte that the encoding does not define: text for the server, but no character.
create win1252 WIN1252
run_sql win1252 -c "CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, '€')"
run_sql win1252 -c "SELECT FROM pg_logical_emit_message(true, 'bytes', '\x6181'::bytea)"
got=$(receive win1252 "${plain[@]}")
same 'WIN1252, and a message that is no text there' $'_table\tt\t_action\tinsert\ta\t1\tb\t€\n_action\tmessage\tprefix\tbytes\tcontent\t\\\\x6181' "$got"

create sql_ascii SQL_ASCII
run_sql sql_ascii -c "CREATE TABLE good (a int PRIMARY KEY, b text); INSERT INTO good VALUES (1, 'é ✓')"
got=$(receive sql_ascii "${plain[@]}")
same 'SQL_ASCII with UTF-8 in it' $'_table\tgood\t_action\tinsert\ta\t1\tb\té ✓' "$got"
run_sql sql_ascii <<'EOC'
SET client_encoding = SQL_ASCII;
CREATE TABLE bad (a int PRIMARY KEY, b text);
INSERT INTO bad VALUES (1, convert_from('\x61e9', 'SQL_ASCII'));
SELECT FROM pg_logical_emit_message(true, 'bytes', '\xe9'::bytea);
INSERT INTO good VALUES (2, 'after');
EOC
got=$(receive sql_ascii "${plain[@]}" || true)
like 'SQL_ASCII with other bytes: the error names the column and the remedy' "$got" \
	'column "b" of table "public.bad" cannot be written in UTF-8' 'Leave the table out by the option "tables"'
got=$(receive sql_ascii -o tables=good "${plain[@]}")
same 'the remedy' $'_action\tmessage\tprefix\tbytes\tcontent\t\\\\xe9\n_table\tgood\t_action\tinsert\ta\t2\tb\tafter' "$got"

# A cast can make text of any bytes; so did older servers.
create utf8 UTF8
run_sql utf8 -c "CREATE CAST (bytea AS text) WITHOUT FUNCTION" -c "CREATE TABLE good (a int PRIMARY KEY, b text, c text[])" \
	-c "CREATE TABLE cut (LIKE good)" -c "CREATE TABLE nul (LIKE good)" -c "CREATE TABLE list (LIKE good)" \
	-c "INSERT INTO good VALUES (1, 'é ✓', '{é}')" -c "INSERT INTO cut VALUES (1, 'caf' || '\xc3'::bytea::text)" \
	-c "INSERT INTO nul VALUES (1, 'caf' || '\x00'::bytea::text || 'e, and more')" \
	-c "INSERT INTO list VALUES (1, 'x', ARRAY['\xe9'::bytea::text])"
for bad in 'cut b' 'nul b' 'list c'; do
	got=$(receive utf8 -o tables="${bad% *}" "${plain[@]}" || true)
	like "UTF8 with what is no text ($bad): the error names the column" "$got" \
		"column \"${bad#* }\" of table \"public.${bad% *}\" cannot be written in UTF-8" "encoding is UTF8"
done
got=$(receive utf8 -o tables=good "${plain[@]}")
same 'the remedy' $'_table\tgood\t_action\tinsert\ta\t1\tb\té ✓\tc\t{é}' "$got"

run_sql utf8 -c "DROP TABLE nul, cut"
exits 'init takes the database' 0 daystream init "$work/utf8" --conninfo "host=$PGHOST port=$PGPORT user=$PGUSER dbname=utf8" --slot utf8
daemon_start "$work/utf8" "$mnt"
exits 'a snapshot of it does not go on with what is no text' 1 daystream snapshot "$work/utf8"
like 'which it names' "$output" 'table "list": a value of column "c" is no UTF-8'
daemon_stop

# Names, too: the error can be sent, though the name cannot.
create names SQL_ASCII
name=$(printf 'x\xe9y')
run_sql names <<EOC
SET client_encoding = SQL_ASCII;
CREATE TABLE "$name" (a int PRIMARY KEY);
INSERT INTO "$name" VALUES (1);
EOC
got=$(receive names || true)
like 'a name in other bytes is named by them' "$got" 'names in table "public.x\\xe9y" cannot be written in UTF-8'
exits 'init says so, too' 1 daystream init "$store" --conninfo "host=$PGHOST port=$PGPORT user=$PGUSER dbname=names"
like 'with the remedy' "$output" 'no UTF-8: rename it'

# A walsender that was set up otherwise.
run_sql postgres -c "CREATE TABLE t (a timestamptz, b float8, c bytea)" -c "ALTER DATABASE postgres SET datestyle = 'German'" \
	-c "ALTER DATABASE postgres SET timezone = 'Asia/Tokyo'" -c "ALTER DATABASE postgres SET extra_float_digits = -5" \
	-c "ALTER DATABASE postgres SET bytea_output = 'escape'" -c "ALTER DATABASE postgres SET search_path = ''"
pg_recvlogical -d postgres -S s_postgres -P deltaflood --create-slot
run_sql postgres -c "INSERT INTO public.t VALUES ('2017-10-09 00:00:00+00', 0.1::float8 + 0.2, '\x00')"
got=$(receive postgres "${plain[@]}")
same 'settings of the database change nothing' $'_table\tt\t_action\tinsert\ta\t2017-10-09 00:00:00+00\tb\t0.30000000000000004\tc\t\\\\x00' "$got"

plan
