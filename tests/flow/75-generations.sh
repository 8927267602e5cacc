#!/bin/bash
# What a mirror cannot place, and the way out that its message names; and a new
# generation, from which a mirror begins anew.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

stream_up
sql "CREATE TABLE good (a int PRIMARY KEY, b text)"
sql "CREATE TABLE keyless (a int, b text)"
sql "INSERT INTO good VALUES (1, 'one')"
sql "INSERT INTO keyless VALUES (1, 'one')"
caught_up "$mnt"
exits "a mirror starts from the daemon's snapshot, and waits for it" 0 deltamirror --once "$mnt" "$mirror"
is "with what is there" "$(sqlite3 "$mirror" 'SELECT * FROM keyless')" "1|one"
sql "UPDATE keyless SET b = 'two'"
caught_up "$mnt"
exits "a line that cannot be placed is passed over" 0 deltamirror --once "$mnt" "$mirror"
like "and said, with table, reason and remedy" "$output" keyless "replica identity" "ALTER TABLE" "resync"
is "and marked" "$(sqlite3 "$mirror" "SELECT name FROM _daystream_tables WHERE inexact_since IS NOT NULL")" keyless
exits "it is said once" 0 deltamirror --once "$mnt" "$mirror"
check_not "and not again" grep -q keyless <<<"$output"
exits "it can be left out" 0 deltamirror --once --tables good "$mnt" "$work/part.sqlite"
is "and the others are there" "$(sqlite3 "$work/part.sqlite" 'SELECT * FROM good')" "1|one"

# A new generation.
sql "ALTER TABLE keyless REPLICA IDENTITY FULL"
walsender=$(sql "SELECT active_pid FROM pg_replication_slots")
kill -STOP "$walsender" # the server notices late that the daemon has ended
daemon_stop
(sleep 0.5 && kill -CONT "$walsender") &
exits "the slot is dropped" 0 daystream drop --yes "$store"
wait
exits "a new generation begins" 0 daystream init "$store"
daemon_start "$store" "$mnt"
sql "INSERT INTO keyless VALUES (2, 'three')"
sql "UPDATE keyless SET b = 'four' WHERE a = 2"
caught_up "$mnt"
exits "the mirror of the generation before stops" 1 deltamirror --once --tables good "$mnt" "$work/part.sqlite"
like "and says so, and what helps" "$output" generation "--resync"
rm -f "$mirror"*
exits "a new mirror starts at the new generation" 0 deltamirror --once "$mnt" "$mirror"
is "with what was there and what came since" "$(sqlite3 "$mirror" 'SELECT * FROM keyless ORDER BY 1')" "1|two
2|four"
is "init's own tables are not in the stream" "$(grep -c '_schema	daystream' "$mnt/live" || true)" 0
check "the store is sound" daystream check "$store"
plan
