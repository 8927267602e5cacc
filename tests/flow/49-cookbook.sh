#!/bin/bash
# The recipes of docs/COOKBOOK.md, as they stand there, against a real chain: what they make of the stream is what the server
# says, also where they are killed on the way.
# shellcheck disable=SC2016,SC2030,SC2031 # wait_for expands it; each host has a kitchen of its own
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

recipe() { # NAME: its text
	awk -v mark="<!-- recipe: $1 -->" '
		$0 == mark { found = 1; next }
		found && /^```/ { if (inside) exit; inside = 1; next }
		inside' "$root/docs/COOKBOOK.md"
}
is "each block of commands has a name" "$(grep -c '^```[a-z]' "$root/docs/COOKBOOK.md")" "$(grep -c '^<!-- recipe: ' "$root/docs/COOKBOOK.md")"

kitchen=$work/kitchen
mkdir "$kitchen"
export MNT=$mnt PYTHONPATH=$root/contrib
cook() { # NAME...: their text in one shell, in the kitchen
	(for name; do recipe "$name"; done) >"$work/$1.sh"
	(cd "$kitchen" && bash -e "$work/$1.sh")
}

declare -A pids
on_fire() { # NAME COMMAND...: goes on in the background, a process group of its own
	(cd "$kitchen" && exec setsid "${@:2}") >>"$work/$1.log" 2>&1 &
	pids[$1]=$!
}
start_all() {
	local name
	for name in cache counter kafka; do
		{
			recipe news
			recipe "$name"
		} >"$work/$name.sh"
		on_fire "$name" bash "$work/$name.sh"
	done
	on_fire tcl tclsh "$work/orders.tcl"
	on_fire python python3 "$work/orders.py"
}
kill_all() {
	local name
	for name in "${!pids[@]}"; do
		check "$name is at work" alive "${pids[$name]}"
		kill -KILL -- "-${pids[$name]}" 2>/dev/null || true
		wait "${pids[$name]}" 2>/dev/null || true
	done
	pids=()
}

# ---- a server whose clock is a day late at first, so that there is a day that is over

"${CC:-cc}" -shared -fPIC -o "$work/fault.so" "$root/tests/flow/fault.c"
mkdir "$work/there"
chmod 755 "$work/fault.so" "$work/there"
clock() { # SECONDS: how far the server's is ahead
	echo "$1" >"$work/there/clock.new"
	chmod 644 "$work/there/clock.new"
	mv "$work/there/clock.new" "$work/there/clock"
}
clock -86400
server_create
LD_PRELOAD=$work/fault.so FAULT=$work/there server_start
server_allow_plugin
psql -XqAt -v ON_ERROR_STOP=1 <<'SQL'
CREATE TABLE orders (id bigint PRIMARY KEY, state text, note text);
CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
-- What the recipe in Python counts, as the server sees it.
CREATE TABLE paid (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, day date);
CREATE FUNCTION paid() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO paid (day) VALUES ((now() AT TIME ZONE 'UTC')::date); RETURN NEW; END $$;
CREATE TRIGGER paid AFTER INSERT OR UPDATE ON orders FOR EACH ROW WHEN (NEW.state = 'paid') EXECUTE FUNCTION paid();
CREATE PROCEDURE traffic(n int) LANGUAGE plpgsql AS $$
DECLARE
	one bigint;
BEGIN
	FOR i IN 1..n LOOP
		SELECT id INTO one FROM orders WHERE id % 10 <> 7 AND id NOT IN (4711, 4712) ORDER BY random() LIMIT 1;
		CASE i % 6
			WHEN 0 THEN DELETE FROM orders WHERE id = one;
			WHEN 1 THEN UPDATE orders SET id = (SELECT max(id) / 10 * 10 + 11 FROM orders) WHERE id = one;
			WHEN 2 THEN UPDATE orders SET state = 'paid' WHERE id = one;
			WHEN 3 THEN UPDATE orders SET note = E'a tab\t, a line\n, a \\ and ü \\N' || i WHERE id = one;
			ELSE INSERT INTO orders SELECT max(id) / 10 * 10 + 11 + i % 2, 'new', CASE i % 4 WHEN 0 THEN '' END FROM orders;
				INSERT INTO items (note) VALUES (i);
		END CASE;
		COMMIT;
	END LOOP;
END $$;
INSERT INTO orders SELECT i, 'new' FROM generate_series(1, 40) i;
INSERT INTO items (note) VALUES ('old');
SQL
counted() { # what the server counted of both tables
	sql "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname IN ('orders', 'items') ORDER BY 1"
}
# A session counts when it ends, which psql does not wait for.
wait_for 60 '[[ $(counted) == $'"'"'items\t1\t0\t0\norders\t40\t0\t0'"'"' ]]' "the server to have counted"
before=$(counted)
stream_up
wait_for 30 "[[ -n \$(status_of '$mnt' snapshot) ]]"

sql "UPDATE orders SET state = 'seen'"
sql "INSERT INTO orders VALUES (4711, 'new')"
sql "UPDATE orders SET state = 'paid' WHERE id = 4711"
sql "UPDATE orders SET id = 4712, note = 'moved' WHERE id = 4711"
sql "CALL traffic(60)"
sql "DELETE FROM orders WHERE id = 4712"
sql "SELECT * FROM orders ORDER BY id" >"$work/yesterday"
caught_up "$mnt"

# ---- all that goes on, while the table changes, killed three times

broker_start() {
	rm -f "$work/broker"
	kcat -C -b mock -X test.mock.num.brokers=1 -t orders -o beginning -u -Z -q -K '|' >"$work/received" 2>"$work/broker" &
	broker=$!
	wait_for 60 "[[ -e '$work/broker' ]] && grep -c 'replaced with 127' '$work/broker' >/dev/null"
	BROKER=$(sed -nE 's/.*replaced with (127[0-9.:]*).*/\1/p' "$work/broker")
	export BROKER
}
broker_start
recipe orders.tcl >"$work/orders.tcl"
recipe orders.py >"$work/orders.py"
clock 0
start_all
wait_for 60 "[[ -e $kitchen/cache.position.generation ]]" "the cache to be empty, and followed"
sql "SELECT id FROM orders" | while read -r id; do
	sql "SELECT * FROM orders WHERE id = $id" >"$kitchen/cache/orders/$id"
done
for _ in 1 2 3; do
	sql "CALL traffic(120)"
	kill_all
	sql "CALL traffic(60)"
	start_all
	sleep 1
done
daemon_stop
daemon_start "$store" "$mnt"

# A window, known to the second, that ends before other work.
next_second() { sql "SELECT pg_sleep(1.05 - extract(microseconds FROM clock_timestamp())::int % 1000000 / 1e6)"; }
sql "INSERT INTO orders VALUES (90000, 'new'), (90007, 'gone')"
next_second >/dev/null
FROM=$(sql "SELECT date_trunc('second', clock_timestamp())")
sql "SELECT * FROM orders ORDER BY id" >"$work/from"
sql "UPDATE orders SET state = 'paid' WHERE id = 90000"
sql "DELETE FROM orders WHERE id = 90007"
sql "INSERT INTO orders VALUES (9900017, 'none of this'); INSERT INTO items (note) VALUES ('three'), ('of'), ('them')"
sql "DELETE FROM orders WHERE id = 9900017"
sql "SELECT * FROM orders ORDER BY id" >"$work/to"
next_second >/dev/null
TO=$(sql "SELECT date_trunc('second', clock_timestamp())")
export FROM TO
sql "CALL traffic(30)"
caught_up "$mnt"

# ---- 1, 2, 3

is "1: a row's history, also under another key" "$(cook history | sed -E 's/^[0-9-]+ [0-9:]+ [0-9]+ //')" "insert  id=4711  state=new  note=\\N
update  id=4711  state=paid  note=\\N
replace  id=4711
update  id=4712  state=paid  note=moved
delete  id=4712"
like "with the time of each change" "$(cook history | head -n 1)" "^$(date -u -d yesterday +%F) [0-9:]{8} [0-9]+ insert"
is "2: what changed between two times" "$(cook changes | grep -v paid)" "3 items  insert
2 orders  delete
1 orders  insert
1 orders  update"
is "3: the net difference of two mirrors" "$(cook replay 2>"$work/replay.log" | sort)" "DELETE FROM orders WHERE id=90007;
UPDATE orders SET state='paid' WHERE id=90000;"
query() { # DB STATEMENT: also while somebody writes
	sqlite3 -cmd '.timeout 10000' -separator $'\t' "$@"
}
orders_of() { # DB
	query "$1" "SELECT * FROM orders ORDER BY id"
}
is "the one is what the server had at the first time" "$(orders_of "$kitchen/before.sqlite")" "$(<"$work/from")"
is "the other what it had at the second" "$(orders_of "$kitchen/after.sqlite")" "$(<"$work/to")"

# ---- 4, 5, 6, 9, 10: until they have come to the end

sql "SELECT * FROM orders ORDER BY id" >"$work/orders"
after=$(counted)
counts_wanted() {
	paste <(echo "$before") <(echo "$after") | awk -F '\t' -v OFS='\t' '
		{ if ($6 - $2) print $1, "insert", $6 - $2; if ($7 - $3) print $1, "update", $7 - $3; if ($8 - $4) print $1, "delete", $8 - $4 }' | sort
}
counts_got() { grep -P '^(orders|items)\t' "$kitchen/counts" | sort; }
wait_for 60 '[[ $(counts_got) == "$(after=$(counted); counts_wanted)" ]]' || true
after=$(counted)
is "5: the counter has what the server counted" "$(counts_got)" "$(counts_wanted)"
last_values() { # of each key that Kafka has a value of: as a row
	awk -F '|' '{ last[$1] = substr($0, length($1) + 2) } END { for (key in last) if (last[key] != "NULL") print key "\t" last[key] }' "$work/received" |
		awk -F '\t' '{ for (i = 2; i < NF; i += 2) pair[$i] = $(i + 1); print $1 "\t" pair["id"] "\t" pair["state"] "\t" pair["note"] }' | sort
}
rows_wanted() { psql -XqAt -c "COPY (SELECT id, id, state, note FROM orders) TO STDOUT" | sort; }
wait_for 60 '[[ $(last_values) == "$(rows_wanted)" ]]' || true
is "6: the last value of each key is the row" "$(last_values)" "$(rows_wanted)"
check "deleted keys have a tombstone" grep -qx '4712|NULL' "$work/received"
check "and so has a key that changed" grep -qx '4711|NULL' "$work/received"
same_rows() { diff <(orders_of "$kitchen/orders.sqlite") "$work/orders" >"$work/diff"; }
wait_for 60 same_rows || true
check "9: the table that Tcl keeps is the server's" same_rows
sql "INSERT INTO orders SELECT 95007, 'new', string_agg(md5(i::text), '') FROM generate_series(1, 3000) i"
sql "UPDATE orders SET state = 'seen' WHERE id = 95007"
caught_up "$mnt"
is "a value may be unchanged, and then it is absent" "$(grep -cP '\tid\t95007\tstate\tseen$' "$mnt/tables/orders")" 1
sql "SELECT * FROM orders ORDER BY id" >"$work/orders"
wait_for 60 same_rows || true
check "what is unchanged stays" same_rows
paid_got() { query "$kitchen/python.sqlite" "SELECT * FROM paid ORDER BY 1"; }
paid_wanted() { sql "SELECT day, count(*) FROM paid GROUP BY 1 ORDER BY 1"; }
wait_for 60 '[[ $(paid_got) == "$(paid_wanted)" ]]' || true
is "10: Python has counted each once" "$(paid_got)" "$(paid_wanted)"
is "the day that is over and today" "$(paid_got | wc -l)" 2
stale() { # files that are not as the row is now
	for file in "$kitchen"/cache/orders/*; do
		grep -qxF -- "$(<"$file")" "$work/rows" || echo "${file##*/}"
	done
}
psql -XqAt -F $'\t' -c "SELECT * FROM orders" >"$work/rows"
wait_for 60 '[[ -z $(stale) ]]' || true
is "4: the cache has nothing that is old" "$(stale)" ""
is "and all that did not change" "$(find "$kitchen/cache/orders" -name '*7' | wc -l)" "$(sql "SELECT count(*) FROM orders WHERE id % 10 = 7 AND id < 90000")"
sql "TRUNCATE orders"
wait_for 60 '[[ -z $(ls "$kitchen/cache/orders") ]]' || true
is "a TRUNCATE empties it" "$(ls "$kitchen/cache/orders")" ""
wait_for 60 '[[ -z $(orders_of "$kitchen/orders.sqlite") ]]' || true
is "and what Tcl keeps" "$(orders_of "$kitchen/orders.sqlite")" ""
kill_all
end_process "$broker"
sql "INSERT INTO orders VALUES (1005, 'sent later')"
caught_up "$mnt"
sed 's/^while .* do \(.*\); done$/\1/' "$work/kafka.sh" >"$work/kafka-once.sh"
was=$(<"$kitchen/kafka.position")
cd "$kitchen"
exits "6: where there is no broker, that is an error" 1 bash "$work/kafka-once.sh"
is "and the position stays" "$(<kafka.position)" "$was"
broker_start
exits "when there is one again, it goes on" 0 bash "$work/kafka-once.sh"
cd "$root"
wait_for 60 "grep -c '^1005.*sent later' '$work/received' >/dev/null" || true
like "with what came meanwhile" "$(<"$work/received")" "^1005.*sent later"
end_process "$broker"

