#!/bin/bash
# The plugin's own regression tests (PGXS), against the private server.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
cd "$build/plugin"
check "make installcheck succeeds" make --no-print-directory -f "$root/plugin/Makefile" PG_CONFIG="$PG_CONFIG" installcheck
# pg_regress prints a line for each of its tests.
cp regression.out regression.diffs "$build/tests/log/" 2>/dev/null || true
plan
