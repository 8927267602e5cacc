#!/bin/bash
# Rights: what root starts becomes another user; what is in the store is nobody else's to read; a password is
# seen nowhere; a name leads out of no folder.

# With a group that is to be given up.
if [[ $EUID -eq 0 && " $(id -G) " != *" 6 "* ]]; then
	exec setpriv --groups 0,6 -- bash "$0" "$@"
fi
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if [[ $EUID -ne 0 ]]; then
	echo "1..0 # skip: to give up root's rights takes root"
	exit 0
fi

field() { awk -v name="$2:" '$1 == name { $1 = ""; print }' "/proc/$1/status"; } # PID NAME
user_of() { ps -o user:32= -p "$1"; }
unmounter() { ps -o pid= --ppid "$daemon_pid" | tr -d ' '; }
setting() { # NAME VALUE: of the store
	sed -i "/^$1 *=/d" "$store/daystream.conf"
	printf "%s = '%s'\n" "$1" "$2" >>"$store/daystream.conf"
}

server_create
as_server tee "$server/data/pg_hba.conf" >/dev/null <<-CONF
	local all keeper scram-sha-256
	local all rooted peer map=ours
	local all games,root peer
	local all all trust
CONF
echo 'ours root rooted' | as_server tee -a "$server/data/pg_ident.conf" >/dev/null
server_start
server_allow_plugin
secret=Unheard-of.4711
sql "CREATE ROLE rooted SUPERUSER LOGIN"
sql "CREATE ROLE keeper SUPERUSER LOGIN PASSWORD '$secret'"
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "INSERT INTO zzz SELECT g, g FROM generate_series(1, 100) g"

# ---- who works

# As people do it: all in a folder that is root's alone, named from within it.
closed=$work/closed
mkdir -m 700 "$closed" "$closed/mnt"
cd "$closed"
wanted=$(getent passwd daystream >/dev/null && echo daystream || echo nobody)
(umask 0 && mkdir store && daystream init store --conninfo "$conninfo" >"$work/init.log" 2>&1)
store=$closed/store mnt=$closed/mnt
is "a store that root makes is another user's, and closed, whatever the umask" "$(stat -c '%U %a' store store/daystream.conf store/segments | paste -sd ' ')" \
	"$wanted 700 $wanted 600 $wanted 700"
umask 0
daemon_start store mnt
umask 022
is "the daemon is that user" "$(user_of "$daemon_pid")" "$wanted"
for thread in "/proc/$daemon_pid/task"/*; do
	field "${daemon_pid}/task/${thread##*/}" Uid 2>/dev/null || true # those that copy may have ended
done | sort -u >"$work/uids"
is "in every thread, for good" "$(tr -s '\t ' ' ' <"$work/uids")" " $(id -u "$wanted") $(id -u "$wanted") $(id -u "$wanted") $(id -u "$wanted")"
is "without a group of root's" "$(field "$daemon_pid" Groups | tr -d ' ') $(field "$daemon_pid" Gid | awk '{ print $2 }')" " $(id -g "$wanted")"
is "and no capability, nor a way to one" "$(field "$daemon_pid" CapPrm)$(field "$daemon_pid" CapEff)$(field "$daemon_pid" NoNewPrivs)" " 0000000000000000 0000000000000000 1"
sql "INSERT INTO zzz VALUES (101, 'x')"
check "it follows" caught_up "$mnt"
wait_for 60 "[[ -e mnt/snapshots/latest/manifest ]]" || true
check "it takes snapshots" test -s mnt/snapshots/latest/manifest
check "root takes one, too" snapshot_taken
is "nothing in the store is root's, or open to others" "$(find store -user root -o -perm /077)" ""
check "root checks it" daystream check store
check "and asks for its status" daystream status store
check_not "others do not see a mount without allow_other" setpriv --reuid=games --regid=games --clear-groups -- bash -c "cd '$mnt'"

# ---- who unmounts

