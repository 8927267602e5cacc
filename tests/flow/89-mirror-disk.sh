#!/bin/bash
# The mirror's disk: full, read-only, failing; its file cut, replaced, a stranger's, of a newer program. Each is said with the
# file's name, nothing is lost, and what can go on by itself does.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

[[ $EUID -eq 0 ]] || { echo "1..0 # SKIP mounting a small disk takes root"; exit 0; }

disk=$work/disk
mirror=$disk/m.sqlite
mkdir "$disk"
mount -t tmpfs -o size=3m tmpfs "$disk"
ballast() { # leaves so many bytes free
	rm -f "$disk/ballast"
	local free
	free=$(df --output=avail -B1 "$disk" | tail -n 1)
	[[ $free -le $1 ]] || fallocate -l $((free - $1)) "$disk/ballast"
}
once() { timeout 120 deltamirror --once "$@"; }
same() { # SENTENCE: the mirror, brought to the end, equals the server
	caught_up "$mnt"
	exits "$1: the next start goes on" 0 once "$mnt" "$mirror"
	equal_tables "$1: it equals the server"
}
content() { sqlite3 "$mirror" 'SELECT * FROM t ORDER BY id; SELECT * FROM keyless ORDER BY v' | sha256sum; }

server_up
sql "CREATE TABLE t (id int PRIMARY KEY, v text)"
sql "CREATE TABLE keyless (v text)"
sql "INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 6000) i"
stream_up
snapshot_taken

# ---- full

exits "a disk too small to build on ends the building" 1 once "$mnt" "$mirror"
like "... with the file's name and the reason" "$output" "cannot write $mirror.building: no space is left"
is "... and gives all of its space back" "$(ls -A "$disk")" ""
mount -o remount,size=64m "$disk"
same "with space"

ballast 100000
exits "nothing to write goes well without space" 0 once "$mnt" "$mirror"
before=$(content)
sql "UPDATE t SET v = 'now ' || v WHERE id <= 3000"
sql "INSERT INTO keyless SELECT repeat(md5(i::text), 20) FROM generate_series(1, 2000) i"
caught_up "$mnt"
exits "--once ends on a full disk" 1 once "$mnt" "$mirror"
like "... with the file's name" "$output" "cannot write $mirror: "
is "... and the mirror stands where it stood" "$(content)" "$before"
exits "so does --resync" 1 once --resync "$mnt" "$mirror"
like "... with the file's name" "$output" "cannot write $mirror: "
is "... and the old copy stays" "$(content)" "$before"
exits "so does --resync=TABLE" 1 once --resync=t "$mnt" "$mirror"
like "... with the name of the file, or that beside" "$output" "cannot write $mirror(\.resync)?: "
is "... and the old copy stays" "$(content)" "$before"
check_not "... and nothing beside it" compgen -G "$mirror.*"

deltamirror "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
pid=$!
check "following says it and waits" wait_for 60 "grep -q 'cannot write $mirror: .*; waiting for it' '$work/mirror.log'"
sleep 0.5
check "... without an end" alive "$pid"
is "... nor a second message" "$(grep -c waiting "$work/mirror.log")" 1
is "... readers see the old rows meanwhile" "$(content)" "$before"
end_process "$pid" TERM 60
status=0
wait "$pid" || status=$?
is "a signal ends the wait" "$status" 0
deltamirror "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
pid=$!
check "it waits again" wait_for 60 "grep -q 'waiting for it' '$work/mirror.log'"
ballast 30000000
check "with space it goes on by itself" wait_for 60 "grep -q '$mirror has space again' '$work/mirror.log'"
check "... to the end" wait_for 60 "[[ \$(sqlite3 '$mirror' 'SELECT count(*) FROM keyless') == 2000 ]]"
# What is in the WAL does not fit into the file any more.
sql "INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(10001, 12000) i"
check "... and further" wait_for 60 "[[ \$(sqlite3 '$mirror' 'SELECT count(*) FROM t WHERE id > 10000') == 2000 ]]"
ballast 4096
end_process "$pid" TERM 60
status=0
wait "$pid" || status=$?
is "it ends well where the WAL cannot be copied back" "$status" 0
check "... which stays" test -s "$mirror-wal"
exits "with it the next start has nothing to do" 0 once "$mnt" "$mirror"
equal_tables "... and equals the server"
ballast 30000000
same "with space after that"

