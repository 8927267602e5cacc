# shellcheck shell=bash disable=SC2034,SC2154 # work, mnt and root are lib.sh's; v3 and v4 are for those who source this
# nfs.sh - sourced by the flow tests that follow over NFS, in lib.sh's place: nfs-ganesha with contrib's settings, and
# what it needs. It has its ports, and rpcbind its socket, for this test alone.

if [[ $EUID -ne 0 ]]; then
	echo "1..0 # skip: an NFS server takes root"
	exit 0
fi
if [[ -z ${IN_OWN_NAMESPACE:-} ]]; then
	IN_OWN_NAMESPACE=1 exec unshare --mount --net --propagation private bash "$0" "$@"
fi
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ip link set lo up
mkdir "$work/run" "$work/recovery"
mount --bind "$work/run" /run
v3=nfs://127.0.0.1$mnt v4=nfs://127.0.0.1/stream

ganesha_prepare() { # before the first start
	rpcbind -f -w >"$work/rpcbind.log" 2>&1 &
	sed -e "s|/mnt/shop|$mnt|" -e "s|/shop;|/stream;|" -e "s|Graceless|RecoveryRoot = $work/recovery;\n\t&|" \
		"$root/contrib/nfs/ganesha.conf" >"$work/ganesha.conf"
	wait_for 60 "[[ -S /run/rpcbind.sock ]]" "rpcbind"
}
ganesha_start() { # leaves $ganesha: its pid
	ganesha.nfsd -F -f "$work/ganesha.conf" -p "$work/ganesha.pid" -L "$work/ganesha.log" &
	ganesha=$!
	wait_for 60 "timeout 5 nfs-ls '$v3/' >'$work/ls'" "ganesha to export" || {
		tail -n 20 "$work/ganesha.log" >&2
		return 1
	}
}
ganesha_stop() { # [SIGNAL]
	end_process "$ganesha" "${1:-TERM}" 30
	wait "$ganesha" 2>/dev/null || true
}
# As daystream-nfs@.service has it: ganesha goes first, and comes last. "$@": what ends the daemon.
restarted() {
	ganesha_stop
	"$@"
	daemon_start "$store" "$mnt"
	ganesha_start
}
