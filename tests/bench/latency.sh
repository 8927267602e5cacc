# shellcheck shell=bash disable=SC2034,SC2154
# latency.sh - one client's commits, and how long after it sent each its line could be read with poll(2): in /live, and from
# pg_recvlogical's pipe, which syncs nothing: a sync is measured beside them.

cases=(commits)
contestants=(daystreamfs pg_recvlogical fdatasync)

prepare() {
	bench_server_up
	sql "CREATE TABLE ticks (n bigint PRIMARY KEY)"
	init_store "$store" bench
	mkfifo "$work/pipe"
	exec 7<>"$work/pipe" # opened for good: nobody waits for anybody
}

receiver_ready() { [[ $(sql "SELECT active FROM pg_replication_slots WHERE slot_name = 'pipe'") == t ]]; }

turn() {
	sync
	case $2 in
	fdatasync) sync_time "$work/sync" "$syncs" 300 ;;
	pg_recvlogical)
		slot_drop pipe
		sql "SELECT pg_create_logical_replication_slot('pipe', 'deltaflood')" >/dev/null
		pg_recvlogical -d "$PGDATABASE" -S pipe --start --no-loop -f - >"$work/pipe" 2>"$work/receiver.log" &
		receiver=$!
		wait_for 30 receiver_ready "pg_recvlogical"
		latency "$conninfo" "$commits" "$rate" pipe <"$work/pipe"
		end_process "$receiver" INT
		wait "$receiver" || true
		;;
	daystreamfs)
		daemon_start "$store" "$mnt"
		until_published "$(marker)"
		latency "$conninfo" "$commits" "$rate" file "$mnt/live"
		daemon_end
		;;
	esac
}
