#!/bin/bash
# Clocks that leap, the server's and the daemon's: positions increase strictly, what is found by a position stays right,
# a new day is a new segment, and nothing is given up because a clock said so for a moment.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

"${CC:-cc}" -shared -fPIC -o "$work/fault.so" "$root/tests/flow/fault.c"
mkdir "$work/here" "$work/there"
chmod 755 "$work/fault.so" "$work/here" "$work/there"
clock() { # here|there SECONDS: how far the daemon's or the server's clock is ahead
	echo "$2" >"$work/$1/clock.new"
	chmod 644 "$work/$1/clock.new"
	mv "$work/$1/clock.new" "$work/$1/clock"
}
with_clock() { # here|there COMMAND...
	local -x LD_PRELOAD=$work/fault.so FAULT=$work/$1
	"${@:2}"
}
server_create
with_clock there server_start
server_allow_plugin
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
sed -i '/^keep_days/d' "$store/daystream.conf"
printf 'keep_days = 1\nsnapshot = off\n' >>"$store/daystream.conf"
with_clock here daemon_start "$store" "$mnt"
sql "CREATE TABLE zzz (a serial PRIMARY KEY, b text)"
commits() { # WHAT: some, and they are shown
	for _ in 1 2 3; do sql "INSERT INTO zzz (b) VALUES ('$1')"; done
	check "$1: the stream goes on" caught_up "$mnt" 60
}
last() { tail -n 1 "$mnt/live" | cut -f 2; }
segments() { find "$store/segments" -name '*.day' | wc -l; }
follows_rules() { check "$1" "$root/tests/flow/stream.py" rules --crc "$mnt/live"; }

commits "at first"
check "the server has a clock of its own" test "$(last)" -gt $(($(date +%s) - 60))
before=$(last)
clock there -3600
commits "an hour back"
is "the second of the line before is kept" "$(last)" "$before"
check "it is the server's clock that went back" test "$(sql "SELECT extract(epoch FROM now())::bigint")" -lt $((before - 3000))

now=$(date +%s)
midnight=$(((now / 86400 + 1) * 86400))
clock there $((midnight - 120 - now))
commits "just before midnight"
was=$(segments)
clock there $((midnight - 1 - now))
wait_for 60 "[[ \$(sql 'SELECT now() >= to_timestamp($midnight)') == t ]]"
commits "over midnight"
is "a new day is a new segment" "$(segments)" "$((was + 1))"
clock there $((midnight + 86400 - now))
commits "a day ahead"
is "so is that" "$(segments)" "$((was + 2))"
ahead=$(last)
clock there 0
commits "back again"
is "what comes then has the second that there was" "$(last)" "$ahead"
clock here $((midnight + 5 * 86400 - now))
commits "five days ahead here"
clock here -86400
commits "a day back here"
lag=$(status_of "$mnt" lag_seconds)
check "the lag is still one ($lag s)" test "$lag" -lt 60
follows_rules "all positions increase strictly"
is "no segment has lines of two days" "$(for file in "$store"/segments/*.day; do
	cut -f 2 "$file" | awk '{ print int($1 / 86400) }' | uniq | wc -l
done | sort -u)" 1

# Both clocks, for a while: all that there is would be ten days old.
oldest=$(status_of "$mnt" oldest)
clock here $((10 * 86400))
clock there $((10 * 86400))
commits "both ten days ahead"
check "and the newest line has that day" test "$(last)" -gt $((now + 9 * 86400))
sleep 3 # the retainer looks every second
is "nothing is given up for that" "$(status_of "$mnt" oldest)" "$oldest"
clock here 0
clock there 0
commits "both right again"
is "nor later" "$(status_of "$mnt" oldest)" "$oldest"
check "what is found by a position is right, of all lines" "$root/tests/flow/stream.py" tree "$mnt"
daemon_kill
clock here -7200
with_clock here daemon_start "$store" "$mnt"
commits "a start with a clock that is wrong"
is "nor then" "$(status_of "$mnt" oldest)" "$oldest"
follows_rules "all positions increase strictly, still"
exits "a mirror reads all this" 0 deltamirror --once --from "$conninfo" "$mnt" "$mirror"
equal_tables "and equals the server"
daemon_stop
check "the store is sound" daystream check "$store"
plan
