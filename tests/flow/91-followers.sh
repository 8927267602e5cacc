#!/bin/bash
# Many followers at once, and some who stop reading; a daemon that is killed, ended and started again with all of
# them inside: whoever opens anew goes on without a gap or a repetition, and nobody delays anybody.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

people=$root/tests/flow/followers.py
lean=1 # how much the daemon may grow tells nothing under a sanitizer
! grep -qaE '__(asan|tsan)_init' "$build/daystreamfs" || lean=0

server_up
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
printf 'segment_size = 200000\nkeep_bytes = 1000000\n' >>"$store/daystream.conf"
# What retention removes stays for those who compare, at whatever moment it goes.
mkdir "$work/truth"
cat >"$work/keep.c" <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int unlinkat(int dirfd, const char *name, int flags)
{
	char kept[4096];

	if (strlen(name) > 4 && strcmp(name + strlen(name) - 4, ".day") == 0) {
		snprintf(kept, sizeof kept, "%s/%s", getenv("KEEP"), name);
		linkat(dirfd, name, AT_FDCWD, kept, 0);
	}
	return (int)syscall(SYS_unlinkat, dirfd, name, flags);
}
C
"${CC:-cc}" -shared -fPIC -o "$work/keep.so" "$work/keep.c"
chmod 755 "$work/keep.so"
chmod 777 "$work/truth"
LD_PRELOAD=$work/keep.so KEEP=$work/truth daemon_start "$store" "$mnt"
sql "CREATE TABLE zzz (id bigserial PRIMARY KEY, t text)"
sql "CREATE TABLE other (id bigserial PRIMARY KEY, t text)"
sql "INSERT INTO zzz (t) SELECT md5(g::text) FROM generate_series(1, 3000) g"
sql "INSERT INTO other (t) VALUES ('first')"
caught_up "$mnt"
cat >"$work/load.sql" <<'SQL'
INSERT INTO zzz (t) SELECT repeat(md5(random()::text), 1 + (random() * 5)::int) FROM generate_series(1, 8);
INSERT INTO other (t) VALUES (md5(random()::text));
SQL
load() { pgbench -n -c 2 -R 300 -T "$1" -f "$work/load.sql" >>"$work/pgbench.log" 2>&1; }
mark() { sql "WITH a AS (INSERT INTO zzz (t) VALUES ('$1')) INSERT INTO other (t) VALUES ('$1')"; }
memory() { awk '/VmRSS/ { print $2 }' "/proc/$daemon_pid/status"; }

# ---- 200 at once, retention at work
before=$(memory)
oldest=$(status_of "$mnt" oldest)
"$people" crowd "$mnt" "$store/segments" "$work/truth" 200 the-end "$work/ready" zzz other >"$work/crowd.log" 2>&1 &
crowd=$!
wait_for 120 "[[ -e $work/ready ]] || ! alive $crowd" "200 followers"
load 9 &
loading=$!
for _ in 1 2 3; do # to be shown at once, and not bit by bit
	sleep 1
	sql "INSERT INTO zzz (t) SELECT repeat(md5(g::text), 5) FROM generate_series(1, 15000) g"
done
wait $loading
mark the-end
check "200 followers see every byte, random readers right ones, no size goes back" wait $crowd
sed 's/^/# /' "$work/crowd.log"
cat "$work"/truth/*.day >/dev/null # what is left of them counts below
after=$(memory)
check "the daemon has grown little by them ($before kB, $after kB)" test $((lean * after)) -lt $((before + 30000))
is_kept() { [[ $(cat "$store"/segments/*.day | wc -c) -le 1500000 && $(status_of "$mnt" oldest) != "$oldest" ]]; }
check "those who stopped reading have not kept retention" wait_for 60 is_kept
find "$work/truth" -name '*.day' | sort -V | xargs cat >"$work/stream"
check "what they saw follows the rules" "$root/tests/flow/stream.py" rules --crc "$work/stream"
rm -r "$work/truth" "$work/stream"
caught_up "$mnt"

# ---- 10,000 files, of which none is given up meanwhile
daemon_stop
sed -i 's/^keep_bytes = .*/keep_bytes = 0/' "$store/daystream.conf"
prlimit --nofile=1500:1500 daystreamfs "$store" "$mnt" -f >>"$work/daemon.log" 2>&1 &
daemon_pid=$!
wait_for 60 "mounted '$mnt'" "the daemon with few descriptors"
wait_for 60 "daystream snapshot '$store' >'$work/snapshot.log' 2>&1" "a snapshot" # while the daemon takes none
exits "10,000 files can be open, which take no descriptors in the daemon, and nothing is left of them" 0 \
	"$people" open "$mnt" "$daemon_pid" 10000 $((lean ? 4000 : 100000))
