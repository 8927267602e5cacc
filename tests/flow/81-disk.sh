#!/bin/bash
# The store's disk: full at every step, writes and syncs that fail, read-only, bits that flip. Nothing is lost, nothing
# wrong is read, and what has to be done is said. (After a loss of power: 85-power.sh.)
# shellcheck disable=SC2016 # wait_for expands it
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs record.so
# shellcheck source=disk.sh
. "$(dirname "$0")/disk.sh"

store=$disk/store
mkdir "$disk"
truncate -s 48M "$work/image"
mkfs.ext4 -q -F -m 0 -b 4096 "$work/image"
mount -o loop,errors=remount-ro "$work/image" "$disk"

server_up
daystream init "$store" --conninfo "$conninfo" >"$work/init.log" 2>&1
printf '%s\n' 'segment_size = 200000' 'snapshot = off' 'reserve_size = 2e6' >>"$store/daystream.conf"
sql "CREATE TABLE zzz (a bigint PRIMARY KEY, b text)"
sql "CREATE SEQUENCE n"
rows() { # COUNT: of some 200 bytes each, ten to a transaction
	seq $(($1 / 10)) | sed "s/.*/INSERT INTO zzz SELECT nextval('n'), repeat(md5(random()::text), 4) FROM generate_series(1, 10);/" | psql -Xq
}
state() { status_of "$mnt" state; }
is_waiting() { [[ $(state) == waiting ]]; }
right() { # SENTENCE: the mount has all that was committed, in order
	caught_up "$mnt"
	check "$1: the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
	is "$1: every row is there once" "$(grep -c -P '\t_action\tinsert\t' "$mnt/tables/zzz")" "$(sql 'SELECT count(*) FROM zzz')"
}
ends() { # SENTENCE: the daemon, by itself, with status 1
	local status=0
	# How much it takes until then, how many commits it gathers says.
	check "$1" wait_for 60 "! alive $daemon_pid || { rows 20; false; }"
	! alive "$daemon_pid" || kill -KILL "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null || status=$?
	is "it says so by its exit status" "$status" 1
	daemon_pid=
}

# ---- full

daemon_start "$store" "$mnt"
rows 1000
right "a disk with room"
check "space is set aside" wait_for 60 '[[ $(status_of "$mnt" reserve) -ge 2000000 ]]'
for left in 0 150000; do # while appending, and somewhere near a new segment
	fill $left
	rows 1500
	check "with $left bytes left, ingest waits" wait_for 60 is_waiting
	like "it says what for, and where" "$(status_of "$mnt" last_error)" "segments/.*no space left"
	rm -f "$work/watched"
	timeout -s INT 120 daystream status --watch "$mnt" >"$work/watched" </dev/null &
	watch=$!
	wait_for 60 "grep -c ' waiting (' '$work/watched' >/dev/null" || true
	end_process "$watch"
	wait "$watch" || true
	like "who watches sees it, too" "$(cat "$work/watched")" " waiting \\(.*no space left.*\\), "
	check "what is there is read meanwhile" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
	empty
	check "with space again it goes on by itself" wait_for 60 '[[ $(state) == streaming ]]'
	right "full with $left bytes left"
done
like "the log says both" "$(cat "$work/daemon.log")" "waiting for space, nothing is lost" "going on"

# ---- a start at zero bytes