# ---- 7, 8

sql "INSERT INTO orders SELECT i, 'new', 'row ' || i FROM generate_series(1, 500) i"
sql "INSERT INTO orders VALUES (2000, '', NULL), (2001, E'\\\\N', E'\\t \\\\t \\\\ \\n \\r \\b \\f \\v ü')"
caught_up "$mnt"
mkdir "$work/a" "$work/b"
on_host() { # HOST NAME...
	(kitchen=$work/$1 && cook "${@:2}" 2>>"$work/hosts.log")
}
deltamirror --once "$mnt" "$work/a/shop.sqlite" 2>"$work/hosts.log"
sql "UPDATE orders SET state = 'seen' WHERE id < 100"
caught_up "$mnt"
deltamirror --once "$mnt" "$work/b/shop.sqlite" 2>>"$work/hosts.log"
a=$(on_host a copy) b=$(on_host b copy)
check "two hosts are not equally far" test "$a" != "$b"
P=$(printf '%s\n' "$a" "$b" | sort -t . -k 1,1n -k 2,2n | tail -n 1)
export P
a=$(on_host a copy compare | tail -n 2) b=$(on_host b copy compare | tail -n 2)
is "7: two hosts have the same as of the same commit" "$a" "$b"
is "which is the later one's" "$(head -n 1 <<<"$a")" "$P"
sqlite3 "$work/b/shop.sqlite" "UPDATE orders SET note = 'wrong' WHERE id = 300"
check "a row that differs" test "$(on_host b copy compare | tail -n 2)" != "$a"
is "is found by sqldiff" "$(sqldiff --primarykey --table orders "$work/a/copy.sqlite" "$work/b/copy.sqlite")" \
	"UPDATE orders SET note='wrong' WHERE id=300;"

