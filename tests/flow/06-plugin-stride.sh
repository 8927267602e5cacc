#!/bin/bash
# Records that are decoded one after the other, where there is much log to read: the same lines, the server ends when it is
# told to, and a client is heard as soon as before.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

receive=$root/tests/flow/receive.py

server_create
as_server tee -a "$server/data/postgresql.conf" >/dev/null <<-CONF
	max_prepared_transactions = 10
	checkpoint_timeout = 1h
CONF
server_start
server_allow_plugin

slot_new() { sql "SELECT pg_create_logical_replication_slot('$1', 'deltaflood')" >/dev/null; }
flushed() { # all of it
	sql "SELECT pg_logical_emit_message(true, 'flush', '')" >/dev/null
	sql "SELECT pg_current_wal_flush_lsn()"
}
asked() { sql "SELECT data FROM pg_logical_slot_peek_changes('$1', '$2', NULL)"; } # SLOT END
recvlogical=(pg_recvlogical -d "$PGDATABASE" --start --no-loop)
walsender_waits() { [[ $(sql "SELECT wait_event FROM pg_stat_replication JOIN pg_stat_activity USING (pid)") == "$1" ]]; }
place_is_told() { [[ $(sql "SELECT write_lsn = sent_lsn AND sent_lsn = pg_current_wal_flush_lsn() FROM pg_stat_replication") == t ]]; }

sql "CREATE TABLE small (id int PRIMARY KEY, body text)"
small() { # COUNT BYTES: so many transactions of one row, quickly
	sql -c "SET synchronous_commit = off" "DO \$\$ BEGIN FOR i IN 1..$1 LOOP
		INSERT INTO small SELECT count(*), repeat('x', $2) FROM small; COMMIT; END LOOP; END \$\$"
}

# ---- a record that is flushed in part: up to the end of a segment, which is near, but more than is left to the walsender

writer=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
background=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'")
kill -STOP "$background" # it would write records, too
segment_nearly_full() {
	sql "SELECT pg_switch_wal()" >/dev/null
	for spare in 900000 600000; do
		sql "SELECT pg_logical_emit_message(false, 'fill', repeat('x',
			((16777216 - (pg_current_wal_insert_lsn() - '0/0') % 16777216) * 0.997)::int - $spare))" >/dev/null
	done
	flushed >/dev/null
}
large_begins() {
	kill -STOP "$writer"
	rm -f "$work/go"
	[[ ${1:-} != small ]] || small 300 100
	psql -XqAt -c "BEGIN" -c "SELECT pg_logical_emit_message(true, 'large', repeat('x', 3000000))" \
		-c "\\! while ! [ -e '$work/go' ]; do sleep 0.05; done" -c "COMMIT" >/dev/null &
	session=$!
	wait_for 20 "[[ \$(sql \"SELECT (pg_current_wal_flush_lsn() - '0/0') % 16777216\") == 0 ]]" "the first part"
}
large_ends() {
	touch "$work/go"
	kill -CONT "$writer"
	wait "$session"
}

slot_new asked
slot_new held
segment_nearly_full
large_begins small
"${recvlogical[@]}" -S held -s 1 -f "$work/held" 2>"$work/log" &
receiver=$!
check "small transactions, then a record that has not come wholly" wait_for 20 "walsender_waits WalSenderWaitForWAL"
check "their lines do not wait for it" wait_for 5 "[[ \$(grep -c '_action.insert' '$work/held') == 300 ]]"
large_ends
check "it is read when it is there" wait_for 20 "grep -q 'prefix.large' '$work/held'"

segment_nearly_full
wait_for 20 "place_is_told && walsender_waits WalSenderWaitForWAL" "the walsender to be where the log ends"
large_begins
sleep 0.5 # it is told of the first part
large_ends
small 100 100
end=$(flushed)
check "where it waits there, too" wait_for 20 "[[ \$(grep -c '_action.insert' '$work/held') == 400 ]]"
end_process "$receiver" INT
wait "$receiver" || true
asked asked "$end" >"$work/asked"
check "nothing comes twice" cmp "$work/held" "$work/asked"
slot_drop held
slot_drop asked

# ---- much log of all kinds

slots=(asked whole cut slow)
for slot in "${slots[@]}"; do
	slot_new "$slot"