helper=$(unmounter)
is "one process stays root" "$(user_of "$helper")" root
is "which holds nothing but a socket" "$(find "/proc/$helper/fd" -type l -printf '%l\n' | sed 's/:.*//')" socket
check "the daemon ends" daemon_stop
check_not "and is unmounted" mountpoint -q "$mnt"
check_not "with nobody left" alive "$helper"

daemon_start store mnt
helper=$(unmounter)
exec 7<mnt/live
umount -l mnt
first=$daemon_pid
mkdir "$work/other"
mount -t tmpfs other "$mnt"
kill -TERM "$first"
wait "$first" || true
exec 7<&-
is "what somebody mounted there meanwhile stays" "$(stat -f -c %T "$mnt")" tmpfs
check_not "with nobody left" alive "$helper"
umount mnt

daemon_start store mnt
helper=$(unmounter)
kill -INT "$helper"
kill -TERM "$helper"
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null || true
check "a killed daemon leaves nobody" wait_for 10 "! alive $helper"
check "and the next one clears its mount" daemon_start store mnt
kill -KILL "$(unmounter)"
check "a daemon whose helper was killed ends" daemon_stop
like "and says what to do" "$(tail -n 3 "$work/daemon.log")" "stays mounted.*umount -l $mnt"
check "or the next one does it" daemon_start store mnt
is "on one mount" "$(grep -c " $mnt " /proc/self/mountinfo)" 1
daemon_stop

# ---- which user

setting user nothing-of-the-kind
exits "a user that is not there is an error" 1 timeout 30 daystreamfs store mnt -f
like "which names it" "$output" 'daystream.conf.*"nothing-of-the-kind"'
setting user root
daemon_start store mnt
is "user = root stays root" "$(user_of "$daemon_pid")" root
daemon_stop
setting user ''
chown -R games: store
daemon_start store mnt
is "the store's owner works on it" "$(user_of "$daemon_pid")" games
daemon_stop
chown -R root: store
daemon_start store mnt
is "an older store, of root's, is given away" "$(user_of "$daemon_pid") $(find store -user root)" "$wanted "
daemon_stop

# What root puts back is given, too; but what has another name elsewhere, or is elsewhere, is not.
chown root: store/daystream.conf
echo precious >"$work/precious"
ln -s "$work/precious" store/segments/link
ln "$work/precious" store/segments/hard
daemon_start store mnt
is "what root puts into it is given" "$(stat -c %U store/daystream.conf)" "$wanted"
is "what is elsewhere stays root's" "$(stat -c %U "$work/precious")" root
daemon_stop
rm store/segments/link store/segments/hard

# A user's own store: under peer authentication the server knows that user's role, and no role of root's.
sql "CREATE ROLE games SUPERUSER LOGIN"
chown -R games: store
setting conninfo "${conninfo/user=postgres/}"
role=$PGUSER
unset PGUSER
daemon_start store mnt
status=$(daystream status store 2>&1) || true
snapshot=$(daystream snapshot store 2>&1) || true
export PGUSER=$role
is "the owner's role is the daemon's" "$(user_of "$daemon_pid")" games
check "and it follows" caught_up "$mnt"
like "status takes that role, too" "$status" "slot_state	active"
like "so does snapshot" "$snapshot" "^[0-9]+\.[0-9]+$"
daemon_stop
exits "and drop" 1 env -u PGUSER daystream drop store
like "which asks, so it has reached the server" "$output" "nothing was dropped"
setting conninfo "$conninfo"
chown -R "$wanted:" store

# init writes down whose role it had, for a daemon that root starts before there is a server.
mkdir "$work/of-games"
chown games: "$work/of-games"
unset PGUSER
exits "a user's init" 0 setpriv --reuid=games --regid="$(id -g games)" --clear-groups -- \
	"$build/daystream" init "$work/of-games/store" --conninfo "${conninfo/user=postgres/}" --slot games
like "has the role in the settings" "$(cat "$work/of-games/store/daystream.conf")" "conninfo = .*user=.*games"
server_stop
daemon_start "$work/of-games/store" mnt
server_start
export PGUSER=$role
check "with which the daemon goes on once the server is there" caught_up "$mnt"
daemon_stop
exits "its slot goes" 0 daystream drop --yes "$work/of-games/store"

