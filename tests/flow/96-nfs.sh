#!/bin/bash
# Over NFS: nfs-ganesha with contrib's settings, libnfs's clients, and handles that live through a restart of the daemon.

# shellcheck source=nfs.sh
. "$(dirname "$0")/nfs.sh"
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -o "$work/nfs_follow" "$root/tests/flow/nfs_follow.c" -lnfs
stream_up
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "INSERT INTO zzz SELECT g, md5(g::text) FROM generate_series(1, 20000) g"
caught_up "$mnt"

# ---- the server
nfs_cat() { timeout 30 nfs-cat "$@"; } # libnfs waits for ever for a server that is away

snapshot_there
caught_up "$mnt"
ganesha_prepare
ganesha_start
is "nfs-ls lists the tree" "$(awk '{ print $NF }' "$work/ls" | sort)" "$(ls "$mnt")"
check "nfs-cat gives /live as it is" cmp "$mnt/live" <(nfs_cat "$v3/live")
check "over version 4, too" cmp "$mnt/live" <(nfs_cat "$v4/live?version=4")
since=$(head -n 1 "$mnt/live" | awk -F '\t' '{ print "since/" $2 "/" $4 "/tables/zzz" }')
check "a table's file from a position on" cmp "$mnt/$since" <(nfs_cat "$v3/$since")
latest=$(readlink "$mnt/snapshots/latest")
check "a snapshot's file" cmp "$mnt/snapshots/$latest/tables/zzz" <(nfs_cat "$v3/snapshots/$latest/tables/zzz")
like "nothing can be written" "$(timeout 30 nfs-cp "$work/ls" "$v3/new" 2>&1 || true)" "rofs|read-only|access|perm"

# ---- followers, each with one handle
declare -A follower
follow() { # NAME URL
	"$work/nfs_follow" "$2" >"$work/$1" 2>"$work/$1.log" &
	follower[$1]=$!
}
has() { cmp -s "$work/$1" "$mnt/$2"; }
followed() { # SENTENCE
	caught_up "$mnt"
	check "$1: /live" wait_for 60 "has live3 live"
	check "$1: /tables/zzz" wait_for 60 "has table3 tables/zzz"
	check "$1: /$since" wait_for 60 "has since3 $since"
	check "$1: /since/0/0/tables/zzz" wait_for 60 "has zero3 since/0/0/tables/zzz"
	check "$1: a snapshot's table" wait_for 60 "has copy3 'snapshots/$latest/tables/zzz'"
}
follow live3 "$v3/live"
follow copy3 "$v3/snapshots/$latest/tables/zzz"
follow table3 "$v3/tables/zzz"
follow since3 "$v3/$since"
follow zero3 "$v3/since/0/0/tables/zzz"
follow live4 "$v4/live?version=4"
for i in 1 2 3; do
	sql "UPDATE zzz SET b = 'round $i' WHERE a % 10 = $i"
	followed "round $i comes byte for byte"
done
check "over version 4, too" wait_for 60 "has live4 live"
end_process "${follower[live4]}" # libnfs does not open again what a server of version 4 forgot

# ---- the daemon restarts, and ganesha with it, as daystream-nfs@.service has it: it goes first, and comes last
was=$(stat -c %d "$mnt")
ganesha_stop
daemon_stop
sql "UPDATE zzz SET b = 'stopped' WHERE a % 10 = 4"
for i in {1..100}; do # one of them takes the device number that is free now
	mkdir "$work/other$i"
	mount -t tmpfs none "$work/other$i"
	[[ $(stat -c %d "$work/other$i") != "$was" ]] || break
done
daemon_start "$store" "$mnt"
for i in {101..110}; do # somebody else may have had it, and have given it back
	[[ $(stat -c %d "$mnt") == "$was" ]] || break
	daemon_stop
	mkdir "$work/other$i"
	mount -t tmpfs none "$work/other$i"
	daemon_start "$store" "$mnt"
done
ganesha_start
check "the mount has another device number" test "$was" != "$(stat -c %d "$mnt")"
sql "UPDATE zzz SET b = 'on' WHERE a % 10 = 5"
followed "the handles go on after the daemon was restarted"
is "without a complaint" "$(cat "$work/live3.log" "$work/table3.log" "$work/since3.log" "$work/zero3.log" "$work/copy3.log")" ""

# ---- a daemon that is killed: ganesha shows errors until it has ended, too
daemon_kill
sql "UPDATE zzz SET b = 'killed' WHERE a % 10 = 6"
sleep 0.5
ganesha_stop
daemon_start "$store" "$mnt"
ganesha_start
sql "UPDATE zzz SET b = 'on again' WHERE a % 10 = 7"
followed "the handles go on after the daemon was killed"
quiet=$(wc -l <"$work/copy3.log")
sleep 1
is "and without errors from then on" "$(wc -l <"$work/copy3.log")" "$quiet"
check "with the processes and handles of before" alive "${follower[live3]}"
check "that of /tables/zzz" alive "${follower[table3]}"
check "that of /$since" alive "${follower[since3]}"
plan
