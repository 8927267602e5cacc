#!/bin/bash
# A stream that was narrowed at its start (daystream init --tables): snapshots, mirrors and their comparison know.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
sql "CREATE SCHEMA sales"
sql "CREATE SCHEMA other"
for table in zzz hidden sales.orders other.noise; do
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
marked() { # MIRROR: the tables that are not exact, as it knows itself
	sqlite3 "$1" "SELECT group_concat(name) FROM (SELECT name FROM _daystream_tables WHERE inexact_since IS NOT NULL ORDER BY 1)"
}
tables=sales.orders,zzz
started "a mirror from the snapshot"
cp "$mirror" "$work/snapshot.sqlite"
started "a mirror from the server" --from "$conninfo"
cp "$mirror" "$work/server.sqlite"
sql "ALTER TABLE hidden RENAME TO later"
sql "INSERT INTO later VALUES (1000, 'new')"
caught_up "$mnt"
for name in snapshot server; do
	exits "a table gets a name that is in the stream (mirror from the $name)" 0 timeout 60 deltamirror --once "$mnt" "$work/$name.sqlite"
	like "that it lacks older rows is said" "$output" 'table "later".*older rows.*--resync=TABLE'
	is "and known" "$(marked "$work/$name.sqlite")" later
done
sql "DROP TABLE later"
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
rm -f "$mirror"*
exits "one that is not there yet may be wanted, too" 0 timeout 120 deltamirror --once --tables=zzz,typo "$mnt" "$mirror"
like "which is said, since it may be a slip" "$output" 'warning: .*/snapshots/.* has no table typo'
is "and of no other" "$(grep -c 'has no table' <<<"$output")" 1

# The list is changed: narrowed, then widened again.
rm -f "$mirror"*
mirror_once >"$work/mirror.log" 2>&1
retable() {
	sed -i '/^tables *=/d' "$store/daystream.conf"
	echo "tables = '$1'" >>"$store/daystream.conf"
}
segments_go_by() { # each of which opens with the definitions in force
	for i in 1 2 3; do
		sql "INSERT INTO zzz SELECT $1 + 1000 * $i + g, repeat('x', 100) FROM generate_series(1, 100) g"
	done
	caught_up "$mnt"
}
is "a mirror knows all of its tables to be exact" "$(marked "$mirror")" ""
echo 'segment_size = 4096' >>"$store/daystream.conf"
cp "$mirror" "$work/away.sqlite"
retable zzz
exits "with another list in daystream.conf, no snapshot is taken before a restart" 1 timeout 60 daystream snapshot "$store"
like "which is said" "$output" "tables. in daystream.conf was changed.*sales.orders.*start that again"
daemon_stop
daemon_start "$store" "$mnt"
like "the daemon says what follows" "$(cat "$work/daemon.log")" "warning: .tables. in daystream.conf was changed.*--resync=TABLE"
sql "INSERT INTO sales.orders VALUES (2000, 'left out')"
sql "INSERT INTO zzz VALUES (2000, 'not')"
caught_up "$mnt"
fresh() { [[ $(readlink "$mnt/snapshots/latest") != "$1" && $(ls "$mnt/snapshots/latest/tables") == "$2" ]]; }
check "it takes a snapshot by itself" wait_for 30 "fresh none zzz"
exits "a mirror that was there follows" 0 timeout 60 deltamirror --once "$mnt" "$mirror"
like "and names what is left out" "$output" 'warning: table "later" is in the stream no more.*daystream.conf.*--resync=TABLE' \
	'table "sales.orders" is in the stream no more'
