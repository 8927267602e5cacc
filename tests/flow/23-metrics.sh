#!/bin/bash
# /metrics: Prometheus' text format, and the same as /status says.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

sample() { # NAME: its value
	awk -v name="daystream_$1" '$1 == name { print $2 }' "$work/metrics"
}

stream_up
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "INSERT INTO zzz SELECT g, 'x' FROM generate_series(1, 1000) g"
caught_up "$mnt"
snapshot_there
caught_up "$mnt"
cat "$mnt/metrics" >"$work/metrics"
like "each figure has its help and its type" "$(python3 - "$work/metrics" <<'PYTHON'
import re, sys
help, kinds, seen, count = {}, {}, None, 0
for line in open(sys.argv[1], encoding="utf-8"):
    assert line.endswith("\n"), line
    if found := re.fullmatch(r"# HELP (daystream_[a-z_]+) (.+)\n", line):
        assert found[1] not in help, f"{found[1]} twice"
        help[found[1]] = found[2]
    elif found := re.fullmatch(r"# TYPE (daystream_[a-z_]+) (gauge|counter)\n", line):
        seen, kinds[found[1]] = found[1], found[2]
        assert (found[2] == "counter") == found[1].endswith("_total"), line
    else:
        found = re.fullmatch(r'(daystream_[a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\[\\n"])*"(?:,[a-z]+="(?:[^"\\\n]|\\[\\n"])*")*\})? (-?\d+)\n', line)
        assert found and found[1] == seen and found[1] in help, line
        count += 1
print(count, "figures")
PYTHON
)" '^[0-9]{2} figures$'
is "a figure for each state, of which one holds" "$(sample 'ingest_state{state="streaming"}') $(sample 'ingest_state{state="stopped"}')" "1 0"
is "the newest commit's second" "$(sample published_timestamp_seconds)" "$(status_of "$mnt" position | cut -d . -f 1)"
is "its place in the WAL" "$(sample published_lsn_bytes_total)" \
	"$(sql "SELECT pg_wal_lsn_diff('$(status_of "$mnt" lsn)', '0/0')")"
is "the newest snapshot's second" "$(sample snapshot_timestamp_seconds)" "$(status_of "$mnt" snapshot | cut -d . -f 1)"
is "the bytes of /live" "$(sample store_bytes)" "$(stat -c %s "$mnt/live")"
is "the oldest line's second" "$(sample oldest_timestamp_seconds)" "$(pair "$(head -n 1 "$mnt/live")" _c)"
is "no file is damaged" "$(sample damaged_files)" 0
# A figure may become longer between the two.
size_is_exact() { [[ $(stat -c %s "$mnt/metrics") == "$(wc -c <"$mnt/metrics")" ]]; }
check "its size is exact" wait_for 10 size_is_exact
is "the transactions and lines that came: each of /live, but the first two" \
	"$(sample transactions_total) $(sample lines_total)" "$(tail -n +3 "$mnt/live" | grep -c '_action	commit') $(($(wc -l <"$mnt/live") - 2))"

# ---- the slot, the disk, who reads
sql "ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'"
sql "SELECT pg_reload_conf()" >/dev/null
metrics_with() { # REGEX
	cat "$mnt/metrics" >"$work/metrics"
	grep -Eq "$1" "$work/metrics"
}
check "how much WAL the slot may still need" wait_for 30 "metrics_with '^daystream_slot_safe_wal_bytes [0-9]{7}'"
is "that it is safe" "$(sample 'slot_wal_status{state="reserved"}') $(sample 'slot_wal_status{state="lost"}') $(sample slot_active)" "1 0 1"
check "/status says the same" test "$(status_of "$mnt" slot_wal_status) $(status_of "$mnt" slot_state)" = "reserved active"
lag_is_known() { # of which the plugin reminds the server once a second
	sql "UPDATE zzz SET b = 'y' WHERE a = 1"
	[[ $(sql "SELECT count(write_lag) FROM pg_stat_replication") -gt 0 ]]
}
check "the server itself knows the lag, too" wait_for 30 lag_is_known
is "the disk is that of the store" "$(sample disk_size_bytes)" "$(($(stat -f -c '%b * %S' "$store")))"
exec 7<"$mnt/live" 8<"$mnt/tables/zzz" 9<"$mnt/live"
cat <&7 >/dev/null
cat <&8 >/dev/null
head -c 10 <&9 >/dev/null
# Who read before has closed his, which the kernel tells later.
check "who has a growing file open, and who follows it" wait_for 30 "metrics_with '^daystream_followers 2\$'"
check "open files" test "$(sample open_files)" -ge 3
tail -f "$mnt/live" >/dev/null 2>&1 &
tail=$!
check "tail -f does, too" wait_for 30 "metrics_with '^daystream_followers 3'"
kill "$tail"
exec 7<&- 8<&- 9<&-
check "closed ones do not count" wait_for 30 "metrics_with '^daystream_followers 0'"

server_stop immediate
# shellcheck disable=SC2016
wait_for 30 'grep -q "state	connecting" "$mnt/status"' "the daemon to see that the server is away"
cat "$mnt/metrics" >"$work/metrics"
check "the slot is not known then" wait_for 30 "metrics_with 'slot_wal_status.state=\"unknown\". 1'"
like "and why" "$(status_of "$mnt" slot_error)" "connect|server"
cat "$mnt/metrics" >"$work/metrics"
is "without a server it says so" "$(sample 'ingest_state{state="connecting"}') $(sample 'ingest_state{state="streaming"}')" "1 0"
plan