sed 's/^/# /' "$work/output"

# ---- a number is a file's for good
rm -f "$work/ready"
if [[ $EUID -eq 0 ]]; then # nobody else may open by a handle
	"$people" handles "$mnt" "$work/ready" >"$work/handles.log" 2>&1 &
	handles=$!
	wait_for 60 "[[ -e $work/ready ]] || ! alive $handles" "handles"
fi
daemon_stop
daemon_start "$store" "$mnt"
rm -f "$work/ready"
if [[ $EUID -eq 0 ]]; then
	check "a handle that an NFS server holds leads to its file, also after a restart" wait "$handles"
	sed 's/^/# /' "$work/handles.log"
fi

# ---- killed with followers inside
followers=
for who in "live" "table zzz"; do
	# shellcheck disable=SC2086
	set -- $who
	"$people" follow "$mnt" ${2:+"$2"} "$work/$1.out" >"$work/$1.log" 2>&1 &
	followers+=" $!"
done
deltamirror "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
mirror_pid=$!
tail -n +1 -f "$mnt/live" >"$work/tail" 2>"$work/tail.err" &
tail_pid=$!
wait_for 60 "[[ -e $mirror && -s $work/tail ]]" "the followers to begin"
load 11 &
loading=$!
restarts=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
	sleep 0.$((RANDOM % 6 + 1))
	daemon_kill
	daemon_start "$store" "$mnt"
	restarts=$((restarts + 1))
done
check "a daemon with followers inside can be ended" daemon_stop
sleep 1
daemon_start "$store" "$mnt"
wait $loading || true
caught_up "$mnt"
note "killed $restarts times"
find "$store/segments" -name '*.day' | sort -V | xargs cat >"$work/truth.live"
grep -aP '^_c\t\d+\t_s\t\d+\t_table\tzzz\t' "$work/truth.live" >"$work/truth.table"
wait_for 60 "cmp -s '$work/live.out' '$work/truth.live'" || true
check "a reader that opens /since anew has every byte, once" cmp "$work/live.out" "$work/truth.live"
wait_for 60 "cmp -s '$work/table.out' '$work/truth.table'" || true
check "so has one of a table's file" cmp "$work/table.out" "$work/truth.table"
is "neither complained" "$(cat "$work/live.log" "$work/table.log")" ""
# shellcheck disable=SC2086
kill $followers
check "tail -f ends" wait_for 60 "! alive $tail_pid"
check "with right bytes" cmp -n "$(stat -c %s "$work/tail")" "$work/tail" "$work/truth.live"
check "and says why" grep -q 'not connected' "$work/tail.err"
check "the mirror was never started again" alive "$mirror_pid"
alive "$mirror_pid" || note "$(tail -n 3 "$work/mirror.log")"
in_mirror() { [[ $(sqlite3 "$mirror" "SELECT epoch || '.' || seq FROM _daystream") == $(status_of "$mnt" position) ]]; }
check "and goes on to the end" wait_for 60 in_mirror
equal_tables "where it equals PostgreSQL"
end_process "$mirror_pid"
check "the store is sound" daystream check "$store"

