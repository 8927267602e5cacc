# shellcheck shell=bash disable=SC2034,SC2154
# plugin.sh - the plugin through pg_recvlogical next to the other plugins, and next to itself where it leaves the table out
# (silent): about what the server takes by itself. The log of each workload is decoded again and
# again, each time from a copy of the slot that was there before it.
# shellcheck source=workload.sh
. "$root/tests/bench/workload.sh"

cases=(insert update small)
plugins=(deltaflood pgoutput test_decoding wal2json)
contestants=("${plugins[@]}" silent)

prepare() {
	local list
	bench_server_up
	list=$(sql "SELECT setting FROM pg_settings WHERE name = 'output_plugin_libraries'")
	if [[ -n $list ]]; then # newer minor releases ask for it
		sql "ALTER SYSTEM SET output_plugin_libraries = $list, wal2json"
		server_restart
	fi
	workload_table
	sql "CREATE PUBLICATION bench FOR ALL TABLES"
}

prepare_case() {
	slot_drop base
	sql "CHECKPOINT"
	sql "SELECT pg_create_logical_replication_slot('base', 'deltaflood')" >/dev/null
	workload_log "$1"
	end=$(marker)
	sql "CHECKPOINT"
}

options_of() { # CONTESTANT
	case $1 in
	silent) echo "-o tables=none" ;;
	pgoutput) echo "-o proto_version=1 -o publication_names=bench" ;;
	wal2json) echo "-o format-version=2" ;;
	esac
}

receive() { # CONTESTANT FILE
	slot_copy base turn "${1/silent/deltaflood}"
	# The daemon's setting, for all of them.
	# shellcheck disable=SC2046 # several options
	PGOPTIONS='-c logical_decoding_work_mem=256MB' timed \
		pg_recvlogical -d "$PGDATABASE" -S turn --start --no-loop -E "$end" -f "$2" $(options_of "$1")
	slot_drop turn
}

turn() {
	local before
	memory_at_hand
	before=$(ended_cpu)
	receive "$2" /dev/null
	sleep 0.5 # until the server has taken note of its walsender's end
	figure server_cpu "$(awk -v a="$before" -v b="$(ended_cpu)" 'BEGIN { printf "%.2f", b - a }')"
}

facts() { # how much each plugin has to say
	local plugin
	figure changes "$changes"
	for plugin in "${plugins[@]}"; do
		receive "$plugin" "$work/output" >/dev/null
		figure "bytes_$plugin" "$(stat -c %s "$work/output")"
		rm "$work/output"
	done
}