# Keys that change in no order, so many that what waits takes the room of SQLite's cache: its pages are written before the end.
rm -f "$disk/ballast"
mount -o remount,size=160m "$disk"
sql "CREATE TABLE wide (id int PRIMARY KEY, v text)"
sql "INSERT INTO wide SELECT i, repeat(md5(i::text), 28) FROM generate_series(1, 40000) i ORDER BY md5(i::text)"
same "a wide table is there"
ballast 8000000
before=$(sqlite3 "$mirror" 'SELECT sum(length(v)), min(v) FROM wide')
sql "UPDATE wide SET v = 'now ' || v"
caught_up "$mnt"
exits "of many keys in no order: --once ends on a full disk" 1 once "$mnt" "$mirror"
like "... with the file's name and the reason" "$output" "cannot write $mirror: no space is left on its disk"
is "... and the mirror stands where it stood" "$(sqlite3 "$mirror" 'SELECT sum(length(v)), min(v) FROM wide')" "$before"
deltamirror "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
pid=$!
check "... following waits" wait_for 60 "grep -q 'cannot write $mirror: no space is left.*; waiting for it' '$work/mirror.log'"
rm -f "$disk/ballast"
check "... and goes on with space" wait_for 60 "[[ \$(sqlite3 '$mirror' \"SELECT count(*) FROM wide WHERE v LIKE 'now %'\") == 40000 ]]"
end_process "$pid" TERM 60
wait "$pid" || true
same "... to the end"
sql "DROP TABLE wide"

# ---- read-only

rm -f "$disk/ballast"
sql "UPDATE t SET v = 'more' WHERE id = 1"
caught_up "$mnt"
sqlite3 "$mirror" "SELECT count(*) FROM t" >/dev/null # the last to close it leaves nothing beside it
is "nobody has the mirror open" "$(compgen -G "$mirror-*")" ""
mount -o remount,ro "$disk"
exits "a read-only disk is an error" 1 once "$mnt" "$mirror"
like "... with the file's name" "$output" "cannot open $mirror: Read-only file system"
exits "... also to compare it" 1 deltamirror --verify "$conninfo" "$mirror"
like "... with the file's name" "$output" "cannot open $mirror: Read-only file system"
exits "... also for a new one" 1 once "$mnt" "$disk/new.sqlite"
like "... with that one's" "$output" "cannot open $disk/new.sqlite.building: Read-only file system"
mount -o remount,rw "$disk"
same "writable again"

# ---- the file

refused() { # SENTENCE REGEX...: the file is not taken, and stays
	local sentence=$1 sum
	shift
	sum=$(sha256sum <"$mirror")
	exits "$sentence is refused" 1 once "$mnt" "$mirror"
	like "... by name" "$output" "$mirror" "$@"
	is "... and stays" "$(sha256sum <"$mirror")" "$sum"
}
cp "$mirror" "$work/good"
sqlite3 "$mirror" "UPDATE _daystream SET format = 3; ALTER TABLE _daystream DROP COLUMN exact"
refused "what a newer program made" 'format 3.* newer deltamirror'
rm "$mirror"
sqlite3 "$mirror" "CREATE TABLE mine (a)"
refused "somebody's database" 'no mirror.* stays untouched'
head -c 5000 /dev/urandom >"$mirror"
refused "what is no database" 'no SQLite database'
cp "$work/good" "$mirror"
truncate -s $(($(stat -c %s "$mirror") / 2)) "$mirror"
sql "DELETE FROM t WHERE id % 2 = 0"
caught_up "$mnt"
exits "a file that was cut is an error" 1 once "$mnt" "$mirror"
like "... by name, with the remedy" "$output" "$mirror is damaged .*remove it"
rm "$mirror"
same "removed"

deltamirror "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
pid=$!
check "it follows" wait_for 60 "grep -q following '$work/mirror.log'"
mv "$mirror" "$disk/moved"
cp "$work/good" "$mirror"
sql "INSERT INTO keyless VALUES ('after')"
status=0
wait_for 60 "! alive $pid" || true
wait "$pid" || status=$?
is "a file that is replaced meanwhile ends it" "$status" 1
like "... by name" "$(cat "$work/mirror.log")" "$mirror is not the file any more"
rm -f "$disk"/moved* "$mirror"-*
same "what took its place goes on from where it stands"

# What was only in the WAL comes again.
deltamirror "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
pid=$!
check "it follows" wait_for 60 "grep -q following '$work/mirror.log'"
sql "INSERT INTO keyless VALUES ('in the WAL')"
check "... a row" wait_for 60 "[[ \$(sqlite3 '$mirror' \"SELECT count(*) FROM keyless WHERE v = 'in the WAL'\") == 1 ]]"
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
rm -f "$mirror-wal" "$mirror-shm"
is "a WAL that is lost takes commits with it" "$(sqlite3 "$mirror" "SELECT count(*) FROM keyless WHERE v = 'in the WAL'")" 0
same "they come again"

cp "$mnt/tables/t" "$work/table"
rm "$mirror"
touch "$mirror"
chmod 000 "$mirror"
chmod 711 "$disk"
chmod 644 "$work/table"
exits "a file that may not be read is an error" 1 setpriv --reuid=postgres --clear-groups timeout 20 "$build/deltamirror" --once "$work/table" "$mirror"
like "... by name" "$output" "cannot .*$mirror.*: Permission denied"
umount "$disk"
plan
