#!/bin/bash
# A server that says nothing, and one whose name nobody looks up: who waits for it is ended at once.
if [[ $EUID -ne 0 ]]; then
	echo "1..0 # skip: a network of its own takes root"
	exit 0
fi
if [[ -z ${IN_OWN_NAMESPACE:-} ]]; then
	IN_OWN_NAMESPACE=1 exec unshare --mount --net --propagation private bash "$0" "$@"
fi
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ip link set lo up
echo 'nameserver 127.0.0.1' >"$work/resolv.conf"
mount --bind "$work/resolv.conf" /etc/resolv.conf
echo 'hosts: dns' >"$work/nsswitch.conf"
mount --bind "$work/nsswitch.conf" /etc/nsswitch.conf
python3 -c '
import signal, socket
server, names = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 5999))
server.listen(1000)
names.bind(("127.0.0.1", 53))
signal.pause()' &
silent=$!

stream_up
sql "CREATE TABLE zzz (a int PRIMARY KEY)"
mirror_once
daemon_stop

ends() { # NAME COMMAND...: within two seconds of SIGTERM, while it waits
	local pid begin took
	"${@:2}" >"$work/out" 2>&1 &
	pid=$!
	sleep 1 # it waits by then
	check "$1 waits" alive "$pid"
	begin=$(date +%s%N)
	kill "$pid"
	wait "$pid" || true
	took=$((($(date +%s%N) - begin) / 1000000))
	check "and ends when it is told to ($took ms)" test "$took" -lt 2000
}
for where in 'host=127.0.0.1 port=5999' 'host=silent.example'; do
	sed -i "s/^conninfo.*/conninfo = '$where user=postgres dbname=postgres'/" "$store/daystream.conf"
	note "$where"
	ends "daystream init" daystream init "$work/new" --conninfo "$where"
	rm -rf "$work/new"
	ends daystreamfs daystreamfs "$store" "$mnt" -f
	ends "daystream snapshot" daystream snapshot "$store"
	ends "daystream drop" daystream drop --yes "$store"
	ends "deltamirror --verify" deltamirror --verify "$where dbname=postgres" "$mirror"
	ends "deltamirror import" deltamirror import "$where dbname=postgres" 'SELECT 1' "$work/own.sqlite" t
	ends "deltamirror export" deltamirror export "$mirror" 'SELECT * FROM zzz' "$where dbname=postgres" t
done
end_process "$silent"
plan
