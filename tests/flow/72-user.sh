#!/bin/bash
# All of it without root: an ordinary user makes a store, mounts it by fusermount3, follows, takes a snapshot, looks, and ends.

# With a /dev/fuse as udev makes it, and a /etc/fuse.conf of our own, for this test alone.
if [[ $EUID -eq 0 && -z ${IN_OWN_NAMESPACE:-} ]]; then
	IN_OWN_NAMESPACE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
if [[ $EUID -ne 0 ]]; then
	echo "1..0 # skip: without root, all the other tests are this one"
	exit 0
fi
mknod -m 666 "$work/fuse" c 10 229
mount --bind "$work/fuse" /dev/fuse
: >"$work/fuse.conf"
mount --bind "$work/fuse.conf" /etc/fuse.conf

home=$work/home
mkdir -m 700 "$home"
chown nobody: "$home"
as_user() {
	(cd "$home" && exec setpriv --reuid=nobody --regid=nogroup --clear-groups --reset-env -- env PATH="$PATH" HOME="$home" LC_ALL=C.UTF-8 "$@")
}
daemon() { pgrep -u nobody -f "^daystreamfs $store "; }
store=$home/store mnt=$home/mnt mirror=$home/mirror.sqlite

# Of the server it has what README.md asks for, no more.
server_up
sql "CREATE ROLE follower LOGIN REPLICATION"
sql "GRANT CREATE ON DATABASE postgres TO follower"
sql "GRANT pg_read_all_data TO follower"
conninfo="host=$PGHOST port=$PGPORT user=follower dbname=$PGDATABASE"
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "INSERT INTO zzz SELECT g, 'x' FROM generate_series(1, 1000) g"

check "init" as_user daystream init "$store" --conninfo "$conninfo"
is "the store is that user's, and closed" "$(stat -c '%U %a' "$store" "$store/daystream.conf" | paste -sd ' ')" "nobody 700 nobody 600"
as_user mkdir "$mnt"
exits "mounted for others it is not, unless root permits that" 1 as_user timeout 30 daystreamfs "$store" "$mnt" -o allow_other
like "which is said, with the remedy" "$output" "/etc/fuse.conf"
check "mounted for itself it is, in the background" as_user timeout 30 daystreamfs "$store" "$mnt"
is "by a daemon of that user alone" "$(pgrep -f "^[^ ]*daystreamfs $store " | xargs ps -o user= -p | sort -u)" nobody
sql "UPDATE zzz SET b = 'new' WHERE a % 2 = 0"
far() { as_user cat "$mnt/$1"; }
check "it follows" wait_for 60 "[[ \$(far tables/zzz | grep -c 'action	update') -eq 500 ]]"
check_not "root does not see it" ls "$mnt/"
check "a snapshot" wait_for 60 "as_user daystream snapshot '$store'"
wait_for 60 "as_user daystream status '$mnt' | grep -c 'slot_wal_status	reserved' >/dev/null" || true
exits "the status of the mount" 0 as_user daystream status "$mnt"
like "is good" "$output" 'state	streaming' 'slot_wal_status	reserved'
exits "and that of the store" 0 as_user daystream status "$store"
like "says that it runs" "$output" 'state	running' 'slot_state	active'
check "a line of watching it" bash -c "$(declare -f as_user); home='$home'; as_user timeout -s INT 60 daystream status --watch '$store' | head -n 1 | grep streaming"
check "a mirror" as_user deltamirror --once "$mnt" "$mirror"
check "equals PostgreSQL" as_user deltamirror --verify "$conninfo" "$mirror"
check "the store is sound" as_user daystream check "$store"
check "fusermount3 ends it" as_user fusermount3 -u "$mnt"
check "and the daemon" wait_for 60 "! daemon"

# What was killed.
echo user_allow_other >"$work/fuse.conf"
check "with user_allow_other others may read" as_user timeout 30 daystreamfs "$store" "$mnt" -o allow_other
chmod 711 "$home"
check "they do" test -s "$mnt/live"
kill -KILL "$(daemon)"
wait_for 60 "! daemon"
check_not "a killed daemon leaves a dead mount" ls "$mnt/"
check "which the next one clears, without root" as_user timeout 30 daystreamfs "$store" "$mnt"
check "and goes on" wait_for 60 "as_user daystream status '$mnt' | grep -c 'state	streaming' >/dev/null"
kill "$(daemon)"
check "SIGTERM ends it" wait_for 60 "! daemon"
check_not "and it is unmounted" mountpoint -q "$mnt"
check "the slot is given back" as_user daystream drop --yes "$store"
plan
