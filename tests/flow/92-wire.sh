#!/bin/bash
# The wire: an ssh connection that is cut, silent, or gone for good, with a daemon that is killed at its other end: who
# follows over it goes on without a gap or a repetition. And nobody can write to the tree, near or far.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=ssh.sh
. "$(dirname "$0")/ssh.sh"

server_up
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
daemon_start "$store" "$mnt" -o allow_other
sql "CREATE TABLE zzz (a bigserial PRIMARY KEY, b text)"
sql "INSERT INTO zzz (b) SELECT md5(g::text) FROM generate_series(1, 3000) g"
snapshot_there
wait_for 60 "grep -c 'snapshot .* was taken' '$work/daemon.log' >/dev/null" "the log to tell of it"
caught_up "$mnt"
sshd_up

# ---- nobody writes
readonly() { "$root/tests/flow/readonly.py" "$@"; }
tree_of() { find "$mnt/" -not -path '*/since/*' -not -name status -not -name metrics -printf '%P %y %m %U %s %T@\n' | sort | sha256sum; }
before=$(tree_of)
lines=$(wc -l <"$work/daemon.log")
line=$(tail -n 1 "$mnt/live" | cut -f 2,4 --output-delimiter /)
for file in live tables/zzz "by-time/$line" "since/$line/live" snapshots/latest/overlap status metrics; do
	exits "nothing changes /${file%%/*}, for root" 0 readonly writes "$mnt" "$mnt/$file"
	exits "nor for another user" 0 readonly writes --as nobody "$mnt" "$mnt/$file"
done
far_mount "$work/far" rw
exits "nothing does from far away, over a mount for writing" 0 readonly writes --any "$far" "$far/tables/zzz"
exits "odd names lead nowhere" 0 readonly names "$mnt"
exits "nor do they from far away" 0 readonly names "$far"
is "none of it leaves a trace" "$(tree_of)" "$before"
is "nor a word in the log" "$(wc -l <"$work/daemon.log")" "$lines"
end_process "$sshfs"
wait "$sshfs" || true

# ---- the connection is cut, or says nothing any more
seq=0
write() { # some lines
	seq=$((seq + 1))
	sql "INSERT INTO zzz (b) SELECT 'write $seq' FROM generate_series(1, 200)"
	sql "UPDATE zzz SET b = b || '.' WHERE a % 7 = $seq % 7"
}
far_again=$work/again # the same without reconnect
mkdir "$far_again"
live="ServerAliveInterval=1,ServerAliveCountMax=2"
far_mount "$far" "ro,reconnect,$live"
far_mount "$far_again" "ro,$live"
declare -A mirrors
for place in far again; do
	deltamirror "$work/$place" "$work/$place.sqlite" >"$work/$place.log" 2>&1 &
	mirrors[$place]=$!
	"$root/tests/flow/followers.py" follow "$work/$place" "$work/$place.out" >"$work/$place.out.log" 2>&1 &
done
tail -n +1 -f "$far/live" >"$work/tail" 2>/dev/null &
has_all() { [[ $(sqlite3 "$work/$1.sqlite" "SELECT count(*) FROM zzz WHERE b LIKE 'write $seq%'") -eq 200 ]]; }
follows() { # PLACE: by itself
	wait_for 120 "has_all $1 || ! alive ${mirrors[$1]}" && has_all "$1"
}
mount_again() { # what sshfs without reconnect takes
	# It ends by itself, or with the first that asks; one that did so later would take its successor's mount away.
	end_process "$sshfs"
	wait "$sshfs" || true
	fusermount3 -q -u -z "$far_again" || true
	far_mount "$far_again" "ro,$live"
}
goes_on() { # AFTER WHAT
	local place
	write
	for place in far again; do
		check "the mirror goes on after $1 ($place)" follows "$place"
	done
}
write
for place in far again; do
	check "a mirror follows ($place)" follows "$place"
done
for _ in 1 2; do
	sessions KILL
	write
	sleep 0.3
done
mount_again
goes_on "cuts"
sql "INSERT INTO zzz (b) SELECT repeat(md5(g::text), 10) FROM generate_series(1, 30000) g" # 10 MB
for _ in 1 2 3; do
	sleep 0.2
	sessions KILL
done
mount_again
goes_on "cuts in the midst of a large transaction"
sessions STOP
write
sleep 1
# What hangs on a silent connection is given up by ssh; until then nothing else can end it.
check "a read that hangs on a silent connection comes to an end" wait_for 60 "timeout 20 stat '$far/live'"
sessions KILL
mount_again
goes_on "silence"
kill -KILL "$sshfs"
wait "$sshfs" || true
exits "deltamirror --once says that the mount is dead" 1 timeout 20 deltamirror --once "$far_again" "$work/again2.sqlite"
is "in one line" "$(wc -l <<<"$output")" 1
check "a mirror that waits for a dead sshfs is alive" alive "${mirrors[again]}"
mount_again
goes_on "sshfs was killed and mounted anew"

# ---- the daemon is killed over there
for _ in 1 2 3; do
	daemon_kill
	write
	daemon_start "$store" "$mnt" -o allow_other
	write
done
goes_on "the daemon was killed three times"
find "$store/segments" -name '*.day' | sort -V | xargs cat >"$work/truth"
for place in far again; do
	wait_for 60 "cmp -s '$work/$place.out' '$work/truth'" || true
	check "a reader that opens /since anew has every byte, once ($place)" cmp "$work/$place.out" "$work/truth"
	is "and did not complain" "$(cat "$work/$place.out.log")" ""
	check "its mirror is the same process" alive "${mirrors[$place]}"
	check "and equals PostgreSQL" "$root/contrib/compare-tables" -q "$work/$place.sqlite"
done
check "what tail -f printed is right" cmp -n "$(stat -c %s "$work/tail")" "$work/tail" "$work/truth"

# ---- a mirror ends when it is told to, whatever its mount does
sessions STOP
write
kill "${mirrors[far]}" "${mirrors[again]}"
for place in far again; do
	check "SIGTERM ends a mirror on a silent connection ($place)" wait_for 60 "! alive ${mirrors[$place]}"
done
sessions KILL # what is stopped would outlive sshd
plan
