#!/bin/bash
# A new mirror has all rows, those from before the stream too: from a snapshot, or from the
# server, while others write; and whatever interrupts it, no half-filled file has its name.
# shellcheck source=lib.sh
# shellcheck disable=SC2016,SC2034 # wait_for expands them
. "$(dirname "$0")/lib.sh"

server_up
sql "CREATE TABLE old (id int PRIMARY KEY, v text, big text)"
sql "ALTER TABLE old ALTER big SET STORAGE EXTERNAL"
sql "INSERT INTO old SELECT i, 'row ' || i, CASE WHEN i % 100 = 0 THEN repeat(chr(65 + i % 26), 3000) END FROM generate_series(1, 20000) i"
sql "CREATE TABLE full_rows (a int, b text)"
sql "ALTER TABLE full_rows REPLICA IDENTITY FULL"
sql "INSERT INTO full_rows SELECT i % 10, 'x' FROM generate_series(1, 1000) i"
sql "CREATE SCHEMA s"
sql "CREATE TABLE s.\"o.dd t\" (\"k	ey\" text PRIMARY KEY, v numeric)"
sql "INSERT INTO s.\"o.dd t\" VALUES (E'a\\tb', 1.50), ('', 'NaN')"
pgbench -q -i -s 1 >/dev/null 2>&1
sql "ALTER TABLE pgbench_history ADD COLUMN id bigserial PRIMARY KEY"
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
echo 'snapshot = off' >>"$store/daystream.conf"
daemon_start "$store" "$mnt"

# ---- no snapshot, and none to come

sql "INSERT INTO old VALUES (0, 'first', NULL)"
caught_up "$mnt"
exits "without a snapshot a mirror begins with the stream" 0 deltamirror --once "$mnt" "$mirror"
like "and says what it will not have" "$output" warning "older than the stream"
is "so it is" "$(sqlite3 "$mirror" 'SELECT count(*) FROM old')" 1
exits "a delete of what it never had does nothing" 0 deltamirror --once "$mnt" "$mirror"
rm -f "$mirror"

exits "--from has all of it all the same" 0 deltamirror --once --from "$conninfo" "$mnt" "$mirror"
mirror_once >/dev/null
equal_tables "every table equals PostgreSQL, without a snapshot"
is "it knows that it has all" "$(sqlite3 "$mirror" 'SELECT exact FROM _daystream')" 1
sql "CREATE DATABASE other"
exits "another database is refused" 1 deltamirror --once --from "$conninfo dbname=other" "$mnt" "$work/other.sqlite"
like "by its name" "$output" "database other"
check_not "and nothing is left" compgen -G "$work/other.sqlite*"

# ---- from a snapshot

check "a snapshot is taken" snapshot_taken
sql "UPDATE old SET v = 'changed' WHERE id % 7 = 0"
sql "DELETE FROM full_rows WHERE ctid IN (SELECT ctid FROM full_rows WHERE a = 3 LIMIT 50)"
caught_up "$mnt"
rm -f "$mirror"*
exits "a mirror starts from it" 0 deltamirror --once "$mnt" "$mirror"
like "says so, and how much it was" "$output" "snapshots/" "rows"
is "nothing is left beside it" "$(compgen -G "$mirror*")" "$mirror"
equal_tables "every table equals PostgreSQL"
exits "part of it, too" 0 deltamirror --once --tables 's.o%2Edd t,old' "$mnt" "$work/part.sqlite"
is "and no more" "$(sqlite3 "$work/part.sqlite" 'SELECT group_concat(name) FROM (SELECT name FROM _daystream_tables ORDER BY 1)')" \
	"old,s.o.dd t"
is "whole" "$(sqlite3 "$work/part.sqlite" 'SELECT count(*) FROM old')" 20001

# ---- a table that gets a name that is wanted

sql "CREATE TABLE left_out (id int PRIMARY KEY)"
sql "INSERT INTO left_out VALUES (1)"
for from in "--from=$conninfo" --; do
	exits "a mirror leaves a table out ($from)" 0 deltamirror --once --tables=full_rows,wanted "$from" "$mnt" "$work/named.sqlite"
	sql "ALTER TABLE left_out RENAME TO wanted"
	caught_up "$mnt"
	exits "renamed, it comes ($from)" 0 deltamirror --once --tables=full_rows,wanted "$mnt" "$work/named.sqlite"
	like "and is known to lack its older rows ($from)" "$output" 'warning: table "wanted" had another name.*--resync=TABLE'
	is "which stays known ($from)" "$(sqlite3 "$work/named.sqlite" "SELECT name FROM _daystream_tables WHERE inexact_since IS NOT NULL")" wanted
	sql "ALTER TABLE wanted RENAME TO left_out"
	rm -f "$work/named.sqlite"*
	snapshot_taken
	caught_up "$mnt"
