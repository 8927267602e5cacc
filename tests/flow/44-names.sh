#!/bin/bash
# Tables whose names SQLite cannot tell apart are called the same in every mirror, however it began.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
sql "CREATE TABLE orders (a int PRIMARY KEY, b text)"
sql "INSERT INTO orders VALUES (1, 'lower')"
stream_up
snapshot_taken
mirror_once >/dev/null
sql 'CREATE TABLE "Orders" (a int PRIMARY KEY, b text)'
sql "INSERT INTO \"Orders\" VALUES (1, 'Mixed'), (2, 'Mixed')"
sql 'CREATE SCHEMA s; CREATE TABLE s.t (a int PRIMARY KEY); CREATE TABLE "S.T" (a int PRIMARY KEY)'
sql 'CREATE TABLE "ORDERS" (a int PRIMARY KEY, b text)'
sql "INSERT INTO \"ORDERS\" VALUES (1, 'UPPER')"
mirror_once >/dev/null

names() { sqlite3 "$1" "SELECT name, schema, \"table\" FROM _daystream_tables ORDER BY relid"; }
values() { # FILE: what stands in each table, by its name in SQLite
	local name
	while read -r name; do
		sqlite3 "$1" "SELECT '$name', group_concat(b) FROM \"$name\""
	done < <(sqlite3 "$1" "SELECT name FROM _daystream_tables WHERE name LIKE 'orders%' ORDER BY 1")
}
oid() { sql "SELECT '\"$1\"'::regclass::oid"; }

first=$(names "$mirror") rows=$(values "$mirror")
is "whoever followed called the later tables by their numbers" "$first" "orders|public|orders
Orders#$(oid Orders)|public|Orders
s.t|s|t
S.T#$(oid S.T)|public|S.T
ORDERS#$(oid ORDERS)|public|ORDERS"
is "with their rows" "$rows" "ORDERS#$(oid ORDERS)|UPPER
Orders#$(oid Orders)|Mixed,Mixed
orders|lower"

snapshot_taken
same() { # SENTENCE FILE
	is "$1" "$(names "$2")" "$first"
	is "with the same rows" "$(values "$2")" "$rows"
	check "and it equals PostgreSQL" deltamirror --verify "$conninfo" "$2"
}
exits "a mirror of a snapshot" 0 deltamirror --once "$mnt" "$work/snapshot.sqlite"
same "calls them so, too" "$work/snapshot.sqlite"
exits "one from the server" 0 deltamirror --once --from "$conninfo" "$mnt" "$work/from.sqlite"
same "does, too" "$work/from.sqlite"

# One that was made in the order of names has it put right when it is brought anew; what people added goes with the table.
upper=$(oid ORDERS)
sqlite3 "$mirror" "ALTER TABLE orders RENAME TO aside; ALTER TABLE \"ORDERS#$upper\" RENAME TO ORDERS;
	ALTER TABLE aside RENAME TO \"orders#$(oid orders)\";
	UPDATE _daystream_tables SET name = 'ORDERS' WHERE relid = $upper;
	UPDATE _daystream_tables SET name = 'orders#$(oid orders)' WHERE relid = $(oid orders);
	CREATE VIEW lower AS SELECT b FROM \"orders#$(oid orders)\"; CREATE INDEX upper ON ORDERS (b)"
exits "a mirror that calls them otherwise" 0 deltamirror --once --resync "$mnt" "$mirror"
same "is brought anew with these names" "$mirror"
is "a view goes with its table" "$(sqlite3 "$mirror" "SELECT * FROM lower")" lower
is "so does an index" "$(sqlite3 "$mirror" "SELECT tbl_name FROM sqlite_master WHERE name = 'upper'")" "ORDERS#$upper"

# And they are followed.
sql "INSERT INTO orders VALUES (2, 'more'); UPDATE \"Orders\" SET b = 'other'; DELETE FROM \"ORDERS\""
caught_up "$mnt"
for file in "$mirror" "$work/snapshot.sqlite" "$work/from.sqlite"; do
	exits "each goes on" 0 deltamirror --once "$mnt" "$file"
	check "and equals PostgreSQL" deltamirror --verify "$conninfo" "$file"
done
plan
