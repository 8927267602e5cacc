#!/bin/bash
# daystream cat: the same lines from a store, its mount and sshfs; from and to a position, an LSN and a time; followed
# over restarts; closed early.
# shellcheck source=lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

# Small segments, so that there are some.
server_up
sql "CREATE TABLE a (id int PRIMARY KEY, v text)"
sql "CREATE SCHEMA s"
sql 'CREATE TABLE s."b,c" (id int PRIMARY KEY, v text)'
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
sed -i 's/^segment_size.*/segment_size = 20000/' "$store/daystream.conf"
daemon_start "$store" "$mnt"

traffic() { # FROM TO: a transaction a row, some of them large
	local i
	for ((i = $1; i <= $2; i++)); do
		echo "BEGIN; INSERT INTO a SELECT $i * 1000 + g, repeat('x', 50) FROM generate_series(1, 1 + $i % 5 * 10) g;"
		echo "INSERT INTO s.\"b,c\" VALUES ($i, 'y'); COMMIT;"
	done | psql -XqAt -v ON_ERROR_STOP=1 -f -
}
traffic 1 40
sleep 1.1
middle=$(sql "SELECT clock_timestamp()")
middle_lsn=$(sql "SELECT pg_current_wal_flush_lsn()")
sleep 1.1
traffic 41 80
snapshot_there # it has a line
caught_up "$mnt"
wait_for 60 "[[ \$(daystream cat '$store' | wc -c) == \$(wc -c <'$mnt/live') ]]" "the store to be as the mount"
is "there are some segments" "$(($(find "$store/segments" -name '*.day' | wc -l) > 3))" 1

same() { # SENTENCE FILE OPTIONS...: what a store and a mount print is the file
	local sentence=$1 file=$2 place
	shift 2
	for place in "$store" "$mnt"; do
		exits "$sentence ($(basename "$place"))" 0 bash -c 'daystream cat "$@" >"$0"' "$work/got" "$@" "$place"
		[[ -z $output ]] || echo "# $output"
		check "... byte for byte" cmp "$work/got" "$file"
	done
}
cp "$mnt/live" "$work/live"
same "all of it" "$work/live"
cp "$mnt/tables/a" "$work/a"
same "one table" "$work/a" --tables a
cp "$mnt/tables/s.b%2Cc" "$work/b"
same "one with a comma in its name" "$work/b" --tables s.b%2Cc
grep -P '\t(_schema\ts\t_table\tb,c|_table\ta)\t' "$work/live" >"$work/both"
same "two tables" "$work/both" --tables a,s.b%2Cc

# What is before and behind a moment, told by the stream itself.
part() { # BEFORE|BEHIND EXPRESSION: whole transactions whose commit line (c, s, lsn) is so
	python3 - "$work/live" "$1" "$2" <<'PYTHON'
import sys
path, which, expression = sys.argv[1:]
out, group = sys.stdout.buffer, []
def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)
for line in open(path, "rb"):
    group.append(line)
    fields = line.rstrip(b"\n").split(b"\t")
    if b"\t_action\tcommit\t" not in line:
        continue
    pairs = dict(zip(fields[::2], fields[1::2]))
    names = {"c": int(pairs[b"_c"]), "s": int(pairs[b"_s"]), "lsn": lsn(pairs[b"lsn"].decode()), "at": lsn}
    if eval(expression, names) == (which == "before"):
        out.writelines(group)
    group = []
