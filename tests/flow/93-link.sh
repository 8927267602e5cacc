#!/bin/bash
# A narrow link that breaks: mirrors over contrib/daystream-sshfs and over sshfs as it comes, with sshd in a network of its
# own, whose link is throttled, cut and mended, and whose sshd is killed, in the midst of a read.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=ssh.sh
. "$(dirname "$0")/ssh.sh"

# ---- a network that ends with the process that holds it
unshare -n sleep 1000 &
holder=$!
wait_for 60 "[[ \$(readlink /proc/$holder/ns/net) != \$(readlink /proc/self/ns/net) ]]"
there() { nsenter --net="/proc/$holder/ns/net" "$@"; }
near=dsn$((holder % 1000000)) beyond=dsb$((holder % 1000000))
net=10.$((64 + RANDOM % 64)).$((RANDOM % 256))
if ! ip link add "$near" type veth peer name "$beyond" netns "$holder" 2>"$work/veth"; then
	echo "1..0 # skip: no virtual links: $(cat "$work/veth")"
	exit 0
fi
ip address add "$net.1/30" dev "$near"
ip link set "$near" up
there ip address add "$net.2/30" dev "$beyond"
there ip link set lo up
there ip link set "$beyond" up
throttle() { # RATE: of what comes from over there
	there tc qdisc replace dev "$beyond" root tbf rate "$1" burst 16kb latency 500ms
}
link() { there ip link set "$beyond" "$1"; }

sshd_there() {
	nsenter --net="/proc/$holder/ns/net" /usr/sbin/sshd -f "$ssh/sshd_config" -D -e 2>>"$ssh/log" &
	sshd=$!
	wait_for 60 "(exec 3<>/dev/tcp/$net.2/22)" "sshd to listen"
}
sshd_up # its keys and settings
end_process "$sshd"
sed -i "s/^ListenAddress .*/ListenAddress $net.2/; s/^Port .*/Port 22/" "$ssh/sshd_config"
printf '%s %s\n' "$net.2" "$(cut -d ' ' -f 1,2 "$ssh/host.pub")" >"$ssh/known_hosts"
sshd_there

# ---- the two mounts
login=IdentityFile=$ssh/user,IdentitiesOnly=yes,UserKnownHostsFile=$ssh/known_hosts
plain=$work/plain
mkdir "$plain"
mount_far() { # [OPTIONS]
	"$root/contrib/daystream-sshfs" "root@$net.2:$mnt" "$far" -o "$login,ServerAliveInterval=1,ServerAliveCountMax=2,ConnectTimeout=2${1:+,$1}"
}
plain_pid=
mount_plain() { # it ends with its connection; one that lives on would take its successor's mount away
	[[ -z $plain_pid ]] || end_process "$plain_pid"
	fusermount3 -q -u -z "$plain" || true
	sshfs "root@$net.2:$mnt" "$plain" -f -o "$login,BatchMode=yes" -F /dev/null 2>>"$work/plain.log" &
	plain_pid=$!
	wait_for 60 "[[ -e $plain/live ]]" "sshfs to mount"
}

stream_up
sql "CREATE TABLE zzz (a serial PRIMARY KEY, b text)"
sql "INSERT INTO zzz (b) SELECT md5(g::text) || md5((-g)::text) FROM generate_series(1, 4000) g"
snapshot_there
caught_up "$mnt"

exits "daystream-sshfs: wrong usage" 2 "$root/contrib/daystream-sshfs" "$mnt" "$far"
exits "a mountpoint that is not there is an error" 1 "$root/contrib/daystream-sshfs" "root@$net.2:$mnt" "$work/nowhere"
like "which names it" "$output" "error: .*$work/nowhere: No such file"
link down
exits "a host that is away is an error" 1 timeout 30 "$root/contrib/daystream-sshfs" "root@$net.2:$mnt" "$far" -o "$login,ConnectTimeout=1"
like "which names it" "$output" "cannot mount root@$net.2"
like "why" "$output" "connect to host $net.2 .*: (No route to host|Connection timed out)"
link up
exits "so is a port that nobody listens on" 1 timeout 30 "$root/contrib/daystream-sshfs" "root@$net.2:$mnt" "$far" -o "port=23,$login"
like "which is said" "$output" "port 23: Connection refused"
like "with what has to work" "$output" "sftp -b /dev/null -o port=23 -o IdentityFile=$ssh/user .*-o BatchMode=yes .*root@$net.2:$mnt"
exits "and a host that is not known" 1 timeout 30 "$root/contrib/daystream-sshfs" "root@$net.2:$mnt" "$far" -o "UserKnownHostsFile=/dev/null,$login"
like "which is said, too" "$output" "Host key verification failed"
exits "and a path that is not there" 1 timeout 30 "$root/contrib/daystream-sshfs" "root@$net.2:$mnt.not" "$far" -o "$login"
like "as well" "$output" "$mnt.not.*(not found|No such file)"
exits "so is a key that does not open" 1 timeout 30 "$root/contrib/daystream-sshfs" "root@$net.2:$mnt" "$far" \
	-o "$login,IdentityFile=$ssh/host" -o IdentityAgent=none,PreferredAuthentications=password
