#!/bin/bash
# Mirrors and damage: a mirror that follows names a damaged file once, and the remedy; it goes on by itself when that is
# mended, and a newer snapshot leads around it. A damaged snapshot is named, too.
# shellcheck source=lib.sh
# shellcheck disable=SC2016,SC2034,SC2086 # wait_for expands them
. "$(dirname "$0")/lib.sh"

server_up
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
printf 'segment_size = 25000\nsnapshot = off\n' >>"$store/daystream.conf"
sql "CREATE TABLE zzz (a bigint PRIMARY KEY, b text)"
daemon_start "$store" "$mnt"
sql "INSERT INTO zzz SELECT g, 'first' FROM generate_series(1, 100) g"
caught_up "$mnt"
check "a snapshot is taken" snapshot_taken
snapshot=$store/snapshots/$(tail -n 1 "$work/snapshot.log")
caught_up "$mnt"
check "a mirror is made" deltamirror --once "$mnt" "$mirror"
for i in 1 2 3 4 5 6; do
	sql "INSERT INTO zzz SELECT $i * 1000 + g, md5(g::text) FROM generate_series(1, 300) g"
done
caught_up "$mnt"
daemon_stop
mapfile -t all < <(find "$store/segments" -name '*.day' | sort -V)
check "there are segments" test "${#all[@]}" -ge 5
# All rows came by the stream, so these are those of the segments before.
before=$(cat "${all[@]:0:${#all[@]}-3}" | grep -c '	_table	zzz	.*	_action	insert	')
damaged=${all[-3]} name=segments/$(basename "${all[-3]}")
flip "$damaged" 15000
daemon_start "$store" "$mnt"

follow() { # [OPTIONS]: in the background, with a log of its own
	: >"$work/mirror.log"
	deltamirror "$@" "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
	mirror_pid=$!
}
rows() { sqlite3 "$mirror" "SELECT count(*) FROM zzz WHERE $1"; }
named() { grep -c "after [0-9.]*: .*$name is damaged: at [0-9]*.*restore.*waiting for it" "$work/mirror.log"; }

# ---- a segment

exits "with --once damage is an error" 1 timeout 60 deltamirror --once "$mnt" "$mirror"
like "which names the file, the place and the remedy" "$output" "error: after [0-9.]+: .*$name is damaged: at [0-9]+" restore
follow
check "a mirror that follows names it" wait_for 60 '(($(named) == 1))'
check "it has all that stands before the damage" wait_for 60 '(($(rows true) >= before))'
sleep 4
is "it says so once" "$(named)" 1
check "and little else ($(wc -l <"$work/mirror.log") lines)" test "$(wc -l <"$work/mirror.log")" -le 4
check "it is alive" alive "$mirror_pid"
like "/status names it" "$(status_of "$mnt" damage)" "$name is damaged"
cp -p "$damaged" "$work/sound"
flip "$work/sound" 15000
mv "$work/sound" "$damaged"
check "a sound copy in its place, it goes on by itself" wait_for 60 '(($(rows "a BETWEEN 6001 AND 6300") == 300))'
check "/status is clear again" wait_for 60 '[[ -z $(status_of "$mnt" damage) ]]'
check "the log tells" wait_for 60 "grep -c '$name is no longer damaged' '$work/daemon.log' >/dev/null"
check "and says so" wait_for 60 "grep -c 'can be read on' '$work/mirror.log' >/dev/null"
sql "INSERT INTO zzz VALUES (-1, 'mended')"
check "the stream goes on" wait_for 60 '(($(rows "a = -1") == 1))'
exits "it equals the server" 0 timeout 60 deltamirror --verify "$conninfo" "$mirror"
end_process "$mirror_pid"

# Without a copy of the file, a newer snapshot leads around it.
rm -f "$mirror"*
flip "$damaged" 15000
exits "a new mirror cannot pass either" 1 timeout 60 deltamirror --once "$mnt" "$mirror"
like "for the same reason" "$output" "$name is damaged: at [0-9]+" restore
check_not "and there is none" test -e "$mirror"
older=$snapshot
check "a newer snapshot is taken" snapshot_taken
snapshot=$store/snapshots/$(tail -n 1 "$work/snapshot.log")
exits "with which it can" 0 timeout 60 deltamirror --once "$mnt" "$mirror"
exits "and equals the server" 0 timeout 60 deltamirror --verify "$conninfo" "$mirror"
flip "$damaged" 15000
daemon_stop

# ---- a snapshot

rm -rf "$older"
sql "UPDATE zzz SET b = 'later' WHERE a > 5000"
for file in tables/zzz overlap manifest; do
	size=$(stat -c %s "$snapshot/$file")
	flip "$snapshot/$file" $((size / 2))
	daemon_start "$store" "$mnt"
	rm -f "$mirror"*
	for once in --once $([[ $file != tables/zzz ]] || echo --); do
		exits "a mirror does not start from a snapshot whose $file is damaged ($once)" 1 \
			timeout 60 deltamirror $once "$mnt" "$mirror"
		like "names it, and says what to do" "$output" "error: .*$(basename "$snapshot")/$file.*daystream snapshot"
	done
	daemon_stop
	flip "$snapshot/$file" $((size / 2))
done
daemon_start "$store" "$mnt"
flip "$snapshot/tables/zzz" 30
check_not "it is damaged" cat "$mnt/snapshots/$(basename "$snapshot")/tables/zzz"
check "another one is taken" snapshot_taken
flip "$snapshot/tables/zzz" 30
check "mended, it is no longer told" wait_for 60 '[[ -z $(status_of "$mnt" damage) ]]'
for file in manifest sums overlap; do
	mv "$snapshot/$file" "$work/sound"
	head -c 3000 /dev/urandom >"$snapshot/$file"
	part=$file
	[[ $file != sums ]] || part=tables/zzz
	check_not "with another $file it is not read" timeout 10 cat "$mnt/snapshots/$(basename "$snapshot")/$part"
	like "which /status tells" "$(status_of "$mnt" damage)" "$(basename "$snapshot")/$file is damaged"
	mv "$work/sound" "$snapshot/$file"
	check "... until it is put back" wait_for 60 '[[ -z $(status_of "$mnt" damage) ]]'
done
flip "$snapshot/tables/zzz" 30
check_not "once more it is damaged" cat "$mnt/snapshots/$(basename "$snapshot")/tables/zzz"
exits "which is what to start from" 0 timeout 60 deltamirror --once "$mnt" "$mirror"
exits "and equals the server" 0 timeout 60 deltamirror --verify "$conninfo" "$mirror"
daemon_stop
plan