# What somebody closed to the user, without a copy being the remedy.
for file in "$(find store/segments -name '*.day' | sort -V | head -n 1)" store/confirmed; do
	chown sys: "$file"
	chmod 600 "$file"
	exits "a file that is another user's ends a start" 1 timeout 30 daystreamfs store mnt -f
	like "which names it, and what to do" "$output" "${file#store/} is closed to the user with the number $(id -u "$wanted"): it is $(id -u sys)'s, with the mode 600; chown"
	exits "check, by that user, says the same" 1 setpriv --reuid="$wanted" --regid="$(id -g "$wanted")" --clear-groups -- \
		"$build/daystream" check /proc/self/fd/9 9<store
	like "of that file" "$output" "${file#store/} is closed"
	chown "$wanted:" "$file"
done

# A way to the server that only root has.
setting conninfo "${conninfo/user=postgres/user=rooted}"
: >"$work/daemon.log"
daemon_start store mnt
is "where only root may log in, it stays root" "$(user_of "$daemon_pid")" root
like "and says so, with the remedy" "$(cat "$work/daemon.log")" "warning: the user $wanted cannot.*Peer.*user = 'root'"
check "and follows" caught_up "$mnt"
check "a snapshot goes the same way" snapshot_taken
check "and is the daemon's to remove" test -z "$(find store/snapshots -user root)"
daemon_stop
daystream init store2 --conninfo "${conninfo/user=postgres/user=rooted}" --slot two >"$work/init2.log" 2>&1
like "init knows" "$(cat "$work/init2.log" store2/daystream.conf)" "user = 'root'" "warning: the user $wanted cannot"
printf '*:*:*:keeper:%s\n' "$secret" >"$work/pgpass"
chmod 600 "$work/pgpass"
setting conninfo "${conninfo/user=postgres/user=keeper} passfile=$work/pgpass"
server_stop
daemon_start store mnt
is "nor is root's password file given up while the server is away" "$(user_of "$daemon_pid")" root
server_start
check "and it goes on" caught_up "$mnt"
daemon_stop
setting conninfo "$conninfo"
server_stop
daemon_start store mnt
is "where the server is away for everybody, it is not root" "$(user_of "$daemon_pid")" "$wanted"
server_start
daemon_stop
chmod 755 store
chmod 644 store/daystream.conf
: >"$work/daemon.log"
daemon_start store mnt -o allow_other
like "a store that others can read is told" "$(cat "$work/daemon.log")" "warning: .*store.*chmod 700" "warning: .*daystream.conf.*chmod 600"
chmod 700 store
chmod 600 store/daystream.conf

# ---- names

sql "CREATE SCHEMA \"..\""
odd=('..' '.' '../../../daystream.conf' 'a/b' '%2F' 'manifest' 'overlap' 'sums' '/etc/passwd' 'tables' '-rf' '~' $'new\nline' $'\x01'
	"$(printf 'ä%.0s' {1..31})" 'sqlite_master' '_daystream' '"; DROP TABLE zzz; --' "x' OR '1" '~root')
for name in "${odd[@]}"; do
	for schema in public '..'; do
		sql "CREATE TABLE \"$schema\".\"${name//\"/\"\"}\" (a int PRIMARY KEY)"
		sql "INSERT INTO \"$schema\".\"${name//\"/\"\"}\" VALUES (1)"
	done
done
caught_up "$mnt"
check "odd names make snapshots" snapshot_taken
is "in which each table has a file, and no more" "$(find -L mnt/snapshots/latest/tables -type f | wc -l) $(find store/snapshots -mindepth 2 -maxdepth 2 -printf '%f\n' | sort -u | paste -sd ' ')" \
	"$((2 * ${#odd[@]} + 1)) manifest overlap sums tables"
