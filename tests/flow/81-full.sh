#!/bin/bash
# A full disk under what is not the stream: init, a snapshot in the midst of its writing, a server that is told to stop
# meanwhile. One error with the file and the remedy, and nothing is left behind. (Under the stream: 81-disk.sh.)
# shellcheck disable=SC2016 # wait_for expands it
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs record.so
# shellcheck source=disk.sh
. "$(dirname "$0")/disk.sh"

mkdir "$disk"
truncate -s 24M "$work/image"
mkfs.ext4 -q -F -m 0 -b 4096 -N 2000 "$work/image"
mount -o loop "$work/image" "$disk"
server_up
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "INSERT INTO zzz SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 2000) g"

# ---- init

mkdir "$disk/store"
for blocks in 0 1 2 3; do
	fill $((blocks * 4096))
	exits "init on a disk with $blocks blocks left" 1 daystream init "$disk/store" --conninfo "$conninfo"
	like "... names what could not be written, and the remedy" "$output" "error: .*$disk/store" "(creating|writing|appending|opening) .*no space left.*make room"
	is "... leaves nothing in the folder" "$(find "$disk/store" -mindepth 1)" ""
	is "... nor a slot" "$(sql 'SELECT count(*) FROM pg_replication_slots')" 0
	empty
done
exits "with room it is made" 0 daystream init "$disk/store" --conninfo "$conninfo"

# ---- a new generation

daystream drop --yes "$disk/store" >"$work/drop.log" 2>&1
before=$(cd "$disk/store" && find . -type f -exec sha256sum {} + | sort)
fill 0
exits "a new generation on a full disk" 1 daystream init "$disk/store"
like "... names what could not be written, and the remedy" "$output" "error: $disk/store: .*segments/.*no space left.*make room"
is "... leaves the store as it was" "$(cd "$disk/store" && find . -type f ! -name confirmed -exec sha256sum {} + | sort)" "$(grep -v confirmed <<<"$before")"
empty
exits "with room it begins" 0 daystream init "$disk/store"

# ---- a server that stops while there is no room

store=$disk/store
echo 'reserve_size = 0' >>"$store/daystream.conf"
daemon_start "$store" "$mnt"
caught_up "$mnt"
fill 0
sql "INSERT INTO zzz SELECT g, repeat(md5(g::text), 4) FROM generate_series(10001, 20000) g"
check "ingest waits for room" wait_for 60 '[[ $(status_of "$mnt" state) == waiting ]]'
pid=$(server_pid)
as_server kill -INT "$pid"
check "a server that is told to stop does not wait for us" wait_for 40 '! alive "$pid"'
empty
server_start
check "it goes on with both" caught_up "$mnt"
is "nothing is lost" "$(grep -c '	_table	zzz	.*	_action	insert	' "$mnt/live")" 10000
daemon_stop
check "the store is sound" daystream check "$store"
daystream drop --yes "$store" >>"$work/drop.log" 2>&1
umount "$disk"

# ---- a snapshot

store=$work/store
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
daemon_start "$store" "$mnt"
snapshot_there
latest=$(readlink "$mnt/snapshots/latest")
for file in tables/zzz overlap sums manifest; do
	for n in 1 2; do
		[[ $n -eq 1 || $file == tables/zzz ]] || continue
		exits "a snapshot whose $file finds the disk full (write $n)" 1 env LD_PRELOAD="$build/tests/record.so" RECORD_ROOT="$store" \
			RECORD_TRACE="$work/trace" RECORD_FAIL="write:$n:ENOSPC:*:$file" \
			timeout 60 daystream snapshot "$store"
		like "... names it, and the remedy" "$output" "error: .*(\"zzz\"|$(basename "$file")).*no space left.*make room"
		is "... leaves nothing" "$(ls "$store/snapshots")" "$latest"
	done
done
check "the one before can be read" cat "$mnt/snapshots/$latest/tables/zzz"
check "with room there is another one" snapshot_taken
daemon_stop
check "the store is sound" daystream check "$store"
plan