done
pgbench -q -i -s 1 >/dev/null 2>&1
cat >"$work/mixed.sql" <<'SQL'
\set id random(1, 100000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :id;
SAVEPOINT a;
UPDATE pgbench_accounts SET filler = repeat('y', 60) WHERE aid = :id % 100 + 1;
SAVEPOINT b;
INSERT INTO pgbench_history (tid, aid) VALUES (1, :id);
ROLLBACK TO b;
SELECT pg_logical_emit_message(true, 'some', repeat('m', :id % 9000));
SELECT pg_logical_emit_message(false, 'outside', repeat('n', :id));
COMMIT;
SQL
pgbench -n -c 4 -t 150 -f "$work/mixed.sql" >/dev/null 2>&1 &
mixed=$!
for i in 1 2 3; do
	sql "CREATE TABLE ddl$i (a int PRIMARY KEY, b text); INSERT INTO ddl$i SELECT n, repeat('z', n % 3000) FROM generate_series(1, 2000) n"
	sql "ALTER TABLE ddl$i ALTER a TYPE bigint; UPDATE ddl$i SET b = b || 'x' WHERE a % 7 = 0; ALTER TABLE ddl$i ADD c int DEFAULT $i"
	sql -c "BEGIN" -c "INSERT INTO ddl$i VALUES (-1, 'prepared')" "PREPARE TRANSACTION 'p$i'"
	sql "CHECKPOINT"
	sql "DO \$\$ BEGIN FOR i IN 1..200 LOOP BEGIN INSERT INTO ddl$i VALUES (10000 + i, i); PERFORM 1 / (i % 3);
		EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END \$\$"
	sql "SELECT pg_logical_emit_message(true, 'big', repeat('b', 5000000)), pg_logical_emit_message(false, 'big', repeat('c', 5000000))" >/dev/null
	sql "COMMIT PREPARED 'p$i'"
	small 1000 30
	sql "SELECT pg_switch_wal()" >/dev/null
done
wait "$mixed"
sql "UPDATE pgbench_accounts SET abalance = 0 WHERE aid <= 30000; TRUNCATE pgbench_history; DELETE FROM ddl1"
pgbench -n -c 4 -t 200 >/dev/null 2>&1
end=$(flushed)
asked asked "$end" >"$work/asked"
check "there is much to read" test "$(grep -c '_action.commit' "$work/asked")" -ge 4000
"${recvlogical[@]}" -S whole -s 1 -f "$work/whole" 2>"$work/log" &
receiver=$!
wait_for 60 "[[ \$(stat -c %s '$work/whole') == $(stat -c %s "$work/asked") ]]" "all to come"
check "the walsender tells its place when it is where the log ends" wait_for 5 place_is_told
end_process "$receiver" INT
wait "$receiver" || true
kill -CONT "$background"
check "the same comes" cmp "$work/whole" "$work/asked"

# Streams that are cancelled, each second one asks for every line by itself; connections that are cut off; settings that
# are read again.
"$receive" follow cut "$end" "$work/cut" >"$work/streams" &
receiver=$!
while alive "$receiver"; do
	sleep 0.1$((RANDOM % 90 + 10))
	how=(pg_cancel_backend pg_cancel_backend pg_terminate_backend)
	sql "SELECT ${how[RANDOM % 3]}(pid), pg_reload_conf() FROM pg_stat_replication" >/dev/null
done
wait "$receiver"
grep -v '_action.\(schema\|begin\|commit\)' "$work/asked" >"$work/asked.changes" # a new stream defines tables anew, also in transactions of their own
grep -v '_action.\(schema\|begin\|commit\)' "$work/cut" >"$work/cut.changes"
check "the same comes where streams end early" diff "$work/cut.changes" "$work/asked.changes"
check "many of them" test "$(wc -l <"$work/streams")" -ge 5

# Sent to somebody slow who answers at once, and for whom commits wait.
sql "ALTER SYSTEM SET wal_sender_timeout = '1s'"
sql "ALTER SYSTEM SET synchronous_standby_names = 'receive'"
reload
PAUSE=0.0005 "$receive" follow slow FFFFFFFF/0 "$work/slow" >"$work/streams" &
receiver=$!
check "commits wait for a client with much to read, and end" timeout 60 pgbench -n -c 4 -t 5
kill "$receiver"
wait "$receiver" || true
head -c "$(stat -c %s "$work/asked")" "$work/slow" >"$work/slow.head"
check "a slow client gets the same" cmp "$work/slow.head" "$work/asked"
is "in one stream" "$(wc -l <"$work/streams")" 1
sql "ALTER SYSTEM RESET wal_sender_timeout"
sql "ALTER SYSTEM RESET synchronous_standby_names"
reload
for slot in "${slots[@]}"; do
	slot_drop "$slot"
done

# ---- a client that is done

slot_new leaving
small 3000 1500
is "said with its request: nothing is sent" "$("$receive" leave leaving)" 0
for bytes in 1400 1100 800 500; do # so that what it waits in is another record each time
	slot_drop leaving
	slot_new leaving
	small 3000 $bytes
	"$receive" stop leaving "$work/mark$bytes" >"$work/rest" &
	receiver=$!
	wait_for 20 "walsender_waits WalSenderWriteData" "the server to wait for its client"
	touch "$work/mark$bytes"
	wait "$receiver"
	is "said while the server sends: no further transaction is sent ($bytes)" "$(<"$work/rest")" 0
done

# ---- the server is stopped

rm -f "$work/go"
"${recvlogical[@]}" -S leaving -f - 2>"$work/log" | {
	while ! [[ -e $work/go ]]; do sleep 0.05; done
	cat >"$work/leaving"
} &
receiver=$!
wait_for 20 "walsender_waits WalSenderWriteData" "the server to wait for its client"
server_stop fast &
stopping=$!
sleep 0.5
touch "$work/go"
began=$SECONDS
wait "$stopping" "$receiver" || true
check "a server that is stopped in the midst of it is not kept" test $((SECONDS - began)) -lt 30
is "it sends all" "$(grep -c '_action.insert' "$work/leaving")" 3000
server_start
slot_drop leaving

# ---- a change that cannot be printed

sql "CREATE TYPE broken"
sql "SET client_min_messages = error; CREATE FUNCTION broken_in(cstring) RETURNS broken LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
	CREATE FUNCTION broken_out(broken) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'enum_out'"
sql "CREATE TYPE broken (INPUT = broken_in, OUTPUT = broken_out, LIKE = int4); CREATE TABLE bad (a int PRIMARY KEY, b broken)"
slot_new bad
small 500 100
sql "INSERT INTO bad VALUES (1, '5')"
small 500 100
for i in 1 2; do
	exits "it is an error ($i)" 1 "${recvlogical[@]}" -S bad -f "$work/bad$i"
	like "which names the place" "$output" 'slot "bad".*change callback'
	is "behind all that was before it" "$(grep -c '_action.insert' "$work/bad$i")" 500
done
check_not "no process of the server crashed" grep -E 'PANIC|terminated by signal|TRAP' "$server/log"
plan
