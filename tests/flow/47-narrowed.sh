#!/bin/bash
# A stream that was narrowed at its start (daystream init --tables): snapshots, mirrors and their comparison know.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
sql "CREATE SCHEMA sales"
sql "CREATE SCHEMA other"
for table in zzz sales.orders other.noise; do
	sql "CREATE TABLE $table (a int PRIMARY KEY, b text)"
	sql "INSERT INTO $table SELECT i, 'before' FROM generate_series(1, 100) i"
done
stream_up --tables=zzz,sales.orders,later
wait_for 30 "[[ -e $mnt/snapshots/latest ]]" "the first snapshot"
is "the snapshot has these tables only" "$(ls "$mnt/snapshots/latest/tables")" $'sales.orders\nzzz'
exits "others cannot be asked for" 1 timeout 60 daystream snapshot --tables=other.noise "$store"
like "with the reason" "$output" 'other.noise.*daystream.conf'
for table in zzz sales.orders other.noise; do
	sql "INSERT INTO $table VALUES (1000, 'meanwhile')"
done

started() { # SENTENCE [DELTAMIRROR'S OPTIONS]
	local sentence=$1
	shift
	rm -f "$mirror"*
	caught_up "$mnt"
	exits "$sentence" 0 timeout 120 deltamirror --once "$@" "$mnt" "$mirror"
	is "has these tables" "$(sqlite3 "$mirror" "SELECT group_concat(name) FROM (SELECT name FROM _daystream_tables ORDER BY 1)")" \
		"$tables"
	exits "and is what it should be" 0 timeout 60 deltamirror --verify "$conninfo" "$mirror"
}
tables=sales.orders,zzz
started "a mirror from the snapshot"
started "a mirror from the server" --from "$conninfo"
sql "CREATE TABLE later (a int PRIMARY KEY)"
sql "INSERT INTO later VALUES (1)"
mirror_once
exits "a listed table that is made later is in it" 0 timeout 60 deltamirror --verify "$conninfo" "$mirror"
is "with its row" "$(sqlite3 "$mirror" 'SELECT a FROM later')" 1
sqlite3 "$mirror" "DROP TABLE later; DELETE FROM _daystream_tables WHERE name = 'later'"
exits "one that it lacks is found missing" 1 timeout 60 deltamirror --wait=2 --verify "$conninfo" "$mirror"
like "by its name" "$output" 'later.*missing'
tables=zzz
started "a mirror of fewer" --tables=zzz
daemon_stop
plan
