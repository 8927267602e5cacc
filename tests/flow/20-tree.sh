#!/bin/bash
# The tree against itself: /live, /tables, /since and /by-time show the same
# lines; sizes are exact; what is not there is ENOENT; nothing can be written.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

stream_up
snapshot_there
sql 'CREATE SCHEMA sales'
sql 'CREATE SCHEMA "odd.schema"'
tables=('zzz' 'sales.zzz' '"Two Words"' '"a/b"' '"a.b"' '"100%"' '"-dash"' '"grüß"' '"odd.schema"."."' '"_action"'
	'"a,b"' '"%41"' "\"tab	in\"")
for table in "${tables[@]}"; do
	sql "CREATE TABLE $table (a text PRIMARY KEY, b text, \"_table\" text)"
done
for i in 1 2 3; do
	for table in "${tables[@]}"; do
		sql "INSERT INTO $table SELECT 'fox' || g || '-$i', E'a\\tb\\\\\\n', NULL FROM generate_series(1, 10) g"
	done
	sql "UPDATE zzz SET a = a || 'x' WHERE a LIKE '%-$i'"
	sleep 1.1
done
sql "TRUNCATE zzz, sales.zzz"
caught_up "$mnt"

check "each line stands at its place in /by-time, /tables and /since, with exact sizes" \
	"$root/tests/flow/stream.py" tree "$mnt"
cp "$mnt/live" "$work/live"
check "the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$work/live"
is "size and bytes agree" "$(stat -c %s "$mnt/live")" "$(wc -c <"$mnt/live")"
is "tables are listed under their path names" "$(find "$mnt/tables" -mindepth 1 -printf '%f\n' | LC_ALL=C sort)" \
	"$(printf '%s\n' zzz sales.zzz 'Two Words' a%2Fb a%2Eb 100%25 %2Ddash grüß odd%2Eschema.%2E _action a%2Cb %2541 tab%09in |
		LC_ALL=C sort)"
line=$(grep -P '\t_action\tinsert\t' "$mnt/tables/zzz" | head -n 1)
is "tabs, newlines and backslashes are escaped, NULL is \\N" "$(cut -f 11- <<<"$line")" 'a	fox1-1	b	a\tb\\\n	_table	\N'
is "the time of the last line is the file's" "$(stat -c %Y "$mnt/live")" "$(tail -n 1 "$mnt/live" | cut -f 2)"
is "the segments hold what /live shows" "$(truth | sha256sum)" "$(sha256sum <"$mnt/live")"
# What the server says of its own tables: the same columns, types and keys.
is "/schema tells each table's columns" "$(cat "$mnt/schema/odd%2Eschema.%2E")" $'a\ttext\t1\nb\ttext\t0\n_table\ttext\t0'
is "of the tables that there are" "$(ls "$mnt/schema")" "$(ls "$mnt/tables")"
sql "CREATE TABLE defined (b numeric(8,2), \"t	ab\" timestamptz(3)[], c int, PRIMARY KEY (c, b))"
sql 'ALTER TABLE "a/b" DROP COLUMN b'
sql "INSERT INTO defined VALUES (1, NULL, 1)"
sql 'DROP TABLE "Two Words"'
caught_up "$mnt"
is "a table that is made is there" "$(cat "$mnt/schema/defined")" \
	$'b\tnumeric(8,2)\t2\nt\\tab\ttimestamp(3) with time zone[]\t0\nc\tinteger\t1'
is "with the time of its definition" "$(stat -c %Y "$mnt/schema/defined")" "$(grep -P '\t_action\tschema\t' "$mnt/tables/defined" | tail -n 1 | cut -f 2)"
is "a column that went is not" "$(cut -f 1 "$mnt/schema/a%2Fb" | paste -sd ' ')" "a _table"
is "a table that was dropped has none" "$(cat "$mnt/schema/Two Words" 2>&1)" "cat: '$mnt/schema/Two Words': No such file or directory"
last=$(tail -n 1 "$mnt/live" | cut -f 2,4 --output-delimiter .)
is "/status tells the position" "$(status_of "$mnt" position)" "$last"
like "/status tells the rest" "$(cut -f 1 "$mnt/status" | paste -sd ' ')" state lsn generation system timeline database \
	slot lag_bytes lag_seconds segments bytes oldest
undocumented=$({ cat "$mnt/status" && daystream status "$store"; } | cut -f 1 | sort -u | while read -r name; do
	grep -qw -- "$name" "$root/docs/man/daystreamfs.8" || echo "$name"
done)
is "daystreamfs(8) has each of its names" "$undocumented" ""
is "/status tells the oldest line" "$(status_of "$mnt" oldest)" "$(head -n 1 "$mnt/live" | cut -f 2,4 --output-delimiter .)"

# As root only the mount itself stands in the way, which is what is to be seen.
check_not "nothing can be appended" bash -c "echo x >>'$mnt/live'"
check_not "nothing can be overwritten" bash -c ": >'$mnt/tables/zzz'"
check_not "no file can be made" touch "$mnt/new"
check_not "no folder can be made" mkdir "$mnt/tables/new"
check_not "nothing can be removed" rm -f "$mnt/live"
check_not "nothing can be renamed" mv "$mnt/live" "$mnt/dead"
check_not "nothing can be linked" ln -s live "$mnt/link"
check_not "no mode can be changed" chmod 777 "$mnt/live"
check "a file can be read" head -c 1 "$mnt/live"
is "modes say so" "$(stat -c %A "$mnt/live" "$mnt/tables" "$mnt/tables/zzz" | paste -sd ' ')" "-r--r--r-- dr-xr-xr-x -r--r--r--"

# A file appears with its table's first line, and grows.
check_not "a table without lines is not there" stat "$mnt/tables/later"
sql "CREATE TABLE later (a int PRIMARY KEY)"
sql "INSERT INTO later VALUES (1)"
caught_up "$mnt"
check "it is, with its first line" stat "$mnt/tables/later"
exec 7<"$mnt/tables/later"
before=$(cat <&7 | wc -l)
sql "INSERT INTO later VALUES (2)"
caught_up "$mnt"
is "what comes later is read by the same descriptor" "$before $(cat <&7 | wc -l)" "2 1"
exec 7<&-
plan
