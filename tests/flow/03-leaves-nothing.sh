#!/bin/bash
# However a script on the private server ends, nothing of it stays.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$work/script" <<'SCRIPT'
. "$ROOT/tests/flow/lib.sh"
stream_up
deltamirror "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
sql "CREATE TABLE t (a int PRIMARY KEY)"
echo "$work" >"$TELL"
eval "$END"
plan
SCRIPT
mkdir "$work/tmp"
left() { # what a person would find
	find "$work/tmp" -mindepth 1
	grep -F " $work/tmp" /proc/self/mountinfo
	pgrep -af "$work/tmp/" | grep -v "^$$ "
	true
}
for end in HUP INT TERM failure; do
	rm -f "$work/told"
	command="exec 8<\$mnt/live; sleep 100"
	[[ $end != failure ]] || command=false
	# A session of its own, which hears SIGINT as one of a terminal does.
	ROOT=$root TELL=$work/told END=$command TMPDIR=$work/tmp \
		env --default-signal=INT setsid bash -c ". '$work/script'" >"$work/out" 2>&1 &
	pid=$!
	wait_for 60 "[[ -s $work/told ]] || ! alive $pid" "the script to get going"
	check "the script got going" test -s "$work/told"
	# To the whole group, as a terminal does.
	[[ $end == failure ]] || kill "-$end" -- "-$pid"
	wait_for 60 "! alive $pid" "the script to end"
	is "nothing is left after $end" "$(left)" ""
done
plan
