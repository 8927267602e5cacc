# shellcheck shell=bash disable=SC2034,SC2154
# arrival.sh - one client's commits, and how long after each its row is in a mirror: beside the mount, and behind sshfs on the
# loopback address. Beside them what the machine gives: a sync, and an ssh connection's way there and back.
[[ $EUID -eq 0 ]] || { echo "bench: arrival takes root, for a private sshd" >&2; exit 1; }
# shellcheck source=../flow/ssh.sh
. "$root/tests/flow/ssh.sh"

cases=(commits)
contestants=(local sshfs fdatasync ssh)

prepare() {
	bench_server_up
	sql "CREATE TABLE ticks (n bigint PRIMARY KEY)"
	init_store "$store" bench
	daemon_start "$store" "$mnt"
	sshd_up
	mkdir "$work/over_ssh"
	far_mount "$work/over_ssh"
}

follow_and_measure() { # MOUNT
	local mirror newest
	until_published "$(marker)"
	rm -f "$work"/arrival.sqlite*
	deltamirror --once "$1" "$work/arrival.sqlite"
	deltamirror "$1" "$work/arrival.sqlite" 2>>"$work/mirror.log" &
	mirror=$!
	newest=$(sql "INSERT INTO ticks SELECT coalesce(max(n), 0) + 1 FROM ticks RETURNING n") # it follows when it has this one
	wait_for 60 "[[ \$(sqlite3 '$work/arrival.sqlite' 'SELECT max(n) FROM ticks') == $newest ]]" "the mirror to follow"
	sync
	latency "$conninfo" "$mirror_commits" "$mirror_rate" sqlite "$work/arrival.sqlite"
	figure mirror_mb "$(memory_of "$mirror")"
	end_process "$mirror"
	wait "$mirror"
}

turn() {
	case $2 in
	local) follow_and_measure "$mnt" ;;
	sshfs) follow_and_measure "$work/over_ssh" ;;
	fdatasync) sync_time "$work/sync" "$syncs" 300 ;;
	ssh)
		echo_time "$syncs" ssh -F /dev/null -T -p "$port" -i "$ssh/user" -o IdentitiesOnly=yes -o BatchMode=yes \
			-o "UserKnownHostsFile=$ssh/known_hosts" root@127.0.0.1 cat
		;;
	esac
}

facts() { figure daemon_mb "$(memory_of "$daemon_pid")"; }
