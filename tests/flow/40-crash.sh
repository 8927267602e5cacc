#!/bin/bash
# pgbench's bank with 8 clients, while mirror, daemon and server are killed:
# nothing is lost, repeated or out of order. What was before and after each
# row's change tells, as does PostgreSQL's own history, not our numbers.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
echo 'segment_size = 4194304' >>"$store/daystream.conf" # many small segments, to crash at their ends too
daemon_start "$store" "$mnt"
pgbench -q -i -s 2 >/dev/null 2>&1
sql "ALTER TABLE pgbench_history ADD COLUMN id bigserial PRIMARY KEY"

deadline=$((SECONDS + 30))
bank() { # clients lose their connections when the server dies; others come
	while ((SECONDS < deadline)); do
		pgbench -n -c 8 -j 2 -T $((deadline - SECONDS)) >>"$work/pgbench.log" 2>&1 || sleep 0.3
	done
}
bank &
bank=$!

mirror_pid=
mirror_start() {
	deltamirror "$mnt" "$mirror" >>"$work/mirror.log" 2>&1 &
	mirror_pid=$!
}
mirror_start
mirror_kills=0 daemon_kills=0 server_kills=0
kill_mirror() {
	kill -KILL "$mirror_pid"
	wait "$mirror_pid" 2>/dev/null || true
	mirror_kills=$((mirror_kills + 1))
	mirror_start
}
kill_daemon() {
	daemon_kill
	daemon_kills=$((daemon_kills + 1))
	sleep 0.$((RANDOM % 5))
	daemon_start "$store" "$mnt"
}
kill_server() {
	server_restart immediate
	server_kills=$((server_kills + 1))
}
round=0
while ((SECONDS < deadline)); do
	sleep 1.$((RANDOM % 10))
	case $((round++ % 6)) in
	0 | 2 | 4) kill_mirror ;;
	1 | 5) kill_daemon ;;
	3) kill_server ;;
	esac
	# It goes on by itself over all this, or ends with a reason.
	alive "$mirror_pid" || { note "the mirror had ended: $(tail -n 3 "$work/mirror.log")"; mirror_start; }
	alive "$daemon_pid" || { note "the daemon had ended: $(tail -n 3 "$work/daemon.log")"; daemon_start "$store" "$mnt"; }
done
wait $bank || true
note "killed: mirror $mirror_kills times, daemon $daemon_kills, server $server_kills"
note "$(grep -c processed "$work/pgbench.log") runs of pgbench, $(find "$store/segments" -name '*.day' | wc -l) segments"

check "the mount comes up to what is committed" caught_up "$mnt" 120
check "the mirror is running at the end" alive "$mirror_pid"
wait_for 120 "[[ -e $mirror ]]" "a snapshot between all that" # where each one so far was broken off
end_process "$mirror_pid"
wait "$mirror_pid" || true
exits "a mirror brought to the end says so" 0 timeout 120 deltamirror --once "$mnt" "$mirror"
equal_tables "every table equals PostgreSQL"
is "the bank's books balance" \
	"$(sqlite3 "$mirror" 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)')" 1

cp "$mnt/live" "$work/live"
sql "SELECT id FROM pgbench_history" >"$work/history"
check "no line is lost, repeated or out of order: each row's own history is whole" \
	"$root/tests/flow/stream.py" bank "$work/live" "$work/history"
note "$("$root/tests/flow/stream.py" bank "$work/live" "$work/history" | tail -n 1)"
# An audit that finds nothing has to be able to find something.
middle=$(($(wc -l <"$work/live") / 2))
middle=$(awk -v from=$middle 'NR > from && /\t_table\tpgbench_accounts\t.*\t_action\tupdate\t/ { print NR; exit }' "$work/live")
for fault in "${middle}d lost" "${middle}p repeated" "${middle}{h;d};$((middle + 9))G out-of-order"; do
	sed "${fault% *}" "$work/live" >"$work/faulty"
	check_not "a line ${fault#* } would be found" "$root/tests/flow/stream.py" bank "$work/faulty" "$work/history"
	check_not "a line ${fault#* } breaks the rules" "$root/tests/flow/stream.py" rules "$work/faulty"
done
check "the stream follows its rules" "$root/tests/flow/stream.py" rules "$work/live"
is "one generation saw it all" "$(grep -P '\t_action\torigin\t' "$work/live" | grep -oP '\tgeneration\t\d+' | sort -u | wc -l)" 1
check "the store is sound" daystream check "$store"
is "one slot served it" "$(sql "SELECT count(*) FROM pg_replication_slots")" 1

# A mirror from the start, in one go, is the same.
deltamirror --once "$mnt" "$work/fresh.sqlite" >/dev/null
check "a new mirror gets the same from the stream alone" "$root/contrib/compare-tables" -q "$work/fresh.sqlite"
plan