is "which it knows not to be exact" "$(marked "$mirror")" later,sales.orders
is "and which stays as it was" "$(sqlite3 "$mirror" 'SELECT max(a) FROM "sales.orders"')" 1000
is "what is in the stream goes on" "$(sqlite3 "$mirror" 'SELECT max(a) FROM zzz')" 2000
exits "it says so once" 0 timeout 60 deltamirror --once "$mnt" "$mirror"
is "and then no more" "$(grep -c 'no more' <<<"$output")" 0
cp "$mirror" "$work/knows.sqlite"
exits "it can be given up" 0 timeout 60 deltamirror --once --resync=sales.orders "$mnt" "$mirror"
is "then it is gone" "$(sqlite3 "$mirror" "SELECT count(*) FROM _daystream_tables WHERE name = 'sales.orders'")" 0
cp "$mirror" "$work/gave-up.sqlite"
tables=zzz
started "a mirror that is made now is of what is left"
segments_go_by 10000
mirror_once >/dev/null 2>&1
is "and stays so when segments open" "$(sqlite3 "$mirror" "SELECT group_concat(name) FROM _daystream_tables")" zzz
exits "and equal" 0 timeout 60 deltamirror --verify "$conninfo" "$mirror"
daemon_stop
retable zzz,sales.orders,other.noise
: >"$work/daemon.log"
latest=$(find "$store/snapshots" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -V | tail -n 1)
daemon_start "$store" "$mnt"
check "once more" wait_for 30 "fresh $latest \$'other.noise\\nsales.orders\\nzzz'"
caught_up "$mnt"
exits "a mirror reads of it before one of them comes" 0 timeout 60 deltamirror --once "$mnt" "$work/knows.sqlite"
cp "$work/knows.sqlite" "$work/early.sqlite"
exits "and brings it at once" 0 timeout 60 deltamirror --once --resync=other.noise,sales.orders "$mnt" "$work/early.sqlite"
is "with all of its rows" "$(sqlite3 "$work/early.sqlite" 'SELECT count(*) FROM "other.noise"')" 101
is "the next one, too" "$(sqlite3 "$work/early.sqlite" 'SELECT max(a) FROM "sales.orders"')" 2000
is "and is exact" "$(marked "$work/early.sqlite")" later
sql "UPDATE other.noise SET b = 'seen' WHERE a = 1"
sql "INSERT INTO zzz VALUES (3000, 'on')"
tables=other.noise,sales.orders,zzz
cp "$mirror" "$work/old.sqlite"
for name in away knows gave-up; do # all the while; up to the first change
	exits "a mirror that was away follows ($name)" 0 timeout 60 deltamirror --once "$mnt" "$work/$name.sqlite"
	like "and names what comes without its older rows" "$output" 'table "other.noise".*left out of the stream.*older rows.*--resync=TABLE'
	sql "UPDATE sales.orders SET b = 'back' WHERE a = 1"
	sql "UPDATE zzz SET b = '$name' WHERE a = 1"
	caught_up "$mnt"
	exits "it goes on ($name)" 0 timeout 60 deltamirror --once "$mnt" "$work/$name.sqlite"
	is "which it knows" "$(marked "$work/$name.sqlite")" later,other.noise,sales.orders
	exits "they come back" 0 timeout 60 deltamirror --once --resync=sales.orders,other.noise "$mnt" "$work/$name.sqlite"
	is "and are exact" "$(marked "$work/$name.sqlite")" later
	is "as is the rest" "$(sqlite3 "$work/$name.sqlite" "SELECT b FROM zzz WHERE a = 1")" "$name"
done
started "a new mirror has all rows of what came back"
exits "one that was there gets them by --resync" 0 timeout 60 deltamirror --once --resync=sales.orders,other.noise "$mnt" "$work/old.sqlite"
exits "and equals the server" 0 timeout 60 deltamirror --verify "$conninfo" "$work/old.sqlite"
daemon_stop
: >"$work/daemon.log"
daemon_start "$store" "$mnt"
caught_up "$mnt"
check "the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
is "and has one note for each change" "$(grep -c '	_s	[0-9]*	_action	message	prefix	daystream	' "$mnt/live")" 2
is "with the same list, nothing is said" "$(grep -c 'was changed' "$work/daemon.log")" 0

# A server that has forgotten what it was told sends that again, now without the last table's line, and with the definition of
# another one, which was left out then. It says each once.
forgets() { # TABLE: of which the store holds a line that the server does not know it to hold when it comes back
	sql "INSERT INTO $1 SELECT max(a) + 1, 'held' FROM $1"
	wait_for 60 "tail -n 1 '$mnt/tables/$1' | grep held >/dev/null" "the store to hold more"
	daemon_kill
	server_stop immediate
}
sql "CREATE TABLE late (a int PRIMARY KEY)"
caught_up "$mnt"
sql "CHECKPOINT"
sql "INSERT INTO late VALUES (1)"
forgets other.noise
retable zzz,sales.orders,late
server_start
goes_on() { daemon_start "$store" "$mnt" && wait_for 30 "[[ \$(status_of '$mnt' state) == streaming ]]" "the stream to go on"; }
check "that the held line does not come again is no other history" goes_on
forgets zzz
server_start
daemon_start "$store" "$mnt"
sql "INSERT INTO late VALUES (2)"
caught_up "$mnt"
is "its definition stands before its first row" "$(tail -n +1 "$mnt/tables/late" | grep -o '_action	[a-z]*')" "$(printf '_action\t%s\n' schema insert)"
mirror_once
is "which a mirror can read" "$(sqlite3 "$mirror" 'SELECT group_concat(a) FROM late')" 2
daemon_stop
check "the store is sound" daystream check "$store"
plan
