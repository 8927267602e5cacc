#!/bin/bash
# What people read files with: tail, less, cp, rsync, grep, find, tar, mmap, poll, epoll and inotify find on the mount
# what they would find on a disk, also while it grows.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

tools=$root/tests/flow/tools.py
server_up
stream_up
sql "CREATE TABLE zzz (id bigserial PRIMARY KEY, t text)"
sql "CREATE TABLE quiet (id bigserial PRIMARY KEY, t text)"
sql "INSERT INTO zzz (t) SELECT 'early ' || g FROM generate_series(1, 300) g"
sql "INSERT INTO quiet (t) VALUES ('a needle in a haystack')"
caught_up "$mnt"
snapshot_there
caught_up "$mnt"

# ---- nothing happens meanwhile
needle=$(grep -n 'a needle' "$mnt/live" | cut -d : -f 1)
line=$(sed -n "${needle}p" "$mnt/live" | cut -f 2,4 --output-delimiter /)
{
	printf '%s\n' "days/$(date -u -d "@${line%/*}" +%F)" live tables/quiet "by-time/$line" "by-time/${line%/*}/all"
	# One that was taken before the line came has it in its overlap.
	find "$mnt/snapshots" -type f -path '*quiet' -exec grep -q 'a needle' {} \; -printf 'snapshots/%P\n'
} | sort >"$work/wanted"
exits "grep -r finds a line wherever it stands" 0 grep -rl 'a needle' "$mnt"
is "and nowhere else" "$(cut -c $((${#mnt} + 2))- <<<"$output" | grep -v '/overlap$' | sort)" "$(cat "$work/wanted")"
exits "find walks the whole tree" 0 find "$mnt" -type f
is "and meets each line once" "$(grep -cE "^$mnt/by-time/[0-9]+/[0-9]+\$" <<<"$(find "$mnt" -type f)")" "$(truth | wc -l)"
is "each second" "$(find "$mnt/by-time" -mindepth 1 -maxdepth 1 | wc -l)" "$(truth | cut -f 2 | uniq | wc -l)"
mkdir "$work/out"
exits "tar packs it" 0 tar -cf "$work/all.tar" -C "$mnt" live tables by-time days schema snapshots
check "and unpacks it" tar -xf "$work/all.tar" -C "$work/out"
check "which is the same" diff -r --no-dereference -x since -x status -x metrics "$mnt" "$work/out"
is "with the same times" "$(stat -c %Y "$work/out/live" "$work/out/tables/zzz")" "$(stat -c %Y "$mnt/live" "$mnt/tables/zzz")"
check "cp -r copies a folder" bash -c "cp -r '$mnt/tables' '$work/tables' && diff -r '$mnt/tables' '$work/tables'"
sleep 1.1 # a line of a later second says that this one is over
sql "INSERT INTO zzz (t) VALUES ('later')"
caught_up "$mnt"
is "a second that is over can be mapped, as on a disk" "$("$tools" map "$mnt/by-time/${line%/*}/all" shared | sha256sum)" \
	"$(sha256sum <"$mnt/by-time/${line%/*}/all")"
is "what grows by MAP_PRIVATE" "$("$tools" map "$mnt/live" private | sha256sum)" "$(truth | sha256sum)"
is "and not by MAP_SHARED" "$("$tools" map "$mnt/live" shared)" ENODEV

# ---- who waits is woken
for how in poll epoll edge; do
	rm -f "$work/ready"
	"$tools" wait "$how" "$mnt/tables/quiet" "$work/ready" >"$work/woken" 2>&1 &
	waiting=$!
	wait_for 60 "[[ -e $work/ready ]] || ! alive $waiting" "one who waits by $how"
	sql "INSERT INTO zzz (t) VALUES ('not for $how')"
	sql "INSERT INTO quiet (t) VALUES ('for $how')"
	check "$how wakes" wait $waiting
	is "with the line" "$(grep -o "for $how" "$work/woken")" "for $how"
done
rm -f "$work/ready"
"$tools" less "$mnt/tables/quiet" "$work/ready" 'for less' >"$work/less.log" 2>&1 &
waiting=$!
wait_for 60 "[[ -e $work/ready ]] || ! alive $waiting" "less"
sql "INSERT INTO quiet (t) VALUES ('for less')"
check "less +F shows what comes" wait $waiting

# ---- a rush
busybox tail -n +1 -f "$mnt/tables/zzz" >"$work/busybox-f" 2>"$work/busybox-f.err" &
followers=$!
busybox tail -n +1 -F "$mnt/live" >"$work/busybox-F" 2>"$work/busybox-F.err" &
followers+=" $!"
tail -n 3 -f "$mnt/tables/quiet" >"$work/tail-n" 2>"$work/tail-n.err" &
followers+=" $!"
tail -n 3 "$mnt/tables/quiet" >"$work/tail-n.wanted"
wait_for 60 "[[ -s $work/busybox-f && -s $work/busybox-F && -s $work/tail-n ]]" "the tails"
cat >"$work/load.sql" <<'SQL'
INSERT INTO zzz (t) SELECT repeat(md5(random()::text), 1 + (random() * 5)::int) FROM generate_series(1, 5);
SQL
pgbench -n -c 2 -T 3 -f "$work/load.sql" >"$work/pgbench.log" 2>&1 &
load=$!
rounds=0 prefixes=0 appended=0 tails=0
while alive $load; do
	rounds=$((rounds + 1))
	cp "$mnt/live" "$work/copy"
	cmp -s -n "$(stat -c %s "$work/copy")" "$work/copy" <(truth 2>/dev/null) || prefixes=1
	rsync --append --inplace "$mnt/live" "$work/rsync" || appended=1
	cmp -s -n "$(stat -c %s "$work/rsync")" "$work/rsync" <(truth 2>/dev/null) || appended=1
	last=$(tail -n 100 "$mnt/live")
	[[ $(wc -l <<<"$last") -eq 100 && $(tail -n 1 <<<"$last") == *$'\t_action\tcommit\t'* ]] || tails=1
done
note "$rounds rounds of cp, rsync and tail; $(grep processed "$work/pgbench.log")"
is "cp took a part of the stream each time, from its start on" $prefixes 0
is "so has rsync --append, by what was lacking" $appended 0
is "tail -n 100 has whole transactions at its end" $tails 0
sql "INSERT INTO quiet (t) VALUES ('the end')"
tail -n 0 -f "$mnt/tables/quiet" >/dev/null & # one who begins now
followers+=" $!"
caught_up "$mnt"
truth >"$work/truth"
rsync --append --inplace "$mnt/live" "$work/rsync"
check "in the end rsync has it all" cmp "$work/rsync" "$work/truth"
is "tail -n 100 is that of the segments" "$(tail -n 100 "$mnt/live")" "$(tail -n 100 "$work/truth")"
is "that of busybox, too" "$(busybox tail -n 100 "$mnt/live")" "$(tail -n 100 "$work/truth")"
grep -P '^_c\t\d+\t_s\t\d+\t_table\tzzz\t' "$work/truth" >"$work/truth.zzz"
wait_for 60 "cmp -s '$work/busybox-f' '$work/truth.zzz'" || true
check "busybox tail -f printed it all, once" cmp "$work/busybox-f" "$work/truth.zzz"
wait_for 60 "cmp -s '$work/busybox-F' '$work/truth'" || true
check "busybox tail -F, too" cmp "$work/busybox-F" "$work/truth"
tail -n 1 "$mnt/tables/quiet" >>"$work/tail-n.wanted"
wait_for 60 "cmp -s '$work/tail-n' '$work/tail-n.wanted'" || true
check "tail -n 3 -f printed three lines and what came" cmp "$work/tail-n" "$work/tail-n.wanted"
is "none complained" "$(cat "$work"/*.err)" ""
# shellcheck disable=SC2086
kill $followers

# ---- inotify
daemon_stop
daemon_start "$store" "$mnt" -o notify,allow_other
sql "INSERT INTO quiet (t) VALUES ('before')"
caught_up "$mnt"
position=$(status_of "$mnt" position)
exec 7<"$mnt/since/${position/./\/}/tables/quiet"
declare -A watched=([live]=live [tables]=tables/quiet [since]="since/${position/./\/}/tables/quiet")
for who in "${!watched[@]}"; do
	inotifywait -m "$mnt/${watched[$who]%/quiet}" --format '%w%f %e' >"$work/seen.$who" 2>"$work/watch.$who" &
	wait_for 60 "grep -q established '$work/watch.$who'" "inotifywait"
done
inotifywait -m "$mnt/tables/zzz" >"$work/seen.zzz" 2>"$work/watch.zzz" &
wait_for 60 "grep -q established '$work/watch.zzz'" "inotifywait"
for _ in 1 2 3; do
	sql "INSERT INTO quiet (t) VALUES ('seen')"
	sleep 0.2
done
for who in "${!watched[@]}"; do
	check "inotify tells that ${watched[$who]} grows" wait_for 60 "grep -q '^$mnt/${watched[$who]} MODIFY\$' '$work/seen.$who'"
done
is "and of a table that does not, nothing" "$(cat "$work/seen.zzz")" ""
is "no event is of another kind" "$(cut -d ' ' -f 2 "$work"/seen.* | sort -u)" MODIFY
exec 7<&-
pgbench -n -c 2 -t 1000 -f "$work/load.sql" >"$work/pgbench.log" 2>&1
caught_up "$mnt"
check "many changes are one event" test "$(grep -c MODIFY "$work/seen.zzz")" -lt 1000
for user in "" "--as nobody"; do
	for file in live tables/zzz "by-time/$line" status; do
		# shellcheck disable=SC2086
		exits "nobody else can change /${file%%/*} ${user:+as another user}" 0 "$root/tests/flow/readonly.py" writes $user "$mnt" "$mnt/$file"
	done
done
check_not "nor set its time, as the daemon does" touch -m -d @5 "$mnt/live"
is "the time is the last line's" "$(stat -c %Y "$mnt/live")" "$(tail -n 1 "$mnt/live" | cut -f 2)"
check "it ends while it is watched" daemon_stop
check_not "and its mount" mountpoint -q "$mnt"

# Where its own mount is closed to the daemon, it says so, and goes on.
if [[ $EUID -eq 0 ]]; then
	daemon_start "$store" "$mnt" -o notify
	sql "INSERT INTO quiet (t) VALUES ('unseen')"
	check "without allow_other it goes on" caught_up "$mnt"
	check "and says that there are no events" wait_for 30 "grep -q 'no inotify events.*allow_other' '$work/daemon.log'"
	sql "INSERT INTO quiet (t) VALUES ('unseen, too')"
	caught_up "$mnt"
	daemon_stop
	is "once" "$(grep -c 'no inotify events.*allow_other' "$work/daemon.log")" 1
fi
plan
