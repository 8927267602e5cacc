#!/bin/bash
# The plugin's own regression tests (PGXS), against the private server.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
cd "$build/plugin"
status=0
make --no-print-directory -f "$root/plugin/Makefile" PG_CONFIG="$PG_CONFIG" installcheck >"$work/out" 2>&1 || status=$?
# pg_regress prints a line for each of its tests.
while read -r name verdict; do
	result "$([[ $verdict == ok* ]] && echo 0 || echo 1)" "deltaflood: $name" "$verdict"
done < <(sed -nE 's/^(test|ok|not ok)? *([a-z_]+) +\.\.\. (.*)/\2 \3/p' "$work/out")
if [[ $status -ne 0 ]]; then
	note "$(tail -n 30 "$work/out" && head -n 100 regression.diffs)"
fi
is "make installcheck succeeds" "$status" 0
plan
