#!/bin/bash
# A mirror comes anew: all of it in one transaction, where it has fallen off what is retained or the
# generation is over; or one table, while the others go on. Readers always see whole tables.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
sql "CREATE TABLE t (id int PRIMARY KEY, v text)"
sql "INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100000) i"
sql "CREATE TABLE gone (id int PRIMARY KEY)"
sql "CREATE TABLE keyless (a int)"
sql "INSERT INTO keyless SELECT generate_series(1, 10)"
pgbench -q -i -s 1 >/dev/null 2>&1
sql "ALTER TABLE pgbench_history ADD COLUMN id bigserial PRIMARY KEY"
stream_up
echo 'segment_size = 1048576' >>"$store/daystream.conf" # several, to lose the oldest
daemon_stop
daemon_start "$store" "$mnt"
snapshot_taken
mirror_once >"$work/mirror.log" 2>&1
deltamirror --once "$mnt" "$work/early.sqlite" >"$work/early.log" 2>&1

ask() { sqlite3 -cmd '.timeout 30000' "$mirror" "$1"; }
ask "CREATE INDEX t_mine ON t (v)"
ask "CREATE VIEW t_seen AS SELECT count(*) AS n FROM t"
ask "CREATE TABLE t_log (n)"
ask "CREATE TRIGGER t_watch AFTER INSERT ON pgbench_history BEGIN INSERT INTO t_log VALUES (1); END"
people=$(ask "SELECT name FROM sqlite_master WHERE name IN ('t_mine', 't_seen', 't_log', 't_watch') ORDER BY 1")

# ---- what cannot be placed

sql "UPDATE keyless SET a = a + 1 WHERE a < 5"
caught_up "$mnt"
exits "what cannot be placed does not end a mirror" 0 deltamirror --once "$mnt" "$mirror"
like "it is said" "$output" keyless "replica identity" resync
is "and marked" "$(ask "SELECT name FROM _daystream_tables WHERE inexact_since NOT NULL")" keyless

exits "a snapshot from before it does not help" 1 deltamirror --once --resync=keyless "$mnt" "$mirror"
like "which is said, and what does" "$output" "table keyless" "daystream snapshot" "--from"

# ---- one table, with traffic on it, and a reader who looks all the time

