# shellcheck shell=bash disable=SC2034,SC2154
# read.sh - a past day and the whole stream through the mount, next to `cat` of the segment files; warm.

cases=(day live)
contestants=(daystreamfs cat)

prepare() {
	fill "$store" "$read_bytes" 1 bench:1 >"$work/filled"
	read -r first last rows <"$work/filled"
	day=$(date -u -d "@$first" +%F)
	daemon_start "$store" "$mnt"
}

turn() {
	local file=$mnt/live
	[[ $1 != day ]] || file=$mnt/days/$day
	if [[ $2 == cat ]]; then
		timed cat "$store"/segments/*.day
	else
		timed cat "$file"
	fi
}

facts() {
	local shown
	shown=$(wc -c <"$mnt/days/$day")
	[[ $shown -eq $(lines_bytes "$store") ]] || { echo "bench: the day is not all of the store" >&2; return 1; }
	figure bytes "$shown"
	figure daemon_mb "$(memory_of "$daemon_pid")"
}
