#!/bin/bash
# What contrib/ has for Prometheus and Grafana: it speaks of figures that /metrics has, and these come over HTTP.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

rules=$root/contrib/prometheus/daystream.rules.yml
dashboard=$root/contrib/grafana/daystream.json
parse() { # NAME: of a figure; all of standard input has to be what Prometheus takes
	/usr/bin/python3 -c '
import sys
from prometheus_client.parser import text_string_to_metric_families
count, found = 0, ""
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation and family.type in ("gauge", "counter"), family
    for sample in family.samples:
        count += 1
        if sample.name == sys.argv[1]:
            found = sample.value
assert count > 30, count
print("%g" % found)' "$1"
}
names() { # FILE...: the figures that it speaks of
	grep -ohE 'daystream_[a-z_]+' "$@" | sort -u
}

stream_up
sql "CREATE TABLE zzz (a int PRIMARY KEY)"
sql "INSERT INTO zzz VALUES (1)"
sql "ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'"
sql "SELECT pg_reload_conf()" >/dev/null
caught_up "$mnt"
wait_for 30 "grep -c ^daystream_slot_safe_wal_bytes '$mnt/metrics' >/dev/null && [[ -n \$(status_of '$mnt' snapshot) ]]" "slot and snapshot"
cat "$mnt/metrics" >"$work/metrics"
is "Prometheus' own parser takes /metrics" "$(parse daystream_generation <"$work/metrics")" 1
names <(sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$work/metrics") >"$work/has"
is "all that the alerts ask for is there" "$(comm -13 "$work/has" <(names "$rules"))" ""
is "all that their test gives them, too" "$(comm -13 "$work/has" <(names "$root/contrib/prometheus/daystream.test.yml"))" ""
is "and what the dashboard shows" "$(comm -13 "$work/has" <(names "$dashboard"))" ""
check "the dashboard is one" /usr/bin/python3 - "$dashboard" <<'PYTHON'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    board = json.load(file)
assert board["title"] and board["schemaVersion"] >= 36 and board["uid"]
ids = [panel["id"] for panel in board["panels"]]
assert len(set(ids)) == len(ids) > 5
taken = set()
for panel in board["panels"]:
    at = panel["gridPos"]
    assert panel["targets"] and all("daystream_" in target["expr"] for target in panel["targets"])
    assert at["x"] + at["w"] <= 24
    cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
    assert not cells & taken, panel["title"]
    taken |= cells
PYTHON

# Where Debian's prometheus is installed, its own tool judges, too.
if command -v promtool >/dev/null; then
	exits "promtool has nothing to say of /metrics" 0 bash -c "promtool check metrics <'$work/metrics'"
	is "nothing at all" "$output" ""
	check "nor of the alerts" promtool check rules "$rules"
	check "and each comes when it should" bash -c "cd '${rules%/*}' && promtool test rules daystream.test.yml"
else
	note "no promtool here"
fi

# ---- over HTTP
ask() { # REQUEST [MOUNTPOINT]: its head to $work/head, the rest to $work/body
	printf '%s\r\nHost: x\r\n\r\n' "$1" | "$root/contrib/daystream-metrics" "${2:-$mnt}" >"$work/answer"
	sed '/^\r$/q' "$work/answer" >"$work/head"
	sed '1,/^\r$/d' "$work/answer" >"$work/body"
}
exits "it says what it is for" 0 "$root/contrib/daystream-metrics" --help
like "and how it is called" "$output" "^daystream-metrics MOUNTPOINT - "
ask 'GET /metrics HTTP/1.1'
like "a request is answered" "$(tr -d '\r' <"$work/head")" '^HTTP/1.0 200 OK$' '^Content-Type: text/plain; version=0.0.4' "^Content-Length: $(wc -c <"$work/body")$"
is "with the figures" "$(parse daystream_generation <"$work/body")" 1
ask 'GET /../../etc/passwd HTTP/1.1'
like "another path is not there" "$(cat "$work/head")" '^HTTP/1.0 404 '
ask 'POST /metrics HTTP/1.1'
like "nor is another method" "$(cat "$work/head")" '^HTTP/1.0 405 '
ask 'GET /metrics HTTP/1.1' "$work/nowhere"
like "without a daemon it says so" "$(cat "$work/answer")" '^HTTP/1.0 503 ' "$work/nowhere is not served"
plan