is "and one below /tables" "$(find mnt/tables -type f | wc -l)" "$((2 * ${#odd[@]} + 1))"
find "$closed" -mindepth 1 -maxdepth 1 ! -name store ! -name store2 ! -name mnt >"$work/outside"
check_not "nothing is written outside" test -s "$work/outside"
mirror_once >"$work/mirror.log" 2>&1
is "and each has a table of the mirror" "$(sqlite3 "$mirror" "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT IN ('_daystream', '_daystream_tables')")" \
	"$((2 * ${#odd[@]} + 1))"
is "none of which is another" "$(sqlite3 "$mirror" 'SELECT count(*) FROM zzz; SELECT count(*) FROM _daystream')" $'101\n1'
check "which equals the server" deltamirror --verify "$conninfo" "$mirror"
daemon_stop

# ---- links that the store's owner has put there

newest=$(find store/segments -name '*.day' | sort -V | tail -n 1)
as_owner() { setpriv --reuid="$wanted" --regid="$(id -g "$wanted")" --clear-groups -- "$@"; }
mv "$newest" "$work/segment"
cp "$work/segment" "$work/aim"
ln -s "$work/aim" "$newest"
exits "a segment that is a link is refused, by root too" 1 timeout 30 daystreamfs store mnt -f
like "by its name" "$output" "segments/${newest##*/}"
exits "check refuses it as well" 1 daystream check store
rm "$newest"
mv "$work/segment" "$newest"
rm -f store/confirmed.keep
mv store/confirmed store/confirmed.keep
printf 'not to be written\n' >"$work/aim"
chown "$wanted" "$work/aim" # else it is safe without our care
ln -s "$work/aim" store/confirmed
exits "so is a link in place of confirmed" 1 timeout 30 daystreamfs store mnt -f
is "and nothing is written where it leads" "$(cat "$work/aim")" "not to be written"
mv store/confirmed.keep store/confirmed
snapshot=$(find store/snapshots -mindepth 1 -maxdepth 1 -name '[0-9]*' | head -n 1)
mv "$snapshot" "$work/snapshot"
ln -s "$work/snapshot" "$snapshot"
daemon_start store mnt
check_not "a snapshot that is a link is not shown" head -c 1 "mnt/snapshots/${snapshot##*/}/manifest"
daemon_stop
rm "$snapshot"
mv "$work/snapshot" "$snapshot"

# ---- passwords

