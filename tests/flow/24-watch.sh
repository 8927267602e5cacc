#!/bin/bash
# daystream status --watch: a screen on a terminal, which is given back however it ends; lines elsewhere.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

on_terminal() { # COMMAND...: with what happens there from standard input
	"$root/tests/flow/terminal.py" "$@"
}
watch() { # PLACE ACTION...
	local place=$1
	shift
	printf '%s\n' "$@" | on_terminal daystream status --watch "$place"
}

stream_up
sql "CREATE TABLE zzz (a serial PRIMARY KEY, b text)"
sql "INSERT INTO zzz (b) SELECT 'x' FROM generate_series(1, 100) g"
caught_up "$mnt"
wait_for 30 "[[ -n \$(status_of '$mnt' slot_wal_status) && -n \$(status_of '$mnt' snapshot) ]]" "slot and snapshot"

for end in "key q" "key $(printf '\003')" "signal TERM" "signal HUP" "signal INT" "signal QUIT"; do
	check "a screen, given back after ${end//$'\003'/^C}" watch "$mnt" "see streaming" "see $mnt" "$end" end
done
check "what a person wants to know" watch "$mnt" "see state       streaming" "see transactions/s" "see slot        active, reserved" \
	"see retained    since" "see free of" "see snapshot    1" "see followers   0, of" "see damage      none seen" "see q ends" "key q" end
for size in "5 20" "1 1" "60 200" "2 80"; do
	check "a terminal becomes $size" watch "$mnt" "see streaming" "size $size" "size 24 100" "see q ends" "see streaming" "key q" end
done
check "of a store, whose daemon is found" watch "$store" "see streaming" "see transactions/s" "key q" end
(
	while :; do
		sql "INSERT INTO zzz (b) SELECT 'x' FROM generate_series(1, 10) g"
		sleep 0.1
	done
) &
writer=$!
check "with rates" watch "$mnt" "see 0.0 transactions/s" "find [1-9][0-9]*\.[0-9] transactions/s" "key q" end
daystream status --watch "$mnt" >"$work/lines" 2>&1 </dev/null &
watching=$!
rates=' [1-9][0-9]?\.[0-9] transactions/s, [1-9][0-9]*\.[0-9] lines/s'
wait_for 60 "tail -n +2 '$work/lines' | grep -Ec '$rates' >/dev/null" || true
end_process "$watching"
wait "$watching" || true
like "not on a terminal, a line each second" "$(cat "$work/lines")" '^[0-9-]{10} [0-9:]{8} streaming, [0-9.]+, LSN [0-9A-F/]+, [0-9.]+ transactions/s, .* slot active, reserved, .* followers, no damage seen$'
like "with rates" "$(tail -n +2 "$work/lines")" "$rates"
check "more than one" test "$(wc -l <"$work/lines")" -ge 2
kill "$writer" 2>/dev/null || true
wait "$writer" || true
exits "a terminal that nobody knows gets lines" 0 timeout -s INT 60 script -qefc "TERM=nonsense daystream status --watch '$mnt' &
	until grep -q 'streamin[g], ' '$work/typescript'; do sleep 0.1; done; kill \$!; wait \$!" "$work/typescript"
like "of the same kind" "$output" 'streaming, .* LSN'

# ---- what goes away
exits "a place that is none is an error at once" 1 timeout 20 daystream status --watch "$work/nowhere"
like "which names it" "$output" "error: $work/nowhere"
check "a mount that goes away is told, and waited for" watch "$mnt" "see streaming" "do kill $daemon_pid" "see is it running" "key q" end
wait "$daemon_pid" || true
daemon_pid=
check "a store without its daemon" watch "$store" "see not running" "see slot        inactive" "key q" end
if [[ $EUID -eq 0 ]]; then # which becomes the store's user for the question, and cannot pass a closed folder after that
	mkdir -m 700 "$work/closed"
	mv "$store" "$work/closed/store"
	env --default-signal=INT daystream status --watch "$work/closed/store" >"$work/lines" 2>&1 </dev/null &
	watching=$!
	check "in a folder that is closed to its user, again and again" wait_for 60 "[[ \$(wc -l <'$work/lines') -ge 2 ]]"
	kill -INT "$watching"
	check "it ends well" wait "$watching"
	is "each time with an answer" "$(grep -cv 'not running.* slot inactive' "$work/lines") $(($(wc -l <"$work/lines") >= 2))" "0 1"
	mv "$work/closed/store" "$store"
fi
sql "SELECT pg_drop_replication_slot('daystream')" >/dev/null
check "and without its slot" watch "$store" "see not running" "see slot        missing" "see does not exist any more" "key q" end
plan
