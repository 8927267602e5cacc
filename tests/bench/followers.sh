# shellcheck shell=bash disable=SC2034,SC2154
# followers.sh - the daemon catches up with the server while nobody, one, 10 and 100 follow /live: how long it takes, and
# what the server has to do for it.
# shellcheck source=workload.sh
. "$root/tests/bench/workload.sh"

cases=(insert)
contestants=(0 1 10 100)

prepare() {
	bench_server_up
	workload_table
	init_store "$work/template" turn
	sql "SELECT pg_copy_logical_replication_slot('turn', 'base')" >/dev/null
	workload_insert 1 "$inserts" 1000
	end=$(marker)
	sql "CHECKPOINT"
}

turn() {
	local followers='' walsender
	slot_copy base turn
	rm -rf "$store"
	cp -a "$work/template" "$store"
	sync
	memory_at_hand
	daemon_start_timed
	if [[ $2 != 0 ]]; then
		follow "$2" "$mnt/live" >"$work/followed" &
		followers=$!
	fi
	until_published "$end"
	seconds_since "$started"
	walsender=$(sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'turn'")
	figure walsender_cpu "$(cpu_of "$walsender")"
	figure cpu "$(cpu_of "$daemon_pid")"
	if [[ -n $followers ]]; then
		kill "$followers"
		wait "$followers"
		cat "$work/followed"
	fi
	figure bytes "$(status_of "$mnt" bytes)"
	daemon_end
}

facts() { figure changes "$inserts"; }
