#!/bin/bash
# The daemon's life: start, end, crash, a server that comes and goes, a slot
# that is taken away.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

stream_up
sql "CREATE TABLE zzz (a text PRIMARY KEY, b text)"
sql "INSERT INTO zzz VALUES ('fox1', 'hen1')"
caught_up "$mnt"
slot_pid() { sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'daystream'"; }
ms() { echo $(($(date +%s%N) / 1000000)); }

# What the kernel caches it reads in large pieces, where the daemon was started by root.
read_ahead=/sys/class/bdi/$(mountpoint -d "$mnt")/read_ahead_kb
if [[ -w $read_ahead ]]; then
	cat "$mnt/status" >"$work/status"
	is "the kernel reads ahead by the megabyte" "$(cat "$read_ahead")" 1024
fi

# One writer.
mkdir "$work/mnt2"
exits "a second daemon on one store is refused" 1 timeout 20 daystreamfs "$store" "$work/mnt2" -f
like "with the reason" "$output" "$store" 'lock|use|another|running'
check "the first one goes on" test -s "$mnt/live"
exits "a store that is not there is refused" 1 timeout 20 daystreamfs "$work/nowhere" "$work/mnt2" -f
check_not "and libfuse does not chatter about it" grep -q "fuse_remove" "$work/output"

exits "a mountpoint that is the store is refused" 1 timeout 20 daystreamfs "$store" "$store" -f
exits "a mountpoint that is not there is refused" 1 timeout 20 daystreamfs "$store" "$work/nothing" -f
like "before anything else, by its name" "$output" "mountpoint .*nothing"

# A refused login while it streams: the files stay, and it goes on afterwards.
sql "CREATE ROLE follower LOGIN REPLICATION"
login() { sed -i "s|^conninfo.*|conninfo = 'host=$PGHOST port=$PGPORT user=$1 dbname=$PGDATABASE'|" "$store/daystream.conf"; }
daemon_stop
login follower
daemon_start "$store" "$mnt"
sql "ALTER ROLE follower NOLOGIN"
sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active" >/dev/null
wait_for 60 "grep -q 'last_error	.*follower' '$mnt/status'" || true
check "a login that is refused later does not take the mount away" test -s "$mnt/live"
like "status tells why" "$(cat "$mnt/status")" "follower"
sql "ALTER ROLE follower LOGIN"
wait_for 60 "grep -q 'state	streaming' '$mnt/status'" || true
check "it goes on when the login is allowed again" grep -q 'state	streaming' "$mnt/status"
daemon_stop
login postgres
daemon_start "$store" "$mnt"

# An idle stream.
before=$(sql "SELECT confirmed_flush_lsn FROM pg_replication_slots")
sql "CREATE TEMP TABLE noise AS SELECT generate_series(1, 20000)"
sql "SELECT pg_switch_wal()" >/dev/null
wait_for 30 "[[ \$(sql \"SELECT confirmed_flush_lsn > '$before'::pg_lsn + 100000 FROM pg_replication_slots\") == t ]]" || true
is "WAL without changes for us is confirmed" \
	"$(sql "SELECT confirmed_flush_lsn > '$before'::pg_lsn + 100000 FROM pg_replication_slots")" t
begin=$(ms)
server_stop fast
took=$(($(ms) - begin))
# How soon, 79-shutdown.sh tells; one that waits for us, waits for wal_sender_timeout, which is a minute.
check "a fast shutdown does not wait for us ($took ms)" test "$took" -lt 30000
wait_for 30 "grep -qiE 'disconnected|connect|retry|waiting' '$mnt/status'" || true
is "the tree stays while the server is away" "$(grep -c '_table	zzz' "$mnt/live")" 2
check "the daemon stays too" alive "$daemon_pid"
check "status tells of it" grep -qiE 'last_error	.*[a-z]|state	(disconnected|connecting|waiting|retry)' "$mnt/status"
check "and when that was" wait_for 10 "(($(date +%s) - \$(status_of '$mnt' last_error_time) < 60))"
check "how long it has lagged is told" wait_for 20 "((\$(status_of '$mnt' lag_seconds) >= 3))"
daemon_kill
check "a daemon starts where one was killed" daemon_start "$store" "$mnt"
check "also by the next daemon, from its start on" test "$(status_of "$mnt" lag_seconds)" -ge 3
server_start
sql "INSERT INTO zzz VALUES ('fox2', 'hen2')"
check "it goes on when the server is back" caught_up "$mnt" 60

# A crash beside an idle server, some time after the last that came of it.
sql "CHECKPOINT"
sql "SELECT pg_switch_wal()" >/dev/null
caught_up "$mnt"
for ((quiet = 0, i = 0; quiet < 20 && i < 90; i++)); do
	sleep 1
	before=${now:-}
	now=$(sql "SELECT pg_current_wal_lsn()")
	quiet=$([[ $now == "$before" ]] && echo $((quiet + 1)) || echo 0)
done
note "the server wrote nothing for $quiet s"
killed=$(ms)
daemon_kill
server_stop fast
daemon_start "$store" "$mnt"
lag=$(status_of "$mnt" lag_seconds)
since=$((($(ms) - killed) / 1000))
# That all is here is noted every ten seconds.
check "what was here until a crash is no lag ($lag s, of which $since since then)" test "$lag" -lt $((18 + since))
server_start

# A connection that ends.
last=0
another() { pid=$(slot_pid) && [[ -n $pid && $pid != "$last" ]]; }
for _ in 1 2 3; do
	wait_for 60 another "the next connection"
	last=$pid
	sql "SELECT pg_terminate_backend($last)" >/dev/null
	sql "INSERT INTO zzz VALUES (gen_random_uuid()::text, 'x')"
done
check "it goes on when its connection is cut" caught_up "$mnt" 60
is "and nothing came twice" "$(grep -c '	_action	insert	' "$mnt/tables/zzz")" 5
check "the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"

# Signals that tell it nothing.
for name in USR1 USR2 ALRM PIPE; do
	kill "-$name" "$daemon_pid" || true
done
sql "INSERT INTO zzz VALUES ('fox3', 'hen3')"
check "a signal that tells it nothing does not end it" caught_up "$mnt"

# SIGTERM.
pid=$daemon_pid
check "SIGTERM ends it well" daemon_stop
check_not "it is gone" alive "$pid"
check_not "so is the mount" mountpoint -q "$mnt"
slot_free
is "the slot stays" "$(sql "SELECT active FROM pg_replication_slots")" f
sql "INSERT INTO zzz VALUES ('fox4', 'hen4')"
daemon_start "$store" "$mnt"
check "what happened meanwhile comes" caught_up "$mnt"
kill -INT "$daemon_pid"
wait "$daemon_pid" && status=0 || status=$?
is "SIGINT ends it as well" "$status" 0

# Twice, as timeout says it to a process and to its group, while its child unmounts.
daemon_start "$store" "$mnt"
child=$(pgrep -P "$daemon_pid") && kill -STOP "$child"
[[ $EUID -ne 0 ]] || check "a process of its own unmounts" test -n "$child"
kill "$daemon_pid"
sleep 1
kill "$daemon_pid"
sleep 0.2
[[ -z $child ]] || kill -CONT "$child"
wait "$daemon_pid" && status=0 || status=$?
is "SIGTERM that comes twice ends it well, too" "$status" 0
check_not "and breaks nothing off" grep "stays mounted" "$work/daemon.log"

# SIGTERM while the files are open and a transaction is on the way.
daemon_start "$store" "$mnt"
exec 7<"$mnt/live"
sql "INSERT INTO zzz SELECT 'many' || g, g FROM generate_series(1, 200000) g"
begin=$(ms)
check "SIGTERM in the middle of work, with a file open, ends it" daemon_stop
took=$(($(ms) - begin))
check "soon ($took ms)" test "$took" -lt 20000
exec 7<&-
daemon_start "$store" "$mnt"
check "and nothing is missing" caught_up "$mnt"
is "nor twice" "$(grep -c '	_action	insert	a	many' "$mnt/tables/zzz")" 200000

# SIGKILL: the mount is dead until the next daemon clears it.
exec 7<"$mnt/live"
daemon_kill
check_not "the mount of a killed daemon is dead" ls "$mnt/"
said() { # COMMAND...: and that is an error at once
	exits "to $1 ${2%"$mnt"}, too" 1 timeout 20 "$@"
	like "which says what to do" "$output" "not connected; .*start daystreamfs.*fusermount3 -u"
}
said daystream status "$mnt"
said daystream status --watch "$mnt"
said daystream cat "$mnt"
said deltamirror --once "$mnt" "$work/none.sqlite"
check "the next daemon clears it, though a file is open" daemon_start "$store" "$mnt"
check "and shows the stream" grep -q fox4 "$mnt/live"
exec 7<&-
is "on one mount, not on two" "$(grep -c " $mnt " /proc/self/mountinfo)" 1

# Whoever asks a daemon that is then killed gets another error: here the next one, which looks at its mountpoint.
kill -STOP "$daemon_pid"
daystreamfs "$store" "$mnt" -f >>"$work/daemon.log" 2>&1 &
next=$!
sleep 1 # it asks, and waits
daemon_kill
daemon_pid=$next
follows() { mounted "$mnt" && alive "$daemon_pid"; }
check "one that starts while the one before is killed clears it, too" wait_for 60 "follows || ! alive $daemon_pid"
check "and shows the stream" follows
daemon_stop

# Where waiting is impossible (a sandbox forbids poll(2), or as here a limit), each program ends, and says why.
daemon_start "$store" "$mnt"
wait_for 60 "grep -q 'state	streaming' '$mnt/status'" "the stream"
ends_for_it() { # SENTENCE PID LOG
	# As the user that it has become.
	if [[ $EUID -eq 0 ]]; then
		setpriv --reuid="$(ps -o ruid= -p "$2" | tr -d ' ')" --regid="$(ps -o rgid= -p "$2" | tr -d ' ')" --clear-groups \
			prlimit --pid "$2" --nofile=0:0
	else
		prlimit --pid "$2" --nofile=0:0
	fi
	wait_for 20 "! alive $2" "$1 to end" || true
	check_not "$1 that cannot wait ends" alive "$2"
	end_process "$2" KILL
	wait "$2" 2>/dev/null || true
	like "and says why" "$(cat "$3")" 'error: waiting is impossible: poll: '
}
deltamirror "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
mirror_pid=$!
daystream cat --follow "$mnt" >"$work/cat.out" 2>"$work/cat.log" &
cat_pid=$!
wait_for 60 "grep -q following '$work/mirror.log' && [[ -s '$work/cat.out' ]]" "who follows"
ends_for_it "a mirror" "$mirror_pid" "$work/mirror.log"
ends_for_it "daystream cat --follow" "$cat_pid" "$work/cat.log"
ends_for_it "the daemon" "$daemon_pid" "$work/daemon.log"
check "and the next one goes on" daemon_start "$store" "$mnt"
check "with all there is" caught_up "$mnt"
daemon_stop

# In the background, as from fstab.
exits "without -f it returns when it is mounted" 0 timeout 30 daystreamfs "$store" "$mnt"
check "and the mount is there" test -e "$mnt/live"
sql "INSERT INTO zzz VALUES ('fox5', 'hen5')"
check "and follows" caught_up "$mnt"
exits "a second one fails at once, with a message" 1 timeout 30 daystreamfs "$store" "$work/mnt2"
like "which names the store" "$output" "$store"
fusermount3 -u "$mnt"
wait_for 60 "! pgrep -f '^[^ ]*daystreamfs $store ' >/dev/null" "the daemon to end" || true
check_not "unmounting ends it" pgrep -f "^[^ ]*daystreamfs $store "
exits "a mountpoint that is not there is an error" 1 timeout 30 daystreamfs "$store" "$work/nowhere"
like "which names it" "$output" "$work/nowhere"
exits "a store that is not there is an error" 1 timeout 30 daystreamfs "$work/nowhere" "$mnt"
like "which names it" "$output" "$work/nowhere"
exits "mount options are taken" 0 timeout 30 daystreamfs "$store" "$mnt" -o ro,noexec,allow_other
like "and seen" "$(grep " $mnt " /proc/self/mountinfo)" noexec
if [[ $EUID -eq 0 ]]; then
	check "allow_other lets others read" setpriv --reuid=nobody --regid=nogroup --clear-groups head -c 1 "$mnt/live"
fi
fusermount3 -u "$mnt"
wait_for 60 "! pgrep -f '^[^ ]*daystreamfs $store ' >/dev/null" "the daemon to end"

# Started while the server is away: the tree is there, the stream follows.
server_stop
check "it starts without the server" daemon_start "$store" "$mnt"
is "and shows what it holds" "$(grep -c '	a	fox5' "$mnt/live")" 1
server_start
sql "INSERT INTO zzz VALUES ('fox6', 'hen6')"
check "and goes on when there is one" caught_up "$mnt"

# A value that PostgreSQL itself cannot print.
sql "CREATE TABLE broken (a int PRIMARY KEY, c oidvector)"
sql "INSERT INTO broken VALUES (1, ARRAY['1'::oid, NULL]::oidvector)"
sql "INSERT INTO zzz VALUES ('fox7', 'hen7')"
wait_for 60 "! alive $daemon_pid" "the daemon to end" || end_process "$daemon_pid"
wait "$daemon_pid" 2>/dev/null || true
daemon_pid=
like "a value that cannot be printed is named" "$(tail -n 2 "$work/daemon.log")" 'column "c" of table "public.broken".*oidvector.*daystream.conf'
sed -i 's/^tables *=.*/tables = zzz/' "$store/daystream.conf"
grep -q '^tables = zzz' "$store/daystream.conf" || echo 'tables = zzz' >>"$store/daystream.conf"
check "without that table" daemon_start "$store" "$mnt"
check "it goes on" caught_up "$mnt"
check "and has lost nothing else" grep -q fox7 "$mnt/live"

# A slot that is not ours any more.
daemon_stop
slot_drop
sql "INSERT INTO zzz VALUES ('lost', 'line')"
sql "SELECT pg_create_logical_replication_slot('daystream', 'deltaflood')" >/dev/null
sql "INSERT INTO zzz VALUES ('not', 'lost')"
exits "a slot that was dropped and made anew stops it" 1 timeout 30 daystreamfs "$store" "$mnt" -f
like "with the reason and the way out" "$output" slot 'init|generation|recreated|another|new'
plan
