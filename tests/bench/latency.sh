# shellcheck shell=bash disable=SC2034,SC2154
# latency.sh - one client's commits, and how long after it sent each its line could be read with poll(2): in /live, and from
# pg_recvlogical's pipe, which syncs nothing: a sync is measured beside them.

cases=(commits)
contestants=(daystreamfs pg_recvlogical fdatasync)

prepare() {
	bench_server_up
	sql "CREATE TABLE ticks (n bigint PRIMARY KEY)"
	init_store "$store" bench
	sql "SELECT pg_create_logical_replication_slot('pipe', 'deltaflood')" >/dev/null
}

turn() {
	sync
	case $2 in
	fdatasync)
		sync_time "$work/sync" "$syncs" 300
		;;
	pg_recvlogical)
		# It is told at its end only what it has sent: what comes again is not counted.
		pg_recvlogical -d "$PGDATABASE" -S pipe --start --no-loop -f - \
			> >(exec latency "$conninfo" "$commits" "$rate" pipe >"$work/latency") &
		receiver=$!
		wait_for 600 "[[ -s $work/latency ]]" "what pg_recvlogical's reader measured"
		end_process "$receiver" INT
		wait "$receiver" || true
		cat "$work/latency"
		rm "$work/latency"
		;;
	daystreamfs)
		daemon_start "$store" "$mnt"
		until_published "$(marker)"
		latency "$conninfo" "$commits" "$rate" file "$mnt/live"
		daemon_end
		;;
	esac
}
