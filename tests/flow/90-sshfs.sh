#!/bin/bash
# A mirror on another host: over sshfs, with a real sshd, whose connection is
# cut on the way.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if [[ $EUID -ne 0 ]]; then
	echo "1..0 # skip: a private sshd takes root"
	exit 0
fi
stream_up
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "INSERT INTO zzz SELECT g, md5(g::text) FROM generate_series(1, 20000) g"

# sshd with nothing of the system's: its own keys, port, settings.
ssh=$work/ssh
mkdir -m 700 "$ssh"
ssh-keygen -q -t ed25519 -N '' -f "$ssh/host"
ssh-keygen -q -t ed25519 -N '' -f "$ssh/user"
cp "$ssh/user.pub" "$ssh/authorized_keys"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$ssh/sshd_config" <<CONF
Port $port
ListenAddress 127.0.0.1
HostKey $ssh/host
AuthorizedKeysFile $ssh/authorized_keys
PidFile $ssh/pid
PermitRootLogin yes
PasswordAuthentication no
UsePAM no
StrictModes no
Subsystem sftp internal-sftp
CONF
mkdir -p /run/sshd # sshd insists on it
/usr/sbin/sshd -f "$ssh/sshd_config" -D -e 2>"$ssh/log" &
sshd=$!
printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d ' ' -f 1,2 "$ssh/host.pub")" >"$ssh/known_hosts"
wait_for 10 "grep -q 'listening' '$ssh/log'" "sshd to listen"

far=$work/far
mkdir "$far"
sshfs "root@127.0.0.1:$mnt" "$far" -p "$port" -f \
	-o "IdentityFile=$ssh/user,IdentitiesOnly=yes,UserKnownHostsFile=$ssh/known_hosts,BatchMode=yes" \
	-F /dev/null -o ro,direct_io,dir_cache=no,attr_timeout=0,reconnect,ServerAliveInterval=15 >"$ssh/sshfs.log" 2>&1 &
wait_for 20 "[[ -e $far/live ]]" "sshfs to mount"

caught_up "$far"
check "the far end sees the stream" cmp "$mnt/live" "$far/live"
deltamirror "$far" "$mirror" >"$work/mirror.log" 2>&1 &
mirror_pid=$!
sql "UPDATE zzz SET b = 'new' WHERE a % 3 = 0"
in_mirror() { [[ $(sqlite3 "$mirror" "SELECT count(*) FROM zzz WHERE $1") -eq $2 ]]; }
wait_for 60 "in_mirror \"b = 'new'\" 6666" "the mirror to follow" || true
equal_tables "a mirror follows over sshfs"

cut() { # the child of sshd that serves us, as a broken line would
	local child
	for child in $(pgrep -P "$sshd"); do
		kill -KILL "$child" || true
	done
}
for i in 1 2 3; do
	cut
	sql "UPDATE zzz SET b = 'cut $i' WHERE a % 5 = $i"
	sql "INSERT INTO zzz VALUES (-$i, 'cut')"
	sleep 0.5
done
check "the mirror goes on over a cut connection" wait_for 60 "in_mirror \"a = -3\" 1"
check "it is the same process" alive "$mirror_pid"
equal_tables "and equals PostgreSQL"

# The daemon at the other end goes away, and comes back.
daemon_stop
sql "DELETE FROM zzz WHERE a % 7 = 0"
daemon_start "$store" "$mnt"
check "it goes on when the daemon over there was away" wait_for 60 "in_mirror \"a % 7 = 0 AND a > 0\" 0"
equal_tables "and equals PostgreSQL again"
check "it is still the same process" alive "$mirror_pid"

tail -n +1 -f "$far/live" >"$work/tail" 2>/dev/null &
sql "INSERT INTO zzz VALUES (-99, 'last')"
wait_for 20 "grep -q last '$work/tail'" || true
check "tail -f over sshfs gives right bytes" bash -c "cmp '$work/tail' <(head -c \$(stat -c %s '$work/tail') '$mnt/live')"
check "to the end" grep -q last "$work/tail"
plan