like "of which ssh tells" "$output" "Permission denied \(publickey"
check "it mounts, as from fstab" env PATH="$root/contrib:$PATH" mount.fuse3 "root@$net.2:$mnt" "$far" -t fuse.daystream-sshfs \
	-o "rw,_netdev,nofail,x-systemd.automount,allow_other,$login"
check "and shows the stream" test -s "$far/live"
check "and is unmounted" umount "$far"
check "it mounts by hand" mount_far
exits "once" 1 mount_far
like "and says how to unmount" "$output" "fusermount3 -u $far"
check "what can be seen is right" cmp "$mnt/live" "$far/live"
check_not "it is not for writing" touch "$far/x"
check "sshfs as it comes mounts, too" mount_plain

# ---- how soon a line is there
sql "SELECT pg_logical_emit_message(true, 'sent', '')" >/dev/null
cat >"$work/late.py" <<'PYTHON'
import re, sys, time
late, rest, end = [], b"", time.time() + 60
with open(sys.argv[1], "rb", buffering=0) as live:
    while len(late) < 40 and time.time() < end:
        got = live.read(1 << 20)
        now = time.time()
        if not got:
            time.sleep(0.001)
            continue
        lines = (rest + got).split(b"\n")
        rest = lines.pop()
        late += [now - float(found[1]) for found in (re.search(rb"\tcontent\tsent ([0-9.]+)$", line) for line in lines) if found]
late.sort()
print("%d lines in %s: median %.1f ms, most %.1f ms" % (len(late), sys.argv[1], 1000 * late[len(late) // 2], 1000 * late[-1]))
PYTHON
timeout 120 python3 "$work/late.py" "$mnt/live" >"$work/late.near" &
near_reader=$!
timeout 120 python3 "$work/late.py" "$far/live" >"$work/late.far" &
reader=$!
for _ in {1..40}; do
	sql "SELECT pg_logical_emit_message(true, 'x', 'sent ' || extract(epoch FROM clock_timestamp()))" >/dev/null
done
check "lines come as they are written" wait "$reader"
wait "$near_reader"
note "$(cat "$work/late.near")"
note "$(cat "$work/late.far")"

# ---- the link
declare -A mirrors
throttle 1mbit
for place in far plain; do
	deltamirror "$work/$place" "$work/$place.sqlite" >"$work/$place.mirror.log" 2>&1 &
	mirrors[$place]=$!
done
"$root/tests/flow/followers.py" follow "$far" "$work/far.out" >"$work/far.out.log" 2>&1 &
for _ in {1..150}; do
	sql "INSERT INTO zzz (b) SELECT md5(random()::text) FROM generate_series(1, 5) g"
	# Each row by a chance of its own, but those that are waited for.
	sql "UPDATE zzz SET b = b || '.' WHERE a % 997 = (random() * 996)::int AND b NOT LIKE 'after %'"
	sleep 0.05
done &
writer=$!
has() { [[ $(sqlite3 "$work/$1.sqlite" "SELECT count(*) FROM zzz WHERE b = '$2'" 2>/dev/null) -eq 1 ]]; }
look_around() { # PLACE: what may tell why it does not go on
	{
		tail -n 5 "$work/$1.mirror.log"
		tail -n 3 "$work/plain.log" "$ssh/log"
		ps -ww -eo pid,ppid,stat,wchan:20,etime,args | awk '/ssh|deltamirror|followers/ { print substr($0, 1, 150) }'
		timeout 5 ls -l "$work/$1/live" "$mnt/live"
		there ss -tnoi
		there tc -s qdisc show dev "$beyond"
	} 2>&1 | sed 's/^/# /'
}
goes_on() { # AFTER WHAT
	local place
	sql "INSERT INTO zzz (b) VALUES ('after $1')"
	for place in far plain; do
		# Over sshfs as it comes a line may take 20 s, and what is before it has to come through the link.
		check "a mirror goes on after $1 ($place)" wait_for 150 "has $place 'after $1' || ! alive ${mirrors[$place]}"
		check "by itself ($place)" has "$place" "after $1"
		has "$place" "after $1" || look_around "$place"
	done
}
sleep 1 # in the midst of the copy
link down
sleep 1
link up
sleep 0.5
link down
sleep 4 # longer than the script's mount waits
link up
throttle 4mbit
goes_on "the link was cut"
sql "INSERT INTO zzz (b) SELECT repeat(md5(g::text), 10) FROM generate_series(1, 2000) g" # 700 kB
sleep 0.3
sessions KILL
mount_plain
goes_on "connections were cut"
sql "UPDATE zzz SET b = b || b WHERE a <= 2000"
sleep 0.2
sessions KILL
end_process "$sshd" KILL
wait "$sshd" 2>/dev/null || true
sleep 1
sshd_there
mount_plain
goes_on "sshd was killed"
throttle 100mbit
wait "$writer"
goes_on "all of it"
for place in far plain; do
	check "the mirror is the same process ($place)" alive "${mirrors[$place]}"
	check "and equals PostgreSQL ($place)" "$root/contrib/compare-tables" -q "$work/$place.sqlite"
done
find "$store/segments" -name '*.day' | sort -V | xargs cat >"$work/truth"
wait_for 60 "cmp -s '$work/far.out' '$work/truth'" || true
check "a reader has every byte, once" cmp "$work/far.out" "$work/truth"
is "and did not complain" "$(cat "$work/far.out.log")" ""
plan
