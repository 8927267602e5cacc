#!/bin/bash
# Retention while the stream flows: the oldest segments go, who has a file open
# reads on, who comes later starts at the oldest line, and what is before it is
# stale. A crash in the midst of it leaves a sound store.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
like "init writes what is to be kept" "$(cat "$store/daystream.conf")" '^keep_days = 7$' '^keep_bytes = 0$'
printf 'segment_size = 20000\nkeep_bytes = 150000\nsnapshot = off\n' >>"$store/daystream.conf"
daemon_start "$store" "$mnt"
is "/status tells it" "$(status_of "$mnt" keep_days) $(status_of "$mnt" keep_bytes)" "7 150000"
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "CREATE TABLE quiet (a int PRIMARY KEY)"
sql "INSERT INTO quiet VALUES (1)"
cat >"$work/load.sql" <<'EOF'
\set a random(1, 1000)
INSERT INTO zzz VALUES (:a, repeat('fox', 50)) ON CONFLICT (a) DO UPDATE SET b = zzz.b || 'x';
EOF
load() { pgbench -n -c 2 -t "$1" -f "$work/load.sql" >>"$work/pgbench.log" 2>&1; }
load 20
caught_up "$mnt"
check "a mirror starts" deltamirror --once "$mnt" "$mirror"
first=$(head -n 1 "$mnt/live" | cut -f 2,4 --output-delimiter .)
"$root/tests/flow/snapshot.py" "$store" "$(status_of "$mnt" position)" 1
old=$(readlink "$mnt/snapshots/latest")

# Each from the first line on: by tail, and in pieces with pauses.
tail -n +1 -f "$mnt/live" >"$work/tail.live" 2>"$work/tail.live.err" &
tails=$!
tail -n +1 -f "$mnt/tables/zzz" >"$work/tail.zzz" 2>"$work/tail.zzz.err" &
tails+=" $!"
tail -n +1 -f "$mnt/tables/quiet" >"$work/tail.quiet" 2>"$work/tail.quiet.err" &
tails+=" $!"
wait_for 60 "[[ -s $work/tail.live && -s $work/tail.zzz && -s $work/tail.quiet ]]" "the tails to have begun"
exec 7<"$mnt/live" 8<"$mnt/by-time/${first%.*}/${first#*.}"
head -c 1000 <&7 >"$work/slow.live" # less is read at once: dd below goes on from where it is
inode=$(stat -c %i "$mnt/live")
for i in 1 2 3; do
	load 400
	caught_up "$mnt"
	dd bs=10000 count=2 status=none <&7 >>"$work/slow.live"
done
sql "INSERT INTO quiet VALUES (2)"
caught_up "$mnt"
# More would go with the next look.
is_kept() { [[ $(truth | wc -c) -le 150000 && $(status_of "$mnt" oldest) != "$first" ]]; }
check "what is on disk becomes no more than is to be kept" wait_for 60 is_kept
oldest=$(status_of "$mnt" oldest)
is "/live begins at the oldest line" "$(head -n 1 "$mnt/live" | cut -f 2,4 --output-delimiter .)" "$oldest"
is "which is the first of the oldest segment" "$(find "$store/segments" -name '*.day' -printf '%f\n' | sort -V | head -n 1)" \
	"$oldest.day"
is "bytes and sizes count from there" "$(status_of "$mnt" bytes) $(stat -c %s "$mnt/live")" \
	"$(truth | wc -c) $(wc -c <"$mnt/live")"
check "what is left follows the rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
check_not "it is another file than it was" test "$inode" = "$(stat -c %i "$mnt/live")"
is "a table's file starts there, too" "$(sha256sum <"$mnt/tables/zzz")" \
	"$(grep -P '\t_table\tzzz\t' "$mnt/live" | sha256sum)"
is "each index has its segment" "$(find "$store/segments" -name '*.idx' | wc -l)" \
	"$(($(find "$store/segments" -name '*.day' | wc -l) - 1))"

# Who was there before.
size=$(stat -Lc %s /proc/$$/fd/7)
cat <&7 >>"$work/slow.live"
is "an open file has its own size" "$size" "$(wc -c <"$work/slow.live")"
check "and all that came since" "$root/tests/flow/stream.py" rules --crc "$work/slow.live"
is "from the first line on" "$(head -n 1 "$work/slow.live" | cut -f 2,4 --output-delimiter .)" "$first"
is "an open line can be read" "$(cat <&8)" "$(head -n 1 "$work/slow.live")"
exec 7<&- 8<&-
all_tailed() {
	cmp -s "$work/tail.live" "$work/slow.live" &&
		grep -P '\t_table\tzzz\t' "$work/slow.live" | cmp -s - "$work/tail.zzz" &&
		grep -P '\t_table\tquiet\t' "$work/slow.live" | cmp -s - "$work/tail.quiet"
}
check "tail -f has all lines once, also of a table that was quiet meanwhile" wait_for 60 all_tailed
is "and has not complained" "$(cat "$work"/tail.*.err)" ""

# Who comes too late.
exits "what is before the oldest line is stale: a line" 1 cat "$mnt/by-time/${first%.*}/${first#*.}"
like "and says so" "$output" "stale"
exits "a file from there on" 1 head -n 1 "$mnt/since/${first%.*}/${first#*.}/live"
like "and says so" "$output" "stale"
exits "a mirror that was away too long" 1 deltamirror --once "$mnt" "$mirror"
like "says so" "$output" "no longer retained"
check "a snapshot from before is gone" wait_for 30 "[[ ! -e $store/snapshots/$old ]]"
exits "and stale" 2 ls "$mnt/snapshots/$old"
like "which it says" "$output" "stale"
check_not "so it is not the latest" readlink "$mnt/snapshots/latest"
# shellcheck disable=SC2086
kill $tails
check "the store is sound" daystream check "$store"
is "daystream status tells the same" "$(daystream status "$store" | grep -P '^(oldest|keep_bytes)\t' | cut -f 2 | paste -sd ' ')" \
	"$(status_of "$mnt" oldest) 150000"

# Crashes while segments come and go.
load 3000 &
loading=$!
for i in 1 2 3 4 5 6; do
	sleep 0.$((RANDOM % 9 + 1))
	daemon_kill
	[[ $i -ne 3 ]] || touch "$store/segments/1000.0.idx" # as a crash leaves it between two removals
	run_quietly daystream check "$store"
	[[ $status -eq 0 ]] || result 1 "the store is sound after crash $i" "$output"
	daemon_start "$store" "$mnt"
done
wait $loading
caught_up "$mnt"
wait_for 60 is_kept "nothing more to go"
check "after six crashes it is sound, too" daystream check "$store"
check "and follows the rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
check_not "an index without its segment is gone" test -e "$store/segments/1000.0.idx"
is "the table's file is what it holds of the table" "$(sha256sum <"$mnt/tables/zzz")" \
	"$(grep -P '\t_table\tzzz\t' "$mnt/live" | sha256sum)"
daemon_stop
plan
