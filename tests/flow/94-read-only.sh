#!/bin/bash
# A store that somebody else writes, or copies: served read-only, beside its daemon and from a copy that rsync makes,
# whatever is killed on the way; and served on, over ssh, to a mirror.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=ssh.sh
. "$(dirname "$0")/ssh.sh"

copy=$work/copy
relay=$work/relay
relay_pid=

relay_start() { # STORE MOUNTPOINT [OPTIONS]: leaves $relay_pid
	mkdir -p "$2" 2>/dev/null || true
	daystreamfs --read-only "$@" -f >>"$work/relay.log" 2>&1 &
	relay_pid=$!
	wait_for 30 "mounted '$2' || ! alive $relay_pid"
	mounted "$2" || { tail -n 20 "$work/relay.log" >&2; return 1; }
}

relay_stop() {
	end_process "$relay_pid"
	wait "$relay_pid"
}

# As cron would, again and again; each round another way of putting files there. What kills it is no matter.
copy_once() { # [RSYNC'S OPTIONS]
	rsync -a --exclude=daystream.conf --delete --whole-file "$@" "$store/" "$copy/" >>"$work/rsync.log" 2>&1
}
kill_a_copy() { # in the midst
	rsync -a --exclude=daystream.conf --bwlimit=20000 "$store/" "$copy/" >>"$work/rsync.log" 2>&1 &
	local pid=$!
	sleep "0.0$((RANDOM % 9 + 1))"
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}
copy_loop() {
	local round=0
	while [[ ! -e $work/enough ]]; do
		case $((round++ % 4)) in
		0) copy_once || true ;;
		1) copy_once --inplace || true ;;
		2) copy_once --append || true ;;
		3) kill_a_copy ;;
		esac
		sleep 0.2
	done
}

position_is() { [[ $(status_of "$1" position) == "$(status_of "$mnt" position)" ]]; }
# What the daemon shows is told by STORE/confirmed, so by a copy, within a second.
copied_all() { copy_once "$@" && position_is "$relay"; }

stream_up
daemon_stop
echo 'segment_size = 65536' >>"$store/daystream.conf"
daemon_start "$store" "$mnt"
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
for i in 0 1 2; do
	sql "INSERT INTO zzz SELECT g, md5(g::text) FROM generate_series(1000 * $i + 1, 1000 * $i + 1000) g"
done
snapshot_there
caught_up "$mnt"

# ---- beside the daemon

relay_start "$store" "$work/beside"
beside=$relay_pid
caught_up "$work/beside"
check "beside the daemon, the same stream is served" cmp "$mnt/live" "$work/beside/live"
names() { (cd "$1" && find . tables days -maxdepth 1 | sort); }
is "and the same tree" "$(names "$work/beside")" "$(names "$mnt")"
is "its status says what it is" "$(status_of "$work/beside" state)" read-only
like "and since when nothing has come" "$(cat "$work/beside/status")" '^growth_seconds	[0-9]+$'
like "so do its metrics" "$(cat "$work/beside/metrics")" 'ingest_state\{state="read-only"\} 1' 'growth_age_seconds [0-9]'
check_not "it holds no lock" bash -c "lslocks -n -o PID | grep -w '$beside'"

# ---- a copy

mkdir "$copy" "$work/nothing"
exits "what is no store is said" 1 daystreamfs --read-only "$copy" "$work/nothing" -f
like "and why" "$output" "no folder segments"
copy_once
exits "of a copy, daystream status knows too little" 1 daystream status "$copy"
like "and says where that is" "$output" "$copy: no daystream.conf.*--read-only"
rm "$copy/confirmed"
exits "a copy without STORE/confirmed is not shown" 1 daystreamfs --read-only "$copy" "$work/nothing" -f
like "and why is said" "$output" "STORE/confirmed"
copy_once
mapfile -t segments < <(find "$copy/segments" -name '*.day' | sort -V)
rm "${segments[1]}" "${segments[1]%.day}.idx" # before the newest
exits "nor one that lacks a segment" 1 daystreamfs --read-only "$copy" "$work/nothing" -f
like "which is told from what there has to be" "$output" "bytes are here"

copy_once
relay_start "$copy" "$relay"
copied=$relay_pid
check "a copy is served without daystream.conf" cmp "$mnt/live" "$relay/live"
check_not "which is not in it" test -e "$copy/daystream.conf"
is "its snapshot is shown" "$(readlink "$relay/snapshots/latest")" "$(readlink "$mnt/snapshots/latest")"

# A snapshot that has not come wholly is none.
snapshot_taken
newest=$(readlink "$mnt/snapshots/latest")
wait_for 60 "copied_all --exclude='/snapshots/*/tables/zzz'"
check_not "a snapshot that lacks a table is not shown" test -e "$relay/snapshots/$newest"
copy_once
check "until it is whole" wait_for 60 "[[ \$(readlink '$relay/snapshots/latest') == '$newest' ]]"

# ---- relayed to a mirror