day=$(date -u -d yesterday +%F)
mkdir "$kitchen/archive"
echo "half of it" >"$kitchen/archive/$day.zst.new"
cook archive
is "8: the days that are over are in the archive" "$(ls "$kitchen/archive")" "$day.zst"
check "as they are" cmp <(zstd -q -d -c "$kitchen/archive/$day.zst") "$mnt/days/$day"
was=$(stat -c '%i %y' "$kitchen/archive/$day.zst")
cook archive
is "none is taken twice" "$(stat -c '%i %y' "$kitchen/archive/$day.zst")" "$was"
check "it is read back" cook history unarchive
is "as a table, of the end of that day" "$(orders_of "$kitchen/then.sqlite")" "$(<"$work/yesterday")"
sql "SELECT json_agg(orders ORDER BY id) FROM orders" >"$work/orders.json"
check "Python has every value as the server has it" python3 -c "
import daystream, json
rows, old = {}, {}
for transaction in daystream.Reader('$mnt').transactions():
    for change in transaction.changes:
        if change.table != 'orders':
            continue
        if change.action == 'truncate':
            rows = {}
        elif change.action == 'delete':
            rows.pop(change.row['id'], None)
        elif change.action == 'replace':
            old = rows.pop(change.row['id'])
        else:
            rows[change.row['id']] = {**old, **rows.get(change.row['id'], {}), **change.row}
            old = {}
