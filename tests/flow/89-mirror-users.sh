#!/bin/bash
# A mirror in a folder that everybody may write: who only reads it leaves nothing there that its owner could not write.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

[[ $EUID -eq 0 ]] || { echo "1..0 # SKIP to be another user takes root"; exit 0; }

as() { setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"; } # USER COMMAND...
beside() { compgen -G "$mirror-*" || true; }

server_up
sql "CREATE TABLE t (a int PRIMARY KEY)"
sql "INSERT INTO t VALUES (1)"
stream_up
snapshot_taken
mkdir -p "$work/open/stream"
mirror=$work/open/a.sqlite
mirror_once >/dev/null
# The mount itself is root's alone: what it shows, with no more to come.
cp "$mnt/live" "$work/open/stream/live"
after=$work/open/stream/since/$(sqlite3 "$mirror" "SELECT epoch || '/' || (seq + 1) FROM _daystream")
mkdir -p "$after"
: >"$after/live"
cp "$build/deltamirror" "$work/open/deltamirror"
program=$work/open/deltamirror stream=$work/open/stream
chmod 755 "$work"
chmod -R a+rX "$stream"
chmod 777 "$work/open"
chmod 644 "$mirror"
chown daemon "$mirror"
is "nobody has the mirror open" "$(beside)" ""

exits "who may only read it is refused" 1 as games "$program" --verify "$conninfo" "$mirror"
like "which is said, with the way out" "$output" "nobody has $mirror open, and games, .* that daemon, .*: run this as daemon"
exits "also who would follow into it" 1 as games "$program" --once "$stream" "$mirror"
like "which is said, too" "$output" "run this as daemon"
is "and nothing is left" "$(beside)" ""
chmod 600 "$mirror"
chmod 755 "$work/open"
exits "who may not even read it, is, too" 1 as games "$program" --once "$stream" "$mirror"
like "with its name" "$output" "error: $mirror: .*Permission denied"
chmod 644 "$mirror"
chmod 777 "$work/open"
exits "root may" 0 deltamirror --verify "$conninfo" "$mirror"
is "what is left is its owner's" "$(stat -c %U "$mirror"-* | sort -u)" daemon
exits "who goes on" 0 as daemon "$program" --once "$stream" "$mirror"
is "and removes it" "$(beside)" ""

sqlite3 "$mirror" "BEGIN; SELECT count(*) FROM t" ".shell echo open; while [ ! -e $work/enough ]; do sleep 0.1; done" >"$work/reader.log" &
reader=$!
wait_for 60 "grep -q open '$work/reader.log'"
as games "$program" --verify "$conninfo" "$mirror" >"$work/output" 2>&1 || true
check_not "while somebody has it open, others may" grep -q "run this as" "$work/output"
touch "$work/enough"
wait $reader

rm -f "$mirror"-*
as games sqlite3 -readonly "$mirror" "SELECT count(*) FROM t" >/dev/null
is "another program leaves files" "$(stat -c %U "$mirror"-* | sort -u)" games
exits "with which the owner cannot go on" 1 as daemon "$program" --once "$stream" "$mirror"
like "which are named, and whose they are" "$output" "cannot write $mirror-wal: it belongs to games, and daemon runs this: give it to daemon"
chown daemon "$mirror"-*
exits "and given to him, he goes on" 0 as daemon "$program" --once "$stream" "$mirror"
plan