copy_loop &
looper=$!
sshd_up
mnt=$relay far_mount "$far" ro,reconnect,ServerAliveInterval=15
deltamirror "$far" "$mirror" >"$work/mirror.log" 2>&1 &
mirror_pid=$!
tail -c +1 -f "$relay/live" >"$work/tail" 2>/dev/null &
for i in 1 2 3 4 5 6; do
	sql "UPDATE zzz SET b = md5('$i' || a) WHERE a % 6 = $i - 1"
	sql "INSERT INTO zzz SELECT -1000 * $i - g, repeat('x', 100) FROM generate_series(1, 300) g"
	[[ $i -ne 3 ]] || { daemon_kill; daemon_start "$store" "$mnt"; }
	sleep 0.3
done
sql "DELETE FROM zzz WHERE a % 7 = 0"
caught_up "$mnt"
settled() { position_is "$relay" && [[ $(sqlite3 "$mirror" 'SELECT epoch || "." || seq FROM _daystream' 2>/dev/null) == "$(status_of "$mnt" position)" ]]; }
check "the mirror comes to what is committed, through a copy that is killed again and again" wait_for 120 settled
equal_tables "and equals PostgreSQL"
check "by the same processes" eval "alive $mirror_pid && alive $copied && alive $beside"
touch "$work/enough"
wait "$looper"
wait_for 60 copied_all
check "the copy shows every byte" cmp "$mnt/live" "$relay/live"
check "who follows it got each" wait_for 60 "cmp -s '$work/tail' '$relay/live'"
is "nothing was damaged on the way" "$(status_of "$relay" damage)$(status_of "$work/beside" damage)" ""
wait_for 60 "[[ -z \$(status_of '$relay' last_error) ]]" || true
is "nor is anything waited for" "$(status_of "$relay" last_error)" ""

# ---- read-only media: not even root may write there

mkdir "$work/media"
if mount --bind "$copy" "$work/media" && mount -o remount,bind,ro "$work/media"; then
	relay_start "$work/media" "$work/from-media"
	check "a store on a disk that is mounted read-only is served" cmp "$mnt/live" "$work/from-media/live"
	find "$copy/segments" -name '*.idx' -delete
	relay_stop
	relay_start "$work/media" "$work/from-media" -o read_only
	check "also where indexes are missing" cmp "$mnt/tables/zzz" "$work/from-media/tables/zzz"
	is "which stay missing" "$(find "$copy/segments" -name '*.idx')" ""
	relay_stop
	umount "$work/media"
else
	note "no bind mounts here"
fi

# ---- retention, and another generation

relay_was=$(ls -i "$relay/live")
sql "INSERT INTO zzz SELECT g, repeat('y', 100) FROM generate_series(100001, 103000) g"
caught_up "$mnt"
wait_for 60 "copy_once && settled" "the mirror to have what is given up next"
daemon_stop
echo 'keep_bytes = 200000' >>"$store/daystream.conf"
daemon_start "$store" "$mnt"
sql "INSERT INTO zzz VALUES (200000, 'z')"
caught_up "$mnt"
# Its rule: the oldest goes as long as there is more than that, but for the newest.
given_up() { (($(truth | wc -c) <= 200000 || $(find "$store/segments" -name '*.day' | wc -l) == 1)); }
wait_for 60 given_up "the writer's retention"
oldest_is() { copy_once && [[ $(status_of "$1" oldest) == "$(status_of "$mnt" oldest)" ]]; }
check "what retention gave up is given up here" wait_for 60 "oldest_is '$relay'"
check "beside the daemon, too" wait_for 60 "oldest_is '$work/beside'"
check_not "and /live is another file" test "$(ls -i "$relay/live")" = "$relay_was"
wait_for 60 copied_all
check "of the same bytes" cmp "$mnt/live" "$relay/live"
check "the mirror goes on" wait_for 60 "copy_once && settled"
daemon_stop
daystream drop --yes "$store" >"$work/drop.log" 2>&1
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
daemon_start "$store" "$mnt"
caught_up "$mnt"
check "a new generation is shown" wait_for 60 "copy_once && [[ \$(status_of '$relay' generation) == 2 ]]"
check "beside the daemon, too" wait_for 60 "[[ \$(status_of '$work/beside' generation) == 2 ]]"
snapshot_there
caught_up "$mnt"
wait_for 60 "copied_all && [[ -e $relay/snapshots/latest ]]"
end_process "$mirror_pid"
deltamirror --resync --once "$relay" "$mirror" >>"$work/mirror.log" 2>&1
equal_tables "and a mirror begun anew from it equals PostgreSQL"

# ---- what contradicts

sql "UPDATE zzz SET b = 'A'"
caught_up "$mnt"
wait_for 60 copied_all
mapfile -t segments < <(find "$copy/segments" -name '*.day' | sort -V)
cp -p "${segments[-1]}" "$work/flipped"
flip "$work/flipped" 100
mv "$work/flipped" "${segments[-1]}"
wait_for 60 "! alive $copied"
status=0
wait "$copied" || status=$?
is "a copy that is not what was shown ends it" "$status" 1
like "with the remedy" "$(tail -n 1 "$work/relay.log")" "is another one than was shown" "Start again"
check "the writer's daemon and the one beside it know nothing of that" cmp "$mnt/live" "$work/beside/live"
plan