ask "DELETE FROM t WHERE id % 2 = 0"
sql "DELETE FROM t WHERE id = 2"
caught_up "$mnt"
exits "a row that is missing is an error now" 1 deltamirror --once "$mnt" "$mirror"
like "which names table, key and remedy" "$output" "table t" "id 2" "--resync=t"
snapshot_taken
pgbench -n -c 2 -T 12 >"$work/pgbench.log" 2>&1 &
bank=$!
writer() { # changes t, always by two rows at once
	local end=$((SECONDS + 12)) i=200000
	while ((SECONDS < end)); do
		i=$((i + 2))
		sql "INSERT INTO t VALUES ($i, 'new'), ($((i + 1)), 'new')"
		sql "UPDATE t SET v = 'even' WHERE id = $((i % 1000 * 2 + 4))"
	done
}
writer &
writing=$!
reader() { # the old copy has 50000 and what is written to it meanwhile; always an even number of new ones
	while [[ ! -e $work/enough ]]; do
		ask "SELECT CASE WHEN n = 99999 THEN 'new' WHEN n < 51000 THEN 'old' ELSE n END, (SELECT count(*) FROM t WHERE id > 100000) % 2,
			(SELECT sum(abalance) FROM pgbench_accounts) IS (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
			FROM (SELECT count(*) AS n FROM t WHERE id <= 100000)" >>"$work/seen"
		sleep 0.05
	done
}
reader &
reading=$!
wait_for 60 "[[ -s $work/seen ]]" "the reader's first look"
deltamirror --resync=t --resync=keyless "$mnt" "$mirror" >"$work/resync.log" 2>&1 &
pid=$!
wait_for 60 "grep -q 'is new in' '$work/resync.log' || ! alive $pid" "the tables to be new"
like "they are new" "$(cat "$work/resync.log")" "keyless,t is new"
wait $writing
wait $bank || true
caught_up "$mnt"
wait_for 60 "[[ \$(ask 'SELECT max(id) FROM t') == $(sql 'SELECT max(id) FROM t') ]] || ! alive $pid"
check "the mirror went on meanwhile" alive "$pid"
wait_for 60 "grep -q ^new '$work/seen'" "the reader to see them" || true
touch "$work/enough"
wait $reading
end_process "$pid"
wait "$pid" || true
is "readers saw the old rows or the new ones, whole" "$(sort -u "$work/seen" | paste -sd ' ')" "new|0|1 old|0|1"
note "$(wc -l <"$work/seen") looks"
mirror_once >/dev/null
equal_tables "and every table equals PostgreSQL"
is "the mark is gone" "$(ask "SELECT count(inexact_since) FROM _daystream_tables")" 0
is "what people added is there" "$(ask "SELECT name FROM sqlite_master WHERE name IN ('t_mine', 't_seen', 't_log', 't_watch') ORDER BY 1")" "$people"
exits "a table that is nowhere" 1 deltamirror --once --resync=nowhere "$mnt" "$mirror"
like "is named" "$output" nowhere
exits "a misspelt one is a usage error" 2 deltamirror --once --resync=a.b.c "$mnt" "$mirror"

# ---- all of it

ask "UPDATE t SET v = 'wrong'"
sql "DROP TABLE gone"
sql "INSERT INTO keyless VALUES (99)"
snapshot_taken
caught_up "$mnt"
deltamirror --resync --once "$mnt" "$mirror" >"$work/resync.log" 2>&1 &
pid=$!
wait_for 30 "grep -q anew '$work/resync.log'"
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
is "killed in the midst, the old copy is there" "$(ask "SELECT count(*) FROM t WHERE v <> 'wrong'")" 0
exits "the next one ends it" 0 deltamirror --resync --once "$mnt" "$mirror"
equal_tables "and every table equals PostgreSQL"
is "a table that is no more is dropped" "$(ask "SELECT count(*) FROM sqlite_master WHERE name = 'gone'")" 0
is "what people added is there still" "$(ask "SELECT name FROM sqlite_master WHERE name IN ('t_mine', 't_seen', 't_log', 't_watch') ORDER BY 1")" "$people"

# ---- off the edge: the mirror's position is older than the oldest line

for _ in 1 2; do # more than a segment takes, however little came before
	sql "UPDATE t SET v = v"
done
mirror_once >/dev/null
daemon_stop
mapfile -t segments < <(find "$store/segments" -name '*.day' | sort -V)
note "${#segments[@]} segments"
for segment in "${segments[@]::${#segments[@]}-1}"; do
	rm "${segment%.day}".*
done
daemon_start "$store" "$mnt"
exits "a mirror that has fallen off what is retained ends" 1 deltamirror --once "$mnt" "$work/early.sqlite"
like "and says so, and what helps" "$output" "no longer retained" "--resync"
exits "--resync brings it there" 0 deltamirror --resync --once "$mnt" "$work/early.sqlite"
check "and every table equals PostgreSQL" "$root/contrib/compare-tables" -q "$work/early.sqlite"

# ---- a generation that is over

daemon_stop
slot_free
daystream drop --yes "$store" >/dev/null 2>&1
daystream init "$store" >/dev/null 2>&1
sql "INSERT INTO t VALUES (-1, 'nobody saw this')"
daemon_start "$store" "$mnt"
snapshot_taken
caught_up "$mnt"
exits "a mirror of the generation before ends" 1 deltamirror --once "$mnt" "$mirror"
like "and says why, and what helps" "$output" generation "--resync"
exits "--resync brings it there" 0 deltamirror --resync --once "$mnt" "$mirror"
equal_tables "and every table equals PostgreSQL"
ask "UPDATE t SET v = 'wrong'"
exits "the server does it as well" 0 deltamirror --resync --from "$conninfo" --once "$mnt" "$mirror"
equal_tables "and every table equals PostgreSQL"

# ---- a table that had another name when the snapshot was taken, and one that somebody dropped from the mirror

newest=$(readlink "$mnt/snapshots/latest")
sql "CREATE TABLE later (a int PRIMARY KEY)"
sql "INSERT INTO later VALUES (1), (2)"
sql "ALTER TABLE later RENAME TO renamed"
sql "ALTER TABLE t RENAME TO tt"
mirror_once
is "the snapshot is older" "$(readlink "$mnt/snapshots/latest")" "$newest"
for table in renamed tt; do
	exits "a table that was renamed since is not brought from it" 1 deltamirror --once --resync="$table" "$mnt" "$mirror"
	like "with the reason" "$output" "$table had another name"
done
equal_tables "and keeps its rows"
exits "a mirror of such a table alone" 0 deltamirror --once --tables=tt "$mnt" "$work/tt.sqlite"
is "says that its older rows are missing" "$(sqlite3 "$work/tt.sqlite" "SELECT inexact_since NOT NULL FROM _daystream_tables")" 1
exits "from the server it comes" 0 deltamirror --once --resync=tt --from "$conninfo" "$mnt" "$mirror"
snapshot_taken
exits "and from a newer snapshot" 0 deltamirror --once --resync=renamed "$mnt" "$mirror"
ask "DROP TABLE renamed"
exits "--verify fails for what somebody dropped" 1 deltamirror --wait=1 --verify "$conninfo" "$mirror"
like "and for that only" "$output" $'^renamed\tFAILED' $'^tt\tequal'
exits "--resync=TABLE brings it back" 0 deltamirror --once --resync=renamed "$mnt" "$mirror"
ask "DROP TABLE renamed"
exits "so does --resync" 0 deltamirror --once --resync "$mnt" "$mirror"
equal_tables "and every table equals PostgreSQL"

# ---- tables that somebody broke, of which there are changes to come

for how in --resync=tt --resync; do
	n=$RANDOM
	while IFS= read -r broken; do
		ask "$broken"
		sql "UPDATE tt SET v = v || 'y' WHERE id < 100"
		sql "INSERT INTO tt SELECT max(id) + 1, 'z' FROM tt"
		caught_up "$mnt"
		exits "a mirror does not go on over it ($broken)" 1 deltamirror --once "$mnt" "$mirror"
		like "but says what helps" "$output" "table tt.*somebody.*--resync=tt"
		exits "which it does ($how)" 0 deltamirror --once "$how" "$mnt" "$mirror"
		like "and is said" "$output" 'warning: somebody has dropped or changed table "tt"'
		equal_tables "so that every table equals PostgreSQL"
		ask "CREATE INDEX IF NOT EXISTS t_mine ON tt (v)"
	done <<-BROKEN
		DROP TABLE tt
		ALTER TABLE tt RENAME COLUMN v TO w$n
		PRAGMA legacy_alter_table = ON; CREATE TABLE other AS SELECT * FROM tt; DROP TABLE tt; ALTER TABLE other RENAME TO tt
	BROKEN
done
ask "CREATE UNIQUE INDEX one ON tt (substr(v, 1, 0) || id % 90000) WHERE id > 90000"
sql "INSERT INTO tt SELECT 180000 + i, 'z' FROM generate_series(1, 2) i"
caught_up "$mnt"
exits "nor over a unique index that somebody added" 1 deltamirror --once "$mnt" "$mirror"
like "which it says to undo" "$output" "table tt.*UNIQUE.*undo what somebody"
ask "DROP INDEX one"
mirror_once
equal_tables "without it, every table equals PostgreSQL"

plan
