#!/bin/bash
# /snapshots: whole snapshots of the store as folders that never change, and a
# link to the latest. They are made by hand here.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
echo 'snapshot = off' >>"$store/daystream.conf" # no other than those made here
daemon_start "$store" "$mnt"
snapshot() { "$root/tests/flow/snapshot.py" "$store" "$@"; }

is "without a snapshot the folder is empty" "$(ls -A "$mnt/snapshots")" ""
check_not "and there is no latest" readlink "$mnt/snapshots/latest"

now=$(status_of "$mnt" position)
second=${now%.*}
a=$second.1000 b=$((second + 1)).7 narrow=$((second + 2)).3 other=$((second + 3)).0
snapshot "$a" 1
is "a snapshot is there when its folder is" "$(ls "$mnt/snapshots")" "$a
latest"
is "the link leads to it" "$(readlink "$mnt/snapshots/latest")" "$a"
snapshot "$b" 1
snapshot "$narrow" 1 zzz
snapshot "$other" 2
cp -r "$store/snapshots/$a" "$store/snapshots/$((second + 4)).0.new"
mkdir -p "$store/snapshots/$((second + 5)).0/tables"
is "what is not whole is not there" "$(ls "$mnt/snapshots")" "$(printf '%s\n' "$a" "$b" "$narrow" "$other" latest | LC_ALL=C sort)"
check_not "not even by its name" stat "$mnt/snapshots/$((second + 5)).0"
check_not "nor by that which it had before" stat "$mnt/snapshots/$((second + 4)).0.new"
is "the latest is of all tables and this generation" "$(readlink "$mnt/snapshots/latest")" "$b"

cp -r "$mnt/snapshots/$b" "$work/copy"
check "a copy of it is the same, file by file" diff -r "$work/copy" "$store/snapshots/$b"
check "also through the link" diff -r "$mnt/snapshots/latest/" "$store/snapshots/$b"
is "find sees what there is" "$(find "$mnt/snapshots/$b" -printf '%y %P %s\n' | grep -v '^d' | LC_ALL=C sort)" \
	"$(find "$store/snapshots/$b" -printf '%y %P %s\n' | grep -v '^d' | LC_ALL=C sort)"
is "grep -r finds what is in them, and does not go through the link" \
	"$(grep -r fox61 "$mnt/snapshots" | wc -l)" 7
is "its time is its second" "$(find "$mnt/snapshots/$b" -printf '%T@\n' | sort -u)" "$((second + 1)).0000000000"
is "modes are right, the link's too" \
	"$(stat -c %A "$mnt/snapshots/$b" "$mnt/snapshots/$b/tables/zzz" "$mnt/snapshots/latest" | paste -sd ' ')" \
	"dr-xr-xr-x -r--r--r-- lrwxrwxrwx"
like "ls -l shows where the link leads" "$(ls -l "$mnt/snapshots")" "latest -> $b\$"
check_not "a table that is not in it" cat "$mnt/snapshots/$narrow/tables/sales.zzz"
check_not "nothing can be written there" touch "$mnt/snapshots/$b/tables/new"
exec 7<"$mnt/snapshots/$b/tables/zzz"
rm -r "$store/snapshots/$b"
is "who has a file open reads it when its snapshot is removed" "$(sha256sum <&7)" "$(sha256sum <"$work/copy/tables/zzz")"
exec 7<&-
is "the link follows at once" "$(readlink "$mnt/snapshots/latest")" "$a"
is "so does the listing" "$(find "$mnt/snapshots" -maxdepth 1 -name "$b")" ""
plan
