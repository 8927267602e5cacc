#!/bin/bash
# A mirror on another host: over sshfs, with a real sshd, whose connection is
# cut on the way.
# shellcheck disable=SC2016 # wait_for expands it
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=ssh.sh
. "$(dirname "$0")/ssh.sh"
stream_up
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "INSERT INTO zzz SELECT g, md5(g::text) FROM generate_series(1, 20000) g"

sshd_up
far_mount "$far" ro,reconnect,ServerAliveInterval=15

snapshot_there
caught_up "$far"
check "the far end sees the stream" cmp "$mnt/live" "$far/live"
deltamirror "$far" "$mirror" >"$work/mirror.log" 2>&1 &
mirror_pid=$!
sql "UPDATE zzz SET b = 'new' WHERE a % 3 = 0"
in_mirror() { [[ $(sqlite3 "$mirror" "SELECT count(*) FROM zzz WHERE $1") -eq $2 ]]; }
wait_for 60 "in_mirror \"b = 'new'\" 6666" "the mirror to follow" || true
equal_tables "a mirror follows over sshfs"

for i in 1 2 3; do
	sessions KILL
	sql "UPDATE zzz SET b = 'cut $i' WHERE a % 5 = $i"
	sql "INSERT INTO zzz VALUES (-$i, 'cut')"
	sleep 0.5
done
check "the mirror goes on over a cut connection" wait_for 60 "in_mirror \"a = -3\" 1"
check "it is the same process" alive "$mirror_pid"
equal_tables "and equals PostgreSQL"

# The daemon at the other end goes away, and comes back.
daemon_stop
sql "DELETE FROM zzz WHERE a % 7 = 0"
daemon_start "$store" "$mnt"
check "it goes on when the daemon over there was away" wait_for 60 "in_mirror \"a % 7 = 0 AND a > 0\" 0"
equal_tables "and equals PostgreSQL again"
check "it is still the same process" alive "$mirror_pid"

tail -n +1 -f "$far/live" >"$work/tail" 2>/dev/null &
sql "INSERT INTO zzz VALUES (-99, 'last')"
wait_for 60 "grep -q last '$work/tail'" || true
check "tail -f over sshfs gives right bytes" bash -c "cmp '$work/tail' <(head -c \$(stat -c %s '$work/tail') '$mnt/live')"
check "to the end" grep -q last "$work/tail"

# sshfs shows a file that cannot be read on as one that has ended.
kill "$mirror_pid"
wait "$mirror_pid" 2>/dev/null || true
daemon_stop
echo 'segment_size = 65536' >>"$store/daystream.conf"
daemon_start "$store" "$mnt"
for i in 1 2 3; do
	sql "UPDATE zzz SET b = 'round $i' WHERE a % 10 = $i"
done
caught_up "$mnt"
daemon_stop
mapfile -t segments < <(find "$store/segments" -name '*.day' | sort -V)
flip "${segments[-2]}" 30000
daemon_start "$store" "$mnt"
wait_for 60 "[[ -e '$far/status' ]]" "the far end to see it"
exits "a damaged segment over there is no end of the stream" 1 deltamirror --once "$far" "$mirror"
like "and where to look is said" "$output" "/status"
like "which names the segment" "$(cat "$far/status")" "damage	.*$(basename "${segments[-2]}")"

# A mirror that follows says so once, and goes on when it is mended.
deltamirror "$far" "$mirror" >"$work/mirror.log" 2>&1 &
mirror_pid=$!
named() { grep -c "$(basename "${segments[-2]}") is damaged: at [0-9]*.*restore.*waiting for it" "$work/mirror.log"; }
# shellcheck disable=SC2016 # wait_for expands it
check "a mirror that follows names it, too" wait_for 60 '(($(named) == 1))'
sleep 5
is "once" "$(named)" 1
check "and says little else ($(wc -l <"$work/mirror.log") lines)" test "$(wc -l <"$work/mirror.log")" -le 4
flip "${segments[-2]}" 30000
check "mended, it goes on by itself" wait_for 60 "in_mirror \"b = 'round 3'\" \$(sql \"SELECT count(*) FROM zzz WHERE b = 'round 3'\")"
equal_tables "and equals PostgreSQL once more"
plan