PYTHON
}
second=$(sql "SELECT ceil(extract(epoch FROM '$middle'::timestamptz))")
part before "c < $second" >"$work/before"
part behind "c < $second - 1" >"$work/behind"
same "until a time" "$work/before" --until "$middle"
same "until it in another zone" "$work/before" --until "$(PGTZ=Asia/Kolkata sql "SELECT '$middle'::timestamptz")"
same "since a time" "$work/behind" --since "$middle"
grep -P '\t_table\ta\t' "$work/before" >"$work/a-before" || true
same "one table until a time" "$work/a-before" --tables a --until "$middle"
part before "lsn <= at('$middle_lsn')" >"$work/before"
part behind "lsn <= at('$middle_lsn')" >"$work/behind"
same "until an LSN" "$work/before" --until "$middle_lsn"
same "since an LSN" "$work/behind" --since "$middle_lsn"
grep -P '\t_table\ta\t' "$work/before" >"$work/a-before" || true
same "one table until an LSN" "$work/a-before" --tables a --until "$middle_lsn"
: >"$work/nothing"
same "since the newest LSN" "$work/nothing" --since "$(sql "SELECT pg_current_wal_flush_lsn()")"
line=$(grep -P '\tcommit\t' "$work/live" | sed -n 25p)
lsn=$(pair "$line" lsn) at=$(cut -f 2,4 --output-delimiter . <<<"$line")
part before "lsn <= at('$lsn')" >"$work/before"
part behind "lsn <= at('$lsn')" >"$work/behind"
same "until a commit's own position" "$work/before" --until "$at"
same "until its LSN" "$work/before" --until "$lsn"
same "since its LSN" "$work/behind" --since "$lsn"
part before "lsn < at('$lsn')" >"$work/before"
same "until the line before it: without its transaction" "$work/before" --until "${at%.*}.$((${at#*.} - 1))"
awk -F '\t' -v c="${at%.*}" -v s="${at#*.}" '$2 > c || ($2 == c && $4 >= s)' "$work/live" >"$work/behind"
same "since a position" "$work/behind" --since "$at"
same "since a time to come" "$work/nothing" --since tomorrow
same "until a time long ago" "$work/nothing" --until 1999-12-31

# Wrong words.
exits "no such table" 1 daystream cat --tables nowhere "$mnt"
like "is named" "$output" "nowhere"
exits "nor in a store" 1 daystream cat --tables nowhere "$store"
exits "a moment that is none" 2 daystream cat --since "2026-02-30" "$mnt"
like "is named, with what could stand there" "$output" "2026-02-30.*position.*LSN.*time"
for moments in "now yesterday" "2.1 2.0" "1/2 1/1"; do
	exits "an end before the start" 2 daystream cat --since "${moments% *}" --until "${moments#* }" "$store"
	like "is said" "$output" "--until is before --since"
done
exits "a table's name that is none" 2 daystream cat --tables 'a,,b' "$mnt"
exits "no store, no mount" 1 daystream cat "$work"
like "is said" "$output" "no store, and nothing that daystreamfs serves"
for command in cat status check snapshot drop; do
	exits "no folder ($command)" 1 daystream "$command" "$work/nowhere"
	like "is said, with the remedy" "$output" "$work/nowhere: No such file.*daystream init"
done
if [[ $EUID -eq 0 ]]; then
	chmod 711 "$work"
	exits "a store of somebody else" 1 setpriv --reuid=games --regid=games --clear-groups -- "$(command -v daystream)" cat "$store"
	like "is said to be one" "$output" "$store: Permission denied"
fi

# Closed early.
for place in "$store" "$mnt"; do
	is "a closed reader ends it, without a word" "$( (daystream cat "$place" || true) 2>&1 | head -n 1)" "$(head -n 1 "$work/live")"
	is "also where SIGPIPE is ignored" "$( (trap '' PIPE; daystream cat "$place" 2>&1; echo $? >"$work/status") | head -n 1)" "$(head -n 1 "$work/live")"
	is "which is success" "$(cat "$work/status")" 0
	exits "also while it waits" 0 timeout 20 bash -c 'daystream cat --follow "$0" 2>&1 | head -n 1 >/dev/null' "$place"
done