fill 0
rows 1500
check "full once more" wait_for 60 is_waiting
check "the reserve is not for the stream" test "$(status_of "$mnt" reserve)" -ge 2000000
daemon_kill
rm "$store/confirmed" # as if it had not been written yet
fill 0
printf '_c\t99' >>"$(find "$store/segments" -name '*.day' | sort -V | tail -n 1)" || true
before=$(cat "$store"/segments/*.day | wc -c)
daemon_start "$store" "$mnt"
check "it starts on a disk without a byte" mounted "$mnt"
check "what the reserve has given back is enough to write down what is durable" wait_for 60 "grep -ac CnDfrm0 '$store/confirmed'"
check "what is there is read" test "$(wc -c <"$mnt/live")" -ge $((before - 200000))
empty
right "after a start at zero bytes"
check "the reserve is made again" wait_for 60 '[[ $(status_of "$mnt" reserve) -ge 2000000 ]]'

# ---- retention on a full disk

daemon_kill
echo 'keep_bytes = 1000000' >>"$store/daystream.conf"
rows 1000
old=$(find "$store/segments" -name '*.day' -printf '%f\n' | sort -V)
bytes=$(cat "$store"/segments/*.day | wc -c)
note "$bytes bytes in $(wc -l <<<"$old") segments"
fill 0
daemon_start "$store" "$mnt"
caught_up "$mnt"
check "what has expired makes room, and the stream goes on" wait_for 60 '[[ $(state) == streaming ]]'
left=$(find "$store/segments" -name '*.day' -printf '%f\n' | sort -V)
kept=$(comm -12 <(sort <<<"$old") <(sort <<<"$left") | sort -V)
is "the oldest went, and no other" "$kept" "$(tail -n "$(wc -l <<<"$kept")" <<<"$old")"
check "no more than had expired went" test "$(cat "$store"/segments/*.day | wc -c)" -ge 800000
check "the store is sound" daystream check "$store"
empty
sed -i '/^keep_bytes = 1000000/d' "$store/daystream.conf"
daemon_stop
# From here on the table is compared with what is kept.
sql "TRUNCATE zzz"
since=$(sql "SELECT last_value FROM n")
all_kept() {
	caught_up "$mnt"
	check "$1: the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
	is "$1: every row is there once" "$(grep -P '\t_action\tinsert\t' "$mnt/tables/zzz" | awk -F '\t' -v since="$since" '
		{ for (i = 1; i < NF; i += 2) if ($i == "a" && $(i + 1) > since) n++ } END { print n + 0 }')" \
		"$(sql 'SELECT count(*) FROM zzz')"
}

# ---- writes and syncs that fail

faulty() { # RECORD_FAIL: a daemon whose calls fail so
	LD_PRELOAD="$build/tests/record.so" RECORD_ROOT="$disk" RECORD_TRACE="$work/trace" RECORD_FAIL="$1" \
		daystreamfs "$store" "$mnt" -f >>"$work/daemon.log" 2>&1 &
	daemon_pid=$!
	wait_for 30 "mounted '$mnt' || ! alive $daemon_pid" "the daemon to start"
}
for fault in write:8:EIO:1:.day fdatasync:8:EIO:1:.day fsync:1:EIO:1:segments fdatasync:2:EIO:1:confirmed; do
	faulty "$fault"
	rows 2000 # a new segment is among them
	ends "$fault ends the daemon"
	file=${fault##*:}
	like "it names the file and the reason" "$(tail -n 3 "$work/daemon.log")" "error: .*${file/.day/segments\/.*}.*input/output error"
	daemon_start "$store" "$mnt"
	all_kept "after $fault"
	daemon_stop
	check "after $fault the store is sound" daystream check "$store"
done

# ---- read-only

daemon_start "$store" "$mnt"
rows 100
caught_up "$mnt"
loop=$(basename "$(findmnt -n -o SOURCE "$disk")")
echo "a test" >"/sys/fs/ext4/$loop/trigger_fs_error"
rows 100
ends "a disk that becomes read-only ends it"
like "it names a file and the reason" "$(tail -n 3 "$work/daemon.log")" "error: .*(segments/|confirmed).*(read-only|input/output)"
exits "it does not start on a read-only disk" 1 timeout 30 daystreamfs "$store" "$mnt" -f
like "it says why, and what to do" "$output" "read-only" "remount" "daystreamfs --read-only"
exits "a store on a read-only disk is checked" 0 daystream check "$store"
exits "its status is told" 0 daystream status "$store"
check "its lines are read" test "$(cat "$store"/segments/*.day | wc -c)" -gt 100000
umount "$disk"
# Who has a copy of the mounts for a moment, has the disk as it was.
wait_for 30 "[[ -z \$(losetup -j '$work/image') ]]" "the disk to be let go"
e2fsck -p -f "$work/image" >"$work/fsck.log" 2>&1 || true
mount -o loop "$work/image" "$disk"
daemon_start "$store" "$mnt"
all_kept "mounted writable"

# ---- bits that flip

rows 1500
sql "SELECT pg_logical_emit_message(true, 'x', repeat('z', 300000))" >/dev/null
rows 10
caught_up "$mnt"
cp "$mnt/live" "$work/truth"
mapfile -t all < <(find "$store/segments" -name '*.day' | sort -V)
wrong() { # FILE OF THE MOUNT: what can be read of it is right, and something cannot; by small reads and by large
	python3 - "$mnt/$1" "$work/truth" <<-'PYTHON'
		import errno, os, sys
		truth = open(sys.argv[2], "rb").read()
		fd = os.open(sys.argv[1], os.O_RDONLY)
		failed = 0
		for step in 4096, 1 << 20:
		    for off in range(0, len(truth), step):
		        try:
		            got = os.pread(fd, step, off)
		        except OSError as error:
		            assert error.errno == errno.EIO, error
		            failed += 1
		        else:
		            assert got == truth[off:off + step], off
		sys.exit(failed == 0)
	PYTHON
}
check_not "all can be read" wrong live
for number in 0 $((${#all[@]} / 2)) $((${#all[@]} - 1)); do # sealed ones, and the one that grows
	segment=${all[number]}
	for offset in 5 $(($(stat -c %s "$segment") / 2)) $(($(stat -c %s "$segment") - 1)); do
		flip "$segment" "$offset"
		check "a bit at $offset of segment $number is never read wrong" wrong live
		flip "$segment" "$offset"
	done
	name=$(basename "$segment")
	check "mended, it is no longer told" wait_for 60 '[[ $(status_of "$mnt" damage) != *$name* ]]'
	named() { grep -c "segments/$name is damaged" "$work/daemon.log"; }
	before=$(named)
	flip "$segment" "$offset"
	wrong live || true
	sleep 2.5
	wrong live || true
	is "the log names it once" "$(named)" $((before + 1))
	like "/status too, with the remedy" "$(status_of "$mnt" damage)" "segments/$name is damaged: at [0-9]+" restore
	flip "$segment" "$offset"
done
flip "${all[1]}" 60000
exits "a table's file ends in an error, too" 1 cat "$mnt/tables/zzz"
like "which is EIO" "$output" "input/output error"
daemon_stop
rm "${all[1]%.day}.idx"
daemon_start "$store" "$mnt"
check "without an index nothing wrong is read either" wrong live
check_not "and none is made of wrong bytes" test -e "${all[1]%.day}.idx"
exits "check names the segment" 1 daystream check "$store"
like "with the place" "$output" "$(basename "${all[1]}") .*at [0-9]+"
flip "${all[1]}" 60000
daemon_stop
daemon_start "$store" "$mnt"
check_not "mended, all can be read" wrong live
check "and the index is made" test -s "${all[1]%.day}.idx"
daemon_stop

plan
