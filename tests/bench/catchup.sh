# shellcheck shell=bash disable=SC2034,SC2154
# catchup.sh - a mirror that was away: the same changes by deltamirror from the mount, by the bare SQLite loop, and in the
# talk's way. Each begins with a copy of the same mirror, and all have to come to the same rows.
# shellcheck source=workload.sh
. "$root/tests/bench/workload.sh"

cases=(inserts random hot)
contestants=(deltamirror bare talk)
base=$work/base.sqlite turn_db=$work/turn.sqlite

prepare() {
	bench_server_up
	init_store "$store" bench
	daemon_start "$store" "$mnt"
	workload_table
	until_published "$(marker)"
	deltamirror --once "$mnt" "$base"
}

prepare_case() {
	local position
	until_published "$(marker)"
	deltamirror --once "$mnt" "$base"
	position=$(status_of "$mnt" position)
	case $1 in
	inserts) workload_insert 1 "$mirror_rows" 1000 ;;
	random) workload_random "$mirror_updates" "$mirror_rows" ;;
	hot) workload_random "$mirror_updates" $((mirror_rows / 100)) ;;
	esac
	until_published "$(marker)"
	cat "$mnt/since/${position%.*}/$((${position#*.} + 1))/tables/bench" >"$work/lines.txt"
	cp "$work/lines.txt" /dev/null # warm
	content=
}

same_content() {
	local found
	found=$(sqlite3 "$turn_db" "SELECT id, a, b, c, d, e, f FROM bench ORDER BY id" | md5sum)
	[[ -n $content ]] || content=$found
	[[ $content == "$found" ]] || { echo "bench: $1 has other rows than the one before" >&2; return 1; }
}

turn() {
	rm -f "$turn_db"-*
	cp "$base" "$turn_db"
	sync
	case $2 in
	deltamirror)
		timed deltamirror --once "$mnt" "$turn_db" | sed 's/^memory_mb/mirror_mb/'
		;;
	bare) bare apply "$turn_db" "$work/lines.txt" ;;
	talk) timed talk.tcl "$turn_db" "$work/lines.txt" ;;
	esac
	same_content "$2"
}

facts() {
	figure lines "$(wc -l <"$work/lines.txt")"
	figure daemon_mb "$(memory_of "$daemon_pid")"
}
