# shellcheck shell=bash disable=SC2034
# sizes.sh - sourced by tests/bench/row: how much of everything, by $SCALE. `full` is what docs/BENCHMARKS.md tells of;
# `small` shows in minutes that each row works, and its figures tell nothing.

case ${SCALE:=full} in
full)
	rounds=${ROUNDS:-5}
	inserts=1000000 updates=500000 transactions=200000 # what the plugin and the daemon are given
	mirror_rows=1000000 mirror_updates=500000          # what the mirror is given
	commits=10000 rate=1000                            # of one client, for the way to a reader
	mirror_commits=2000 mirror_rate=100                # and to a mirror
	read_bytes=1073741824
	store_bytes=(100000000 1000000000 10000000000) store_names=(0.1GB 1GB 10GB) store_days=10
	syncs=2000
	;;
small)
	rounds=${ROUNDS:-2}
	inserts=20000 updates=10000 transactions=2000
	mirror_rows=20000 mirror_updates=10000
	commits=500 rate=1000
	mirror_commits=100 mirror_rate=100
	read_bytes=33554432
	store_bytes=(2000000 20000000 200000000) store_names=(2MB 20MB 200MB) store_days=10
	syncs=100
	;;
*)
	echo "bench: no scale \"$SCALE\": it is full or small" >&2
	exit 2
	;;
esac