check_secret() { # SENTENCE FILE...
	local sentence=$1
	shift
	is "$sentence" "$(grep -rlaF -e "$secret" "$@" 2>/dev/null)" ""
}
keeper=${conninfo/user=postgres/user=keeper}
uri="postgresql://keeper:$secret@/postgres?host=$PGHOST&port=$PGPORT"
quoted="$keeper password = '$secret'"
sql "INSERT INTO zzz SELECT g FROM generate_series(1000, 1100) g"
daemon_start store mnt
caught_up "$mnt"
deltamirror --once --from "$uri" mnt "$work/from.sqlite" >>"$work/programs.log" 2>&1
sqlite3 "$work/some.sqlite" 'CREATE TABLE t (a); INSERT INTO t VALUES (1)'
sql "CREATE TABLE goal (a int)"
coproc holder { psql -XqAt; }
echo "BEGIN; INSERT INTO goal VALUES (0); LOCK TABLE zzz, goal; SELECT 'locked';" >&"${holder[1]}"
read -r -t 120 <&"${holder[0]}"
pids=()
start() { "$@" >>"$work/programs.log" 2>&1 </dev/null & pids+=($!); }
start daystream init store3 --slot three --conninfo "$uri"
start daystream init store4 --slot four --conninfo="$quoted"
start deltamirror --from "$uri" mnt "$work/new.sqlite"
start deltamirror --verify --wait=1 "$quoted" "$work/from.sqlite"
start deltamirror import "$uri" 'SELECT * FROM zzz' "$work/import.sqlite" zzz
start deltamirror export "$work/some.sqlite" 'SELECT * FROM t' "$quoted" goal
waiting() { [[ $(sql "SELECT count(*) FROM pg_stat_activity WHERE usename = 'keeper' AND wait_event_type = 'Lock'") -ge ${#pids[@]} ]]; }
wait_for 120 waiting "all to wait for the lock" || sql "SELECT application_name, backend_type, state, wait_event_type, query FROM pg_stat_activity WHERE usename = 'keeper'"
is "all programs are at work" "$(for pid in "${pids[@]}"; do alive "$pid" && echo; done | wc -l)" "${#pids[@]}"
for pid in "${pids[@]}"; do
	tr '\0' ' ' <"/proc/$pid/cmdline"
	cat "/proc/$pid/environ"
	echo
done >"$work/shown"
like "the process list shows them" "$(tr -d '\0' <"$work/shown")" 'init store3 --slot three' 'import'
check_secret "without a password" "$work/shown"
echo "ROLLBACK;" >&"${holder[1]}"
# shellcheck disable=SC2093,SC1083 # it closes a descriptor
exec {holder[1]}>&-
wait "${pids[0]}" "${pids[1]}" "${pids[3]}" "${pids[4]}" "${pids[5]}" || true
wait_for 60 "[[ -s $work/new.sqlite ]]" || true
end_process "${pids[2]}"
wait "${pids[2]}" || true
daemon_stop
check "they did what they were to do" test -s store3/daystream.conf -a -s store4/daystream.conf -a -s "$work/import.sqlite" -a -s "$work/new.sqlite"
store=$closed/store3
daemon_start store3 mnt
caught_up "$mnt"
sql "ALTER ROLE keeper PASSWORD 'another'"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keeper'" >/dev/null
wait_for 60 "grep -q 'last_error	.*keeper' mnt/status" || true
like "a password that is refused is told" "$(cat mnt/status)" "last_error	.*keeper"
check_secret "but shown nowhere in the tree" mnt/status mnt/live mnt/tables mnt/snapshots
for bad in "$uri&nonsense=1" "${quoted}x'" "$keeper passwrd=$secret more" "$keeper password = my $secret" "postgres://keeper:$secret" "postgres://keeper:pw@$secret@nowhere.invalid/x" "postgres://keeper:12/$secret@/x" "password=$secret host=/nowhere"; do
	daystream init store5 --conninfo "$bad" >>"$work/programs.log" 2>&1 && result 1 "\"$bad\" is refused"
	deltamirror import "$bad" 'SELECT 1' "$work/bad.sqlite" t >>"$work/programs.log" 2>&1 && result 1 "\"$bad\" is refused"
done
daemon_stop
sed -i '/^\(conninfo\)/s/$/ nonsense/' store3/daystream.conf
daystreamfs store3 mnt -f >>"$work/daemon.log" 2>&1 && result 1 "a wrong daystream.conf is refused"
check_secret "nor in a log" "$work"/*.log "$server/log"
check_secret "nor in a mirror" "$work"/*.sqlite*
is "only in daystream.conf" "$(grep -rlaF "$secret" store3 store4 2>/dev/null | sort | paste -sd ' ')" "store3/daystream.conf store4/daystream.conf"

# ---- without root

mkdir "$work/own"
chown postgres: "$work/own"
mknod "$work/fuse" c 10 229
chmod 666 "$work/fuse"
as_server mkdir "$work/own/mnt"
as_server env "PATH=$PATH" daystream init "$work/own/store" --slot own --conninfo "$conninfo" >"$work/own.log" 2>&1 || cat "$work/own.log"
as_postgres='setpriv --reuid=postgres --regid=postgres --clear-groups --'
unshare -m bash -c "mount --bind '$work/fuse' /dev/fuse && cd / && exec $as_postgres daystreamfs '$work/own/store' '$work/own/mnt' -f" >"$work/own.log" 2>&1 &
own=$!
inside() { nsenter -m -t "$own" -- setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; }
check "a user without root's rights mounts" wait_for 60 "inside test -s '$work/own/mnt/live'"
check "and reads" inside grep -q origin "$work/own/mnt/live"
end_process "$own" TERM 60
wait "$own" && status=0 || status=$?
is "and ends well" "$status $(tail -n 1 "$work/own.log")" "0 daystreamfs: ended"
plan