wanted = [{**row, 'id': str(row['id'])} for row in json.load(open('$work/orders.json'))]
assert sorted(rows.values(), key=lambda row: int(row['id'])) == wanted and len(wanted) > 500"
check "and checked, from Python" python3 -c "
import daystream, os, sys
os.makedirs('$work/day')
os.symlink('$mnt/days/$day', '$work/day/live')
assert len(list(daystream.Reader('$work/day').transactions())) > 60
assert daystream.crc32c(b'123456789') == 0xE3069283
with open('$mnt/days/$day', 'rb') as day:
    lines = day.read()
os.unlink('$work/day/live')
with open('$work/day/live', 'wb') as day:
    day.write(lines.replace(b'paid', b'said', 1))
try:
    list(daystream.Reader('$work/day').transactions())
    sys.exit('wrong bytes were not noticed')
except daystream.Damaged as error:
    print(error)"

# ---- a mount that goes away is told once; a new generation ends who keeps rows

cat >"$work/follow.py" <<'PYTHON'
import daystream, os, sys
reader = daystream.Reader(os.environ["MNT"])
list(reader.transactions())
print("position", reader.position, flush=True)
try:
    for transaction in reader.follow():
        print("transaction", transaction.lsn, flush=True)
except daystream.NewGeneration as error:
    print(error, file=sys.stderr)
    print("new", len([*daystream.Reader(os.environ["MNT"], error.position).transactions()]) > 0)
