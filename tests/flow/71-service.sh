#!/bin/bash
# As a service: what systemd is told, what its journal gets, the units, and mounts by /etc/fstab.

# What is mounted over the machine's folders below is so for this test alone.
if [[ $EUID -eq 0 && -z ${IN_OWN_NAMESPACE:-} ]]; then
	IN_OWN_NAMESPACE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# ---- the units
make -C "$root" BUILD="$build" DESTDIR="$work/there" PREFIX=/usr install >"$work/install.log" 2>&1 || cat "$work/install.log" >&2
follower=$work/follower
check "make install-follower installs" make -C "$root" BUILD="$build" DESTDIR="$follower" install-follower
is "all but the plugin" "$(cd "$follower/usr/local" && find . -type f | sort)" "$(cd "$work/there/usr" && find . -type f ! -path './lib/postgresql/*' | sort)"
like "the plugin comes by make install" "$(find "$work/there" -name 'deltaflood.so')" deltaflood
cp -a "$work/there" "$work/gone"
check "make uninstall succeeds" make -C "$root" BUILD="$build" DESTDIR="$work/gone" PREFIX=/usr uninstall
is "and leaves nothing" "$(find "$work/gone" ! -type d)" ""
units=$work/there/usr/lib/systemd/system
is "make install puts the units in place" "$(cd "$units" && echo *)" "$(cd "$root/contrib/systemd" && echo *)"
is "which name programs that it installs" "$(grep -ho '/usr/[a-z/]*bin/[a-z-]*' "$units"/* | sort -u | xargs -I{} ls "$work/there{}" 2>&1 | sed "s|$work/there||")" \
	"$(printf '/usr/bin/%s\n' daystreamfs daystream-metrics daystream-sshfs deltamirror | sort)"
if command -v systemd-analyze >/dev/null; then
	mkdir "$work/units"
	for unit in "$units"/*; do
		name=${unit##*/}
		# Programs are where they were installed to; instances, since a template alone is not looked at.
		sed "s|/usr/bin/|$work/there/usr/bin/|; s|^User=daystream|User=daemon|; s|^Documentation=.*||" "$unit" >"$work/units/${name/@./@shop.}"
	done
	for unit in "$work/units"/*; do
		[[ $unit != *.socket ]] || continue
		exits "${unit##*/}: systemd takes it" 0 systemd-analyze verify --man=no --recursive-errors=no "$unit"
		is "${unit##*/}: and has nothing to say" "$output" ""
	done
	mv "$work/units/daystream-metrics@shop.service" "$work/units/daystream-metrics@.service"
	exits "the socket: systemd takes it" 0 systemd-analyze verify --man=no --recursive-errors=no "$work/units/daystream-metrics.socket"
	is "and has nothing to say" "$output" ""
else
	note "no systemd-analyze here"
fi

# ---- what systemd is told
listen() { # SOCKET: a line for each message
	exec /usr/bin/python3 -u - "$1" <<'PYTHON'
import os, socket, sys
hear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
hear.bind(sys.argv[1])
if sys.argv[1][0] != "\0":
    os.chmod(sys.argv[1], 0o777)
print("listening")
while True:
    print(hear.recv(4096).decode())
PYTHON
}
listen "$work/notify" >"$work/told" &
listener=$!
wait_for 60 "[[ -s $work/told ]]" "the listener"
bounded=() # what the unit leaves to it
if [[ $EUID -eq 0 ]]; then
	capabilities=$(sed -n 's/^CapabilityBoundingSet=//p' "$root/contrib/systemd/daystreamfs@.service" | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
	bounded=(setpriv --bounding-set "-all,$capabilities" --no-new-privs)
fi
server_up
sql "CREATE TABLE zzz (a int PRIMARY KEY)"
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
service() { # as the unit starts it, with its messages in a file that is the journal
	: >"$work/journal"
	stream=$(stat -c %d:%i "$work/journal")
	mkdir -p "$mnt"
	env --default-signal=INT NOTIFY_SOCKET="$work/notify" JOURNAL_STREAM="$stream" \
		"${bounded[@]}" daystreamfs "$store" "$mnt" -f -o allow_other >>"$work/journal" 2>&1 &
	daemon_pid=$!
}
service
check "systemd is told when it is there" wait_for 60 "[[ \$(tail -n 1 $work/told) == READY=1 ]]"
is "then the tree is" "$(status_of "$mnt" state)" streaming
sql "INSERT INTO zzz VALUES (1)"
check "and follows, with no more than the unit leaves to it" caught_up "$mnt"
check "a snapshot comes, too" wait_for 60 "[[ -n \$(status_of '$mnt' snapshot) ]]"
check "it ends" daemon_stop
check_not "and is unmounted" mountpoint -q "$mnt"
wait_for 60 "grep -c STOPPING '$work/told' >/dev/null" "the listener" || true
is "which is told" "$(tail -n +2 "$work/told" | paste -sd ' ')" "READY=1 STOPPING=1"
is "the journal gets priorities, and no names" "$(grep -cv '^<[346]>[^:]*' "$work/journal")" 0
like "information is 6" "$(cat "$work/journal")" "^<6>$store is mounted at $mnt"
sed -i 's/^slot = .*/slot = none/' "$store/daystream.conf"
service
check "what cannot be served ends" wait_for 60 "! alive $daemon_pid"
wait "$daemon_pid" && status=0 || status=$?
is "with a failure" "$status" 1
like "errors are 3" "$(cat "$work/journal")" '^<3>error: .*"none"'
daemon_pid=
is "and systemd was not told that it is there" "$(tail -n 1 "$work/told")" "STOPPING=1"
exits "to another file they come as ever" 1 env JOURNAL_STREAM="$stream" timeout 20 daystreamfs "$store" "$mnt" -f
like "with the program's name" "$output" '^daystreamfs: error: '
sed -i 's/^slot = .*/slot = daystream/' "$store/daystream.conf"
kill "$listener"

# ---- /etc/fstab
if [[ $EUID -ne 0 ]]; then
	note "mounting by fstab takes root"
	plan
fi
# mount(8) clears PATH; it finds what `make install` puts there.
mount --bind "$build" /usr/local/bin
for where in "$root/docs/man/daystreamfs.8" "$root/docs/OPERATIONS.md"; do
	grep -ho '/var/lib/daystream[/a-z]* */mnt/shop *fuse.daystreamfs .*' "$where" | head -n 1 |
		sed "s|^[^ ]* */mnt/shop|$store $mnt|" >"$work/fstab"
	check "$(basename "$where") has a line for fstab" test -s "$work/fstab"
	exits "which mount(8) takes" 0 timeout 60 mount -T "$work/fstab" "$mnt"
	check "and shows the stream" caught_up "$mnt"
	like "to others, read-only" "$(grep " $mnt " /proc/self/mountinfo)" ' ro,.* fuse.daystreamfs .*allow_other'
	check "umount ends it" umount "$mnt"
	wait_for 60 "! pgrep -f '^[^ ]*daystreamfs $store ' >/dev/null" "the daemon to end"
done
plan
