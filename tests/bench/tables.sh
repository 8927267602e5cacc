# shellcheck shell=bash disable=SC2034,SC2154
# tables.sh - one table's lines through the mount, next to grep -F over the segment files; warm. Both write to /dev/zero:
# to /dev/null grep ends at the first line, and a pipe takes longer than either.

cases=(1% 10% 100%)
contestants=(daystreamfs grep)

prepare() {
	fill "$work/mixed" "$read_bytes" 1 0 one:1 ten:10 rest:89 >"$work/filled"
	fill "$work/whole" "$read_bytes" 1 0 all:1 >"$work/filled"
}

prepare_case() {
	[[ -z $daemon_pid ]] || daemon_stop
	store=$work/mixed
	case $1 in
	1%) table=one ;;
	10%) table=ten ;;
	100%) table=all store=$work/whole ;;
	esac
	daemon_start "$store" "$mnt"
}

turn() {
	cat "$store"/segments/*.day >/dev/null # the kernel may have let go of them
	if [[ $2 == grep ]]; then
		# shellcheck disable=SC2016 # sh expands it
		timed sh -c 'LC_ALL=C grep -hF "$1" "$2"/segments/*.day >/dev/zero' sh $'\t_table\t'"$table"$'\t' "$store"
	else
		# shellcheck disable=SC2016
		timed sh -c 'cat "$1" >/dev/zero' sh "$mnt/tables/$table"
	fi
}

facts() {
	local ours theirs
	ours=$(wc -l <"$mnt/tables/$table")
	theirs=$(cat "$store"/segments/*.day | LC_ALL=C grep -cF $'\t_table\t'"$table"$'\t')
	[[ $ours -eq $theirs && $ours -gt 0 ]] || { echo "bench: $table has $ours lines, grep finds $theirs" >&2; return 1; }
	figure lines "$ours"
	figure daemon_mb "$(memory_of "$daemon_pid")"
}
