# shellcheck shell=bash disable=SC2034,SC2154
# copy.sh - a new mirror: from a snapshot in the mount, from the server itself, and by a bare loop of inserts that COPY
# feeds. All have to come to the same rows.
# shellcheck source=workload.sh
. "$root/tests/bench/workload.sh"

cases=(copy)
contestants=(mount server bare)
base=$work/base.sqlite turn_db=$work/turn.sqlite

has_snapshot() { [[ -n $(status_of "$mnt" snapshot) ]]; }

prepare() {
	bench_server_up
	init_store "$store" bench
	daemon_start "$store" "$mnt"
	workload_table
	until_published "$(marker)"
	deltamirror --once "$mnt" "$base" # empty: the bare loop's table
	daemon_stop
	workload_insert 1 "$mirror_rows"
	sed -i "s/^snapshot *=.*/snapshot = 'auto'/" "$store/daystream.conf"
	daemon_start "$store" "$mnt" # and takes it
	wait_for 600 has_snapshot "the daemon's snapshot"
	until_published "$(marker)"
	sql "SELECT count(*) FROM bench" >/dev/null # warm
	content=
}

turn() {
	local found
	rm -f "$turn_db"*
	case $2 in
	mount) timed deltamirror --once "$mnt" "$turn_db" ;;
	server) timed deltamirror --once --from "$conninfo" "$mnt" "$turn_db" ;;
	bare)
		cp "$base" "$turn_db"
		# shellcheck disable=SC2016 # sh expands it
		timed sh -c 'psql -Xq -c "SET timezone = UTC; COPY bench TO STDOUT" | bare copy "$1"' sh "$turn_db"
		;;
	esac | if [[ $2 == bare ]]; then cat; else sed 's/^memory_mb/mirror_mb/'; fi
	found=$(sqlite3 "$turn_db" "SELECT id, a, b, c, d, e, f FROM bench ORDER BY id" | md5sum)
	[[ -n $content ]] || content=$found
	[[ $content == "$found" ]] || { echo "bench: by $2 other rows came than before" >&2; return 1; }
}

facts() {
	figure rows "$mirror_rows"
	figure daemon_mb "$(memory_of "$daemon_pid")"
}