# ---- signals, with 200 in poll(2)
ends() { # PID: by itself
	wait_for 60 "! alive $1" "$1 to end" && wait "$1"
}
for signal in TERM INT HUP; do
	rm -f "$work/ready"
	tail -f "$mnt/live" >/dev/null 2>&1 &
	stopped=$!
	kill -STOP $stopped
	"$people" hold "$mnt" 200 "$work/ready" >"$work/hold.log" 2>&1 &
	hold=$!
	wait_for 120 "[[ -e $work/ready ]] || ! alive $hold" "200 who poll"
	kill "-$signal" "$daemon_pid"
	check "SIG$signal ends the daemon, whoever is inside" ends "$daemon_pid"
	check_not "and its mount" mountpoint -q "$mnt"
	check "and all who wait in it" ends $hold
	kill -KILL $stopped
	note "SIG$signal: they got $(cat "$work/hold.log")"
	daemon_start "$store" "$mnt"
done

# A signal that comes just before libfuse begins to wait for one.
cat >"$work/late.c" <<'C'
#include <dlfcn.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

int sem_wait(sem_t *sem)
{
	static int before;
	struct timespec left = {1, 500000000};

	if (!before++) {
		fputs("about to wait\n", stderr);
		while (nanosleep(&left, &left) < 0)
			;
	}
	return ((int (*)(sem_t *))dlsym(RTLD_NEXT, "sem_wait"))(sem);
}
C
daemon_stop
if [[ $lean -eq 1 ]]; then
	cc -shared -fPIC -D_GNU_SOURCE -o "$work/late.so" "$work/late.c" -ldl
	LD_PRELOAD=$work/late.so daystreamfs "$store" "$mnt" -f 2>"$work/late.log" &
	late=$!
	wait_for 60 "grep -q 'about to wait' '$work/late.log'" "the daemon to serve"
	kill -TERM $late
	check "a signal just before the wait for it ends the daemon as well" ends $late
fi

# ---- two of them
daemon_start "$store" "$mnt"
daystream init "$work/store2" --conninfo "$conninfo" --slot second >"$work/init2.log" 2>&1
exits "a second daemon on the same mountpoint is refused" 1 timeout 20 daystreamfs "$work/store2" "$mnt" -f
like "with the reason and the remedy" "$output" "$mnt shows $store already.*fusermount3"
is "in one line" "$(wc -l <<<"$output")" 1
is "it has not taken the first one's mount" "$(grep -c " $mnt " /proc/self/mountinfo)" 1
exits "a second one on the same store and mountpoint, too" 1 timeout 20 daystreamfs "$store" "$mnt" -f
check "the first one goes on" caught_up "$mnt"
daystream drop --yes "$work/store2" >/dev/null

# ---- a log that nobody reads
daemon_stop
mkfifo "$work/log"
exec 8<>"$work/log"
python3 -c 'import os; os.set_blocking(8, False)
while True:
    try: os.write(8, b"full\n")
    except BlockingIOError: break
os.set_blocking(8, True)'
daystreamfs "$store" "$mnt" -f 2>&8 8>&- &
daemon_pid=$!
served() { timeout -s KILL 10 test -e "$mnt/live"; } # nothing else ends who asks a mount that nobody serves
check "a daemon whose log is full and not read mounts" wait_for 60 served
served || { daemon_kill; plan; }
sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'daystream'" >/dev/null
mark unread
check "and follows" caught_up "$mnt"
head -c 50000 <&8 >/dev/null
sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'daystream'" >/dev/null
caught_up "$mnt"
timeout 1 cat <&8 >"$work/log.read" || true
like "and says what was lost, when somebody reads again" "$(tail -c 2000 "$work/log.read")" '[1-9] messages were given up'
exec 8>&-
sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'daystream'" >/dev/null
mark unread
check "also when the log's reader is gone" caught_up "$mnt"
deltamirror "$mnt" "$mirror" 2> >(exit 0) &
mirror_pid=$!
daemon_stop
daemon_start "$store" "$mnt"
check "a mirror without a log goes on" wait_for 60 in_mirror
check "and lives" alive "$mirror_pid"
plan
