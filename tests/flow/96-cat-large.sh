#!/bin/bash
# daystream cat: transactions that do not fit into its memory, and the folder they wait in; an LSN that is yet to come; LSNs
# of a stream with two generations; damage.
# shellcheck source=lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

followers=()
server_up
sql "CREATE TABLE a (id int PRIMARY KEY, v text)"
sql "CREATE TABLE b (id int PRIMARY KEY)"
stream_up
sql "INSERT INTO a VALUES (0, 'small')"
sql "INSERT INTO a SELECT g, repeat('x', 1000) FROM generate_series(1, 5000) g"
sql "INSERT INTO b VALUES (1)"
snapshot_there # it has a line
caught_up "$mnt"

settled() { # the store shows what the mount shows
	wait_for 60 "[[ \$(daystream cat '$store' | wc -c) == \$(wc -c <'$mnt/live') ]]" "the store to be as the mount"
}
settled
mkdir "$work/aside"
for place in "$store" "$mnt"; do
	name=$(basename "$place")
	check "a large transaction is printed ($name)" cmp <(TMPDIR=$work/aside daystream cat "$place") "$mnt/live"
	check "and its table" cmp <(daystream cat --tables a "$place") "$mnt/tables/a"
	end=$(awk -F '\t' '$8 == "commit" { at = $2 "." $4 } $6 == "b" { print at; exit }' "$mnt/live")
	is "until the line before its commit nothing of it is" "$(daystream cat --tables a,b --until "${end%.*}.$((${end#*.} - 1))" "$place" | tail -n 1 | cut -f 11-)" $'id\t0\tv\tsmall'
done
is "nothing stays in TMPDIR" "$(ls -A "$work/aside")" ""
exits "TMPDIR is where it waits" 1 env TMPDIR="$work/nowhere" daystream cat "$mnt"
like "a wrong one is said" "$output" "large transaction aside \(TMPDIR.*No such file"
for kilobytes in 100 3000 4500; do
	status=0
	(ulimit -f $kilobytes && trap '' XFSZ && TMPDIR=$work/aside exec daystream cat "$mnt" 2>"$work/aside.log") | cat >"$work/got" || status=$?
	if [[ $status -eq 0 ]]; then
		check "with $kilobytes kB it is whole" cmp "$work/got" "$mnt/live"
	else
		like "a full TMPDIR is said ($kilobytes kB)" "$(cat "$work/aside.log")" "large transaction aside \(TMPDIR"
		is "then nothing of it was printed" "$(grep -c xxxxx "$work/got")" 0
		is "but all before it" "$(tail -n 1 "$work/got" | cut -f 8)" commit
	fi
done

# A store is followed, not read again.
daystream cat --follow --tables b "$store" >"$work/small.store" &
one=$!
wait_for 60 "grep '	id	1' '$work/small.store'" "what is there" >/dev/null
sleep 1.1
read_bytes() { awk '$1 == "rchar:" { print $2 }' "/proc/$one/io"; }
before=$(read_bytes)
for i in 11 12 13; do
	sql "INSERT INTO b VALUES ($i)"
	wait_for 60 "grep '	id	$i' '$work/small.store'" "row $i" >/dev/null
	sleep 1.1
done
is "what is there already is not read again for a few lines" "$(($(read_bytes) - before < $(stat -c %s "$mnt/live") / 2))" 1
end_process $one

# Nothing stands behind an LSN that is yet to come, until it has.
later=$(sql "SELECT pg_current_wal_lsn() + 1000000")
daystream cat --follow --since "$later" "$mnt" >"$work/later.mount" &
one=$!
daystream cat --follow --since "$later" --tables b "$store" >"$work/later.store" &
two=$!
sql "INSERT INTO b VALUES (2)"
caught_up "$mnt"
settled
sql "INSERT INTO a SELECT 10000 + g, repeat('y', 1000) FROM generate_series(1, 2000) g"
sql "INSERT INTO b VALUES (3)"
caught_up "$mnt"
daystream cat --since "$later" "$mnt" >"$work/behind"
wait_for 60 "cmp '$work/later.mount' '$work/behind'" "the mount's follower" || true
check "since an LSN that was yet to come" cmp "$work/later.mount" "$work/behind"
wait_for 60 "grep '	id	3' '$work/later.store'" "the store's follower" >/dev/null || true
is "and of one table" "$(grep -c '	insert	' "$work/later.store")" 1
for pid in $one $two; do end_process "$pid"; done

# A second generation, whose LSNs are compared with all of the stream. No table's line tells of it.
for tables in b a,b; do
	for place in "$store" "$mnt"; do
		daystream cat --follow --tables "$tables" "$place" >"$work/$tables.$(basename "$place")" 2>"$work/$tables.$(basename "$place").log" &
		followers+=($!)
	done
done
daystream cat --follow "$mnt" >"$work/all" 2>"$work/all.log" &
all=$!
wait_for 60 "cmp '$work/all' '$mnt/live'" "the follower of all" >/dev/null
for file in b.store b.mnt a,b.store a,b.mnt; do
	wait_for 60 "grep '	id	3\$' '$work/$file'" "$file" >/dev/null
done
daemon_stop
old=$(sql "SELECT pg_current_wal_flush_lsn()")
slot_drop
sql "INSERT INTO b VALUES (4)"
check "a new generation" daystream init "$store" --conninfo "$conninfo"
daemon_start "$store" "$mnt"
sql "INSERT INTO b VALUES (5)"
new=$(sql "SELECT pg_current_wal_flush_lsn()")
sql "INSERT INTO b VALUES (6)"
caught_up "$mnt"
settled
for pid in "${followers[@]}"; do
	wait_for 60 "! alive $pid" "a follower to end"
	status=0
	wait "$pid" || status=$?
	is "who follows tables over that fails" "$status" 1
done
for file in b.store b.mnt a,b.store a,b.mnt; do
	is "after the last line of the first ($file)" "$(tail -n 1 "$work/$file" | cut -f 11-)" $'id\t3'
	like "and says why" "$(tail -n 1 "$work/$file.log")" "generation 2 has begun" "begins anew"
done
wait_for 60 "cmp '$work/all' '$mnt/live'" || true
check "who follows all has the line that tells of it" cmp "$work/all" "$mnt/live"
end_process $all
ids() { daystream cat --tables a,b "$@" | awk -F '\t' '$6 == "b" && $10 == "insert" { printf "%s ", $12 }'; }
for place in "$store" "$mnt"; do
	name=$(basename "$place")
	is "since an LSN of the first generation ($name)" "$(ids --since "$old" "$place")" "5 6 "
	is "since one of the second" "$(ids --since "$new" "$place")" "6 "
	is "until one of the first" "$(ids --until "$old" "$place")" "1 11 12 13 2 3 "
	is "from one to the other" "$(ids --since "$later" --until "$new" "$place")" "3 5 "
done

# Another store's mount in the place of this one's.
daystream init "$work/other" --conninfo "$conninfo" --slot other >"$work/init.log" 2>&1
sql "INSERT INTO b VALUES (7)"
caught_up "$mnt"
daystream cat --follow --tables b "$mnt" >"$work/b.mnt" 2>"$work/b.mnt.log" &
one=$!
wait_for 60 "grep '	id	7\$' '$work/b.mnt'" "the follower" >/dev/null
daemon_stop
daemon_start "$work/other" "$mnt"
sql "INSERT INTO b VALUES (8)"
wait_for 60 "! alive $one" "the follower to end"
is "another stream's lines are not taken for the table's" "$(tail -n 1 "$work/b.mnt" | cut -f 11-)" $'id\t7'
like "which is said" "$(tail -n 1 "$work/b.mnt.log")" "another stream|no longer retained"
daemon_stop
daemon_start "$store" "$mnt"

# Damage is named by its file, with the remedy.
daemon_stop
segment=$(find "$store/segments" -name '*.day' | sort | head -n 1)
flip "$segment" 1000000
daemon_start "$store" "$mnt"
for place in "$store" "$mnt"; do
	exits "a damaged segment ends it ($(basename "$place"))" 1 bash -c 'daystream cat "$0" >"$1"' "$place" "$work/got"
	like "which is named, with the remedy" "$output" "segments/$(basename "$segment").*at 9[0-9]*: .*restore the file from a copy"
	is "what stands before it is printed" "$(grep -c $'\tsmall$' "$work/got")" 1
	is "and ends on a commit" "$(tail -n 1 "$work/got" | cut -f 8)" commit
done
plan