PYTHON
status_of "$mnt" position | awk -F . '{ print $1 "/" $2 + 1 }' >"$kitchen/late.position"
(recipe news && echo 'news late.position tables/orders cat') >"$work/late.sh"
late() { (cd "$kitchen" && bash "$work/late.sh"); }
check "a loop of the shell goes on" late
on_fire tcl tclsh "$work/orders.tcl"
on_fire follow python3 "$work/follow.py"
wait_for 60 "grep '^position' '$work/follow.log'" "the reader" >/dev/null
sql "INSERT INTO orders VALUES (990001, 'before')"
wait_for 60 "grep '^transaction' '$work/follow.log'" "a transaction" >/dev/null
wait_for 60 "[[ \$(orders_of '$kitchen/orders.sqlite') == *990001* ]]" "Tcl's row"
daemon_stop
away() { [[ $(grep -c 'waiting for it' "$work/follow.log") -ge $1 ]]; }
wait_for 60 "away 1" "the reader to see that the mount is away"
sleep 1.5
daemon_start "$store" "$mnt"
wait_for 60 "grep 'is there again' '$work/follow.log'" "the reader to come back" >/dev/null
daemon_stop
wait_for 60 "[[ \$(sql \"SELECT pg_drop_replication_slot('daystream')\") == '' ]]"
sql "DELETE FROM orders WHERE id = 990001"
wait_for 60 "away 2" "the reader to see that the mount is away again"
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
daemon_start "$store" "$mnt"
wait_for 60 "! alive ${pids[follow]} && ! alive ${pids[tcl]}" "the readers to end"
is "a mount that is away is said once a time, from Python" "$(grep -c 'waiting for it' "$work/follow.log")" 2
is "another generation is an exception, which knows where it begins" "$(tail -n 1 "$work/follow.log")" "new True"
like "with a sentence" "$(cat "$work/follow.log")" "a new generation begins at [0-9]+/[0-9]+/2"
is "Tcl's reader ends with one, too" "$(grep -c 'a new generation: remove orders.sqlite' "$work/tcl.log")" 1
exits "and a loop of the shell" 1 late
like "with a sentence" "$output" "a new generation: begin anew"
pids=()
plan
