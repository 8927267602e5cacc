#!/bin/bash
# A mirror that is pointed at another database's mount says so, and keeps what it has; a database that has moved to
# another server, or was renamed, is its own still.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
sql "CREATE DATABASE shop"
sql "CREATE DATABASE other"
admin=$conninfo

stream_of() { # DATABASE: sets store, mnt
	export PGDATABASE=$1
	conninfo="${admin% dbname=*} dbname=$1" store=$work/store-$1 mnt=$work/mnt-$1
	sql "CREATE TABLE of_$1 (a int PRIMARY KEY)"
	sql "CREATE TABLE same (a int PRIMARY KEY)"
	stream_up --slot "$1"
	sql "INSERT INTO same VALUES (1)"
	sql "INSERT INTO of_$1 VALUES (1)"
	snapshot_taken
	caught_up "$mnt"
}
rows() { sqlite3 "$mirror" "SELECT (SELECT count(*) FROM of_shop), (SELECT group_concat(name) FROM _daystream_tables), database, lsn FROM _daystream"; }
refused() { # SENTENCE ARGUMENTS...
	local sentence=$1
	shift
	exits "$sentence" 1 timeout 60 deltamirror --once "$@"
	like "whose, and what is shown" "$output" "is a mirror of database shop of system [0-9]+, and .*mnt-other.* shows database other of system [0-9]+"
	check_not "and nothing destructive is advised" grep -q -- "--resync brings" <<<"$output"
	is "it is as it was" "$(rows)" "$before"
	check_not "and nothing is left beside it" compgen -G "$mirror.*"
}

stream_of shop
shop_mnt=$mnt
exits "a mirror" 0 deltamirror --once "$mnt" "$mirror"
exits "and one of one table's file" 0 deltamirror --once "$mnt/tables/same" "$work/table.sqlite"
sql "INSERT INTO of_shop VALUES (2)"
mirror_once
sleep 1.1
stream_of other
before=$(rows)
refused "an older mirror refuses another database's mount" "$mnt" "$mirror"
refused "also to be brought anew" --resync "$mnt" "$mirror"
refused "also of one table" --resync=same "$mnt" "$mirror"
refused "also from the server" --resync --from "$conninfo" "$mnt" "$mirror"
exits "so does that of a table's file" 1 deltamirror --once "$mnt/tables/same" "$work/table.sqlite"
like "by its name" "$output" "mirror of database shop" "shows database other"
exits "also to be brought anew" 1 deltamirror --once --resync "$mnt/tables/same" "$work/table.sqlite"
like "by its name" "$output" "mirror of database shop" "shows database other"

# Newer than all that the other has.
other_mnt=$mnt
PGDATABASE=shop
sleep 1.1
sql "INSERT INTO of_shop VALUES (3)"
caught_up "$shop_mnt"
exits "its own mount is followed still" 0 deltamirror --once "$shop_mnt" "$mirror"
before=$(rows)
refused "a newer mirror, too" "$other_mnt" "$mirror"
refused "and to be brought anew" --resync "$other_mnt" "$mirror"
exits "its own brings it anew" 0 deltamirror --once --resync "$shop_mnt" "$mirror"

# ---- the same name on another server is the same database, moved

sqlite3 "$mirror" "UPDATE _daystream SET system = '1', epoch = epoch + 100000"
exits "another server's is no more followed" 1 deltamirror --once "$shop_mnt" "$mirror"
like "whose, and what helps" "$output" "shows database shop of another server, system [0-9]+, and .* of that of system 1; --resync"
exits "and brings it anew" 0 deltamirror --once --resync "$shop_mnt" "$mirror"
is "whole" "$(sqlite3 "$mirror" "SELECT count(*) FROM of_shop")" 3

# ---- renamed: the stream has the transaction at which the mirror stands

sqlite3 "$mirror" "UPDATE _daystream SET database = 'before'"
exits "the renamed database's mount brings it anew" 0 deltamirror --once --resync "$shop_mnt" "$mirror"
is "under its new name" "$(sqlite3 "$mirror" "SELECT database FROM _daystream")" shop

# A store in which a generation under the old name stands before that under the new one.
store=$work/store-other mnt=$other_mnt
daemon_stop
PGDATABASE=postgres
slot_free other
daystream drop --yes "$store" >/dev/null
sql "ALTER DATABASE other RENAME TO third"
sed -i 's/dbname=other/dbname=third/' "$store/daystream.conf"
exits "a new generation of the renamed database" 0 daystream init "$store"
daemon_start "$store" "$mnt"
PGDATABASE=third
snapshot_taken
caught_up "$mnt"
exits "a mirror of one of its tables" 0 deltamirror --once "$mnt/tables/same" "$work/third.sqlite"
is "has its new name" "$(sqlite3 "$work/third.sqlite" "SELECT database FROM _daystream")" third
exits "and goes on" 0 deltamirror --once "$mnt/tables/same" "$work/third.sqlite"
exits "or anew" 0 deltamirror --once --resync "$mnt/tables/same" "$work/third.sqlite"
plan
