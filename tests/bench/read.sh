# shellcheck shell=bash disable=SC2034,SC2154
# read.sh - a past day and the whole stream through the mount, next to `cat` of the same segment files; warm. What the kernel
# caches of a mount it keeps in single pages: how these lie in memory counts for a fifth, and goes by what ran before. So
# each case begins with empty caches and compacted memory.

cases=(day live)
contestants=(daystreamfs cat)

prepare() {
	local first last
	# A day is past, and cached as what never changes, once there is a line of the next one.
	fill "$store" "$read_bytes" 1 1 bench:1 >"$work/filled"
	read -r first last <"$work/filled"
	day=$(date -u -d "@$first" +%F)
	daemon_start "$store" "$mnt"
}

prepare_case() {
	local segment
	sync
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/compact_memory
	file=$mnt/live segments=()
	[[ $1 != day ]] || file=$mnt/days/$day
	for segment in "$store"/segments/*.day; do
		if [[ $1 == live || $(date -u -d "@$(basename "$segment" | cut -d . -f 1)" +%F) == "$day" ]]; then
			segments+=("$segment")
		fi
	done
}

turn() {
	cat "${segments[@]}" "$file" >/dev/null # the kernel may have let go of them
	if [[ $2 == cat ]]; then
		timed cat "${segments[@]}"
	else
		timed cat "$file"
	fi
}

facts() {
	cmp <(cat "${segments[@]}") "$file"
	figure bytes "$(stat -c %s "$file")"
	figure daemon_mb "$(memory_of "$daemon_pid")"
}