# Followed, over restarts and kills of the daemon.
daystream cat --follow "$mnt" >"$work/mount.followed" 2>"$work/mount.log" &
one=$!
daystream cat --follow "$store" >"$work/store.followed" 2>"$work/store.log" &
two=$!
daystream cat --follow --tables a "$mnt" >"$work/table.followed" 2>"$work/table.log" &
three=$!
daystream cat --follow --tables later --since now "$mnt" >"$work/later.followed" 2>"$work/later.log" &
four=$!
daystream cat --follow --until "$(sql "SELECT clock_timestamp() + interval '3 s'")" "$mnt" >"$work/until.followed" 2>"$work/until.log" &
five=$!
until=$(date +%s)
# All of them have begun before the mount goes.
for what in mount store table until; do wait_for 60 "[[ -s '$work/$what.followed' ]]" "the follower \"$what\""; done
traffic 81 100
daemon_stop
traffic 101 120
wait_for 60 "[[ \$(grep -c waiting '$work/mount.log') -eq 1 ]]" "the mount's follower to see that it is away"
daemon_start "$store" "$mnt"
sql "CREATE TABLE later (id int PRIMARY KEY)"
sql "INSERT INTO later VALUES (1)"
traffic 121 140
caught_up "$mnt"
wait_for 60 "cmp '$work/mount.followed' '$mnt/live'" "the mount's follower to see that it is back" >/dev/null
daemon_kill
wait_for 60 "[[ \$(grep -c waiting '$work/mount.log') -eq 2 ]]" "the mount's follower to see that it is away again"
daemon_start "$store" "$mnt"
traffic 141 160
while (($(date +%s) < until + 5)); do sleep 0.2; done
traffic 161 165
caught_up "$mnt"
wait_for 60 "cmp '$work/mount.followed' '$mnt/live'" "the mount's follower" || true
wait_for 60 "cmp '$work/store.followed' '$mnt/live'" "the store's follower" || true
wait_for 60 "cmp '$work/table.followed' '$mnt/tables/a'" "the table's follower" || true
check "what a follower of the mount printed is the stream" cmp "$work/mount.followed" "$mnt/live"
check "... of the store" cmp "$work/store.followed" "$mnt/live"
check "... of a table" cmp "$work/table.followed" "$mnt/tables/a"
wait_for 60 "cmp '$work/later.followed' '$mnt/tables/later'" || true
check "... of one that came later" cmp "$work/later.followed" "$mnt/tables/later"
wait_for 60 "! alive $five" "the one with an end to end" || true
check_not "... and of all until then it has ended" alive "$five"
check "with a commit" bash -c 'tail -n 1 "$0" | grep -P "\t_action\tcommit\t"' "$work/until.followed"
check "and a part of the stream" cmp -n "$(wc -c <"$work/until.followed")" "$work/until.followed" "$mnt/live"
is "a mount that went was told once a time" "$(grep -c waiting "$work/mount.log")" 2
for pid in $one $two $three $four; do end_process "$pid"; done

# Given up.
sed -i 's/^keep_bytes.*/keep_bytes = 30000/; s/^snapshot .*/snapshot = off/' "$store/daystream.conf"
grep -q '^keep_bytes' "$store/daystream.conf" || echo 'keep_bytes = 30000' >>"$store/daystream.conf"
daemon_stop
daemon_start "$store" "$mnt"
wait_for 30 "[[ \$(head -n 1 '$mnt/live' | cut -f 2,4) != \$(head -n 1 '$work/live' | cut -f 2,4) ]]" "retention"
edge=$(head -n 1 "$mnt/live" | cut -f 2,4 --output-delimiter .)
for place in "$store" "$mnt"; do
	for since in "$at" "$lsn" "$middle"; do
		exits "since $since, which was given up ($(basename "$place"))" 1 daystream cat --since "$since" "$place"
		like "says so, and where the stream begins" "$output" "no longer retained" "${edge%.*}"
	done
	exits "without --since all that is retained" 0 daystream cat "$place"
done

if [[ $EUID -eq 0 ]]; then
	# shellcheck source=ssh.sh
	. "$root/tests/flow/ssh.sh"
	sshd_up
	mkdir "$work/sshfs"
	far_mount "$work/sshfs"
	check "sshfs shows the same" cmp <(daystream cat "$work/sshfs") "$mnt/live"
	lsn=$(pair "$(grep -P '\tcommit\t' "$mnt/live" | sed -n 5p)" lsn)
	check "since an LSN, too" cmp <(daystream cat --since "$lsn" "$work/sshfs") <(daystream cat --since "$lsn" "$store")
	check "and a table" cmp <(daystream cat --tables a "$work/sshfs") "$mnt/tables/a"
	wait_for 60 "fusermount3 -u '$work/sshfs'" "who read there to have ended"
fi
plan
