#!/bin/bash
# Small messages wait for each other while the server reads on: in order, not while the server waits, and not beyond the
# stream that they belong to.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
sql "CREATE TABLE t (id int PRIMARY KEY)"
for slot in followed asked held counted; do
	sql "SELECT pg_create_logical_replication_slot('$slot', 'deltaflood')" >/dev/null
done

# A commit that is not flushed yet, and behind it a record that goes over the end of a segment, which is near: only up to
# there the log is flushed, and the server waits for the rest of that record.
writer=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
sql "SELECT pg_switch_wal()" >/dev/null
for spare in 100000 30000; do
	sql "SELECT pg_logical_emit_message(false, 'fill', repeat('x',
		((16777216 - (pg_current_wal_insert_lsn() - '0/0') % 16777216) * 0.997)::int - $spare))" >/dev/null
done
sql "INSERT INTO t VALUES (0)"
kill -STOP "$writer"
{ read -r behind; read -r _; read -r end; } < <(psql -XqAt -c "SET synchronous_commit = off" -c "INSERT INTO t VALUES (1)" \
	-c "SELECT pg_current_wal_insert_lsn()" -c "SELECT pg_logical_emit_message(false, 'large', repeat('x', 3000000))" \
	-c "SELECT pg_current_wal_insert_lsn()")
pg_recvlogical -d "$PGDATABASE" -S held -s 0 --start -f "$work/lines" 2>"$work/log" &
receiver=$!
waits="SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'WalSenderWaitForWAL'"
check "it waits" wait_for 60 "[[ \$(sql \"$waits\") == 1 ]]"
# After ten seconds it would look again.
check "a line does not wait for a record that has not come wholly" wait_for 5 "grep -qP '\tid\t1$' '$work/lines'"
is "which it still has not" \
	"$(sql "SELECT pg_current_wal_flush_lsn() > '$behind' AND pg_current_wal_flush_lsn() < '$end'")" t
kill -CONT "$writer"
room=$(ss -Hxm src "$PGHOST/.s.PGSQL.*" | sed -n 's/.*,tb\([0-9]*\),.*/\1/p' | sort -n | tail -n 1)
usual=$(cat /proc/sys/net/core/wmem_default)
check "its socket has room" test "$room" -gt $((usual < 524288 ? usual : usual - 1))
end_process "$receiver" INT
wait "$receiver" || true

pgbench -q -i -s 1 >/dev/null 2>&1
sql "SELECT pg_create_logical_replication_slot('ended', 'deltaflood')" >/dev/null
pgbench -n -c 4 -t 2000 >/dev/null 2>&1
end=$(sql "SELECT pg_current_wal_flush_lsn()")
timeout 120 pg_recvlogical -d "$PGDATABASE" -S followed --start --no-loop -E "$end" -f "$work/followed"
wait_for 60 "[[ \$(sql \"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'\") == 0 ]]" "the session to end"
check_not "a session whose stream has ended takes nothing down" grep -E 'PANIC|terminated by signal|TRAP' "$server/log"
sql "SELECT data FROM pg_logical_slot_get_changes('asked', '$end', NULL)" >"$work/asked"
check "what leaves together is the same, in the same order" cmp "$work/followed" "$work/asked"
check "and much" test "$(grep -c '_action.commit' "$work/followed")" -ge 8000

# A stream that ends while messages wait leaves nothing behind for what the same session does next.
"${CC:-cc}" -std=c11 -I"$("$PG_CONFIG" --includedir)" -o "$work/end_stream" "$root/tests/flow/end_stream.c" -lpq
for i in 1 20 50 100 200 400 800 1600; do
	exits "a session goes on when its stream has ended after $i" 0 "$work/end_stream" "$conninfo replication=database" ended $i \
		"SELECT md5(string_agg(data, E'\\n') || E'\\n') FROM pg_logical_slot_peek_changes('counted', '$end', NULL)"
done
is "with all changes" "$output" "$(md5sum <"$work/asked" | cut -d ' ' -f 1)"
plan
