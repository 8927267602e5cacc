#!/bin/bash
# The largest values. What a message of the server can hold passes the daemon, the mount and the mirror; what it
# cannot ends the daemon at once, with the column and the remedy, and the remedy works. Not one of `make check`;
# `make giant` has values of GIANT_MB=900 and 1020.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

mb=${GIANT_MB:-40}
stream_up
sql "CREATE TABLE giant (id int PRIMARY KEY, t text, b bytea, a bytea[])"
sql "CREATE TABLE small (id int PRIMARY KEY)"
peak() { awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$1/status"; }
value_sum() { # ID CELL: of that row's line
	python3 -c 'import hashlib, sys
for line in open(sys.argv[1], "rb"):
    cells = line.rstrip(b"\n").split(b"\t")
    if cells[10:12] == [b"id", sys.argv[2].encode()]:
        print(hashlib.md5(cells[int(sys.argv[3])]).hexdigest())' "$mnt/tables/giant" "$1" "$2"
}

sql "INSERT INTO giant VALUES (1, repeat('0123456789abcde ', $mb * 65536))"
caught_up "$mnt" 280
is "a text of $mb MB arrives" "$(value_sum 1 13)" "$(sql "SELECT md5(t) FROM giant WHERE id = 1")"
note "daystreamfs had $(peak "$daemon_pid") MB at most"
sql "INSERT INTO giant VALUES (2, NULL, decode(repeat('00ff5c09', $mb * 131072), 'hex'))"
caught_up "$mnt" 280
is "$((mb / 2)) MB of bytes arrive" "$(value_sum 2 15)" "$(sql "SELECT md5('\\' || b::text) FROM giant WHERE id = 2")"
note "daystreamfs had $(peak "$daemon_pid") MB at most"
check "its last lines are found from the end" test "$(tail -n 2 "$mnt/tables/giant" | wc -c)" -gt $((mb << 20))
check "the store is sound" daystream check "$store"

started=$SECONDS
if [[ $mb -gt 950 ]]; then
	exits "what SQLite cannot hold is refused by the mirror" 1 deltamirror --once "$mnt" "$mirror"
	like "by its name and with the remedy" "$output" 'giant' '--tables'
else
	mirror_once
	equal_tables "the mirror has them"
fi
note "deltamirror took $((SECONDS - started)) s"
rm -f "$mirror"*

# A message that is too long for a line stops nothing.
sql "SELECT pg_logical_emit_message(true, 'long', convert_to(repeat(' ', 540000000), 'UTF8'))" >/dev/null
caught_up "$mnt" 280
is "a message of 540 MB stands without its content" "$(grep -a '	prefix	long	' "$mnt/live" | cut -f 11-)" 'content	\N'

# From here on each ends the daemon once; `tables` is the remedy.
refused() { # WHAT COLUMN STATEMENT
	local status=0
	sql "$3"
	wait "$daemon_pid" || status=$?
	is "$1 ends the daemon" "$status" 1
	like "with the column and the remedy" "$(tail -n 3 "$work/daemon.log")" "column \"$2\" of table \"public.giant\".* 1 GB.*\`tables\` in daystream.conf"
	is "at once, not again and again" "$(grep -c 'streaming from slot' "$work/daemon.log")" 1
	sed -i "s/^tables = .*/tables = 'small'/" "$store/daystream.conf"
	sql "INSERT INTO small SELECT coalesce(max(id), 0) + 1 FROM small"
	: >"$work/daemon.log"
	daemon_start "$store" "$mnt"
	check "the remedy works" caught_up "$mnt" 120
	daemon_stop
	sed -i "s/^tables = .*/tables = ''/" "$store/daystream.conf"
	: >"$work/daemon.log"
	daemon_start "$store" "$mnt"
}
refused "what takes 1.1 GB as hexadecimal digits" b \
	"INSERT INTO giant VALUES (3, NULL, convert_to(repeat(' ', 540000000), 'UTF8'))"
refused "what its type's own code cannot print" a \
	"INSERT INTO giant VALUES (4, NULL, NULL, ARRAY[convert_to(repeat(' ', 540000000), 'UTF8')])"
is "all that is small arrived" "$(grep -c '	_action	insert	' "$mnt/tables/small")" 2
check "the store is sound" daystream check "$store"
plan