done
sql "DROP TABLE left_out"

# ---- joining while others write

pgbench -n -c 4 -j 2 -T 20 >"$work/pgbench.log" 2>&1 &
bank=$!
snapshot_taken
for i in 1 2 3; do
	from=()
	[[ $i -ne 2 ]] || from=(--from "$conninfo")
	deltamirror "${from[@]}" "$mnt" "$work/join$i.sqlite" >"$work/join$i.log" 2>&1 &
	joined[i]=$!
	sleep 1
done
snapshot_taken
deltamirror --from "$conninfo" "$mnt" "$work/join4.sqlite" >"$work/join4.log" 2>&1 &
joined[4]=$!
wait $bank || true
caught_up "$mnt" 120
for i in 1 2 3 4; do
	check "mirror $i that joined is at work" alive "${joined[i]}"
	end_process "${joined[i]}"
	wait "${joined[i]}" || true
	exits "it comes to the end" 0 deltamirror --once "$mnt" "$work/join$i.sqlite"
	check "and equals PostgreSQL" "$root/contrib/compare-tables" -q "$work/join$i.sqlite"
done

# ---- interrupted

sql "CREATE TABLE wide (id int PRIMARY KEY, v text)"
sql "INSERT INTO wide SELECT i, md5(i::text) || md5((i + 1)::text) FROM generate_series(1, 600000) i"
snapshot_taken
rm -f "$mirror"*
building() { # until a building is under way, which takes seconds
	deltamirror "$@" "$mnt" "$mirror" >"$work/building.log" 2>&1 &
	pid=$!
	wait_for 30 "[[ -s '$mirror.building' ]] || ! alive $pid" "a building to begin"
	sleep 0.2
}
building
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
check_not "killed in the midst of building, there is no database" test -e "$mirror"
building
check "the next one begins anew, and says so" wait_for 30 "grep -q interrupted '$work/building.log'"
kill -TERM "$pid"
start=$SECONDS
exits "a signal ends the building" 0 wait "$pid"
check "promptly" test $((SECONDS - start)) -le 20
is "nothing is left" "$(compgen -G "$mirror*" || true)" ""
building --from "$conninfo"
kill -TERM "$pid"
exits "so it does while the server copies" 0 wait "$pid"
is "and nothing is left" "$(compgen -G "$mirror*" || true)" ""

# What somebody added to the mirror refuses a row, after a while; behind that one stands a value that somebody has locked.
sql "CREATE TABLE locked (id int PRIMARY KEY, v text)"
sql "ALTER TABLE locked ALTER v SET STORAGE EXTERNAL"
exits "a mirror of one table" 0 deltamirror --once --tables=locked --from "$conninfo" "$mnt" "$mirror"
sqlite3 "$mirror" "CREATE TRIGGER refuse BEFORE INSERT ON locked WHEN NEW.id = 2500 BEGIN
	SELECT count(*) FROM locked a, locked b WHERE a.v <> b.v; SELECT RAISE(ABORT, 'not this one'); END"
sql "INSERT INTO locked SELECT i, repeat('x', 1000) FROM generate_series(1, 4000) i"
sql "INSERT INTO locked VALUES (-1, repeat('y', 100000))"
index=$(sql "SELECT i.indexrelid::regclass FROM pg_class c JOIN pg_index i ON i.indrelid = c.reltoastrelid WHERE c.relname = 'locked'")
mkfifo "$work/locker"
psql -qX >/dev/null <"$work/locker" &
locker=$!
exec 7>"$work/locker"
echo "BEGIN; REINDEX INDEX $index;" >&7
held="SELECT count(*) FROM pg_locks WHERE relation = '$index'::regclass AND mode = 'AccessExclusiveLock' AND granted"
check "a value is locked" wait_for 30 '[[ $(sql "$held") == 1 ]]'
exits "an error of the mirror ends it while the server waits" 1 \
	timeout 60 deltamirror --once --resync --tables=locked --from "$conninfo" "$mnt" "$mirror"
like "with its own sentence" "$output" "error: .*not this one"
exec 7>&-
wait "$locker"
rm -f "$mirror"*
sql "DROP TABLE locked"

building
daemon_kill
sleep 2
check "a mirror waits for a mount that goes away meanwhile" alive "$pid"
daemon_start "$store" "$mnt"
wait_for 120 "[[ -e '$mirror' ]] || ! alive $pid"
check "it begins anew, and ends it" test -e "$mirror"
end_process "$pid"
wait "$pid" || true
mirror_once
equal_tables "and equals PostgreSQL"
plan
