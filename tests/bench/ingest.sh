# shellcheck shell=bash disable=SC2034,SC2154
# ingest.sh - from the slot to a durable, published store: the daemon from its start until the mount shows all that the
# server has, next to pg_recvlogical with the same plugin, which keeps nothing, and once more where it writes a file, whose
# bytes need new memory of the system as ours do. The processor's time of
# the daemon and of its walsender; what the store takes on disk.
# shellcheck source=workload.sh
. "$root/tests/bench/workload.sh"

cases=(insert update small)
contestants=(daystreamfs pg_recvlogical pg_recvlogical_file)

prepare() {
	bench_server_up
	workload_table
}

prepare_case() {
	rm -rf "$work/template"
	slot_drop turn
	slot_drop base
	init_store "$work/template" turn
	sql "SELECT pg_copy_logical_replication_slot('turn', 'base')" >/dev/null
	workload_log "$1"
	end=$(marker)
	sql "CHECKPOINT"
}

turn() {
	local walsender out=/dev/null
	slot_copy base turn
	if [[ $2 == pg_recvlogical* ]]; then
		rm -f "$work/received"
		[[ $2 != *_file ]] || out=$work/received
		memory_at_hand
		PGOPTIONS='-c logical_decoding_work_mem=256MB' timed \
			pg_recvlogical -d "$PGDATABASE" -S turn --start --no-loop -E "$end" -f "$out"
		return
	fi
	rm -rf "$store"
	cp -a "$work/template" "$store"
	sync
	memory_at_hand
	daemon_start_timed
	until_published "$end"
	seconds_since "$started"
	walsender=$(sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'turn'")
	figure cpu "$(cpu_of "$daemon_pid")"
	figure walsender_cpu "$(cpu_of "$walsender")"
	daemon_end
}

facts() { # of the last turn's store
	figure changes "$changes"
	figure store_bytes "$(lines_bytes "$store")"
	figure disk_bytes "$(du -sB1 "$store/segments" | cut -f 1)"
}
