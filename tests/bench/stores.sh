# shellcheck shell=bash disable=SC2034,SC2154
# stores.sh - a daemon started on stores of different sizes, none of whose files is in the page cache: how long until it
# is mounted, how many bytes of them it has read, and how long the first bytes of /since take then.

cases=("${store_names[@]}")
contestants=(daystreamfs)

prepare() { :; }

prepare_case() {
	local i
	for ((i = 0; i < ${#store_names[@]}; i++)); do
		[[ ${store_names[i]} != "$1" ]] || bytes=${store_bytes[i]}
	done
	rm -rf "$store"
	fill "$store" "$bytes" "$store_days" 0 one:1 ten:10 rest:89 >"$work/filled"
	read -r first last <"$work/filled"
	# A first start builds what indexes are missing.
	daemon_start "$store" "$mnt"
	cat "$mnt/tables/one" >/dev/null
	daemon_stop
	RANDOM=7 # the same places in each run
}

turn() {
	local place
	cold "$store"
	daemon_start_timed
	seconds_since "$started"
	figure start_read_bytes "$(awk '/^rchar/ { print $2 }' "/proc/$daemon_pid/io")"
	cold "$store"
	place=$((first + (RANDOM * 32768 + RANDOM) % (last - first)))
	first_byte "$mnt/since/$place/0/live"
	daemon_end
}

facts() {
	figure newest_segment_bytes "$(find "$store/segments" -name '*.day' -printf '%f %s\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)"
	figure store_bytes "$(lines_bytes "$store")"
}
