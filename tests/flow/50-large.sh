#!/bin/bash
# A transaction of two million rows: memory stays small, content is right.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

limit_kb=100000
# Sanitizers keep shadows of all memory: then only the content counts.
if grep -qa __asan_init "$build/daystreamfs" || grep -qa __tsan_init "$build/daystreamfs"; then
	limit_kb=10000000
fi

stream_up
sql "CREATE TABLE large (id int PRIMARY KEY, t text)"
start=$SECONDS
sql "INSERT INTO large SELECT g, 'row ' || g FROM generate_series(1, 2000000) g"
caught_up "$mnt" 200
note "2,000,000 rows inserted and published in $((SECONDS - start)) s, /live has $(stat -c %s "$mnt/live") bytes"

peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$daemon_pid/status")
note "daystreamfs: at most $peak kB resident"
check "the daemon stays under 100 MB" test "$peak" -lt $limit_kb

is "all lines are there" "$(grep -c '	_action	insert	' "$mnt/tables/large")" 2000000
is "in one transaction" "$(awk -F '\t' '$10 == "insert" { print $8 }' "$mnt/tables/large" | sort -u | wc -l)" 1

start=$SECONDS
peak=$(python3 - "$mnt" "$mirror" <<'PYTHON'
import resource, subprocess, sys
subprocess.run(["deltamirror", "--once", *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PYTHON
)
note "deltamirror: $((SECONDS - start)) s, at most $peak kB resident"
check "the mirror stays under 100 MB" test "$peak" -lt $limit_kb
equal_tables "the mirror equals PostgreSQL"

sql "UPDATE large SET t = 'new ' || id WHERE id % 10 = 0"
sql "DELETE FROM large WHERE id % 10 = 1"
mirror_once
equal_tables "so it does after 400,000 changes in two transactions"
peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$daemon_pid/status")
check "the daemon, read from by all that, stays under 100 MB ($peak kB)" test "$peak" -lt $limit_kb
check "the store is sound" daystream check "$store"
plan
