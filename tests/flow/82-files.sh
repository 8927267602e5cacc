#!/bin/bash
# Strange files in the store: missing, empty, cut, of a stranger, of a newer version, or no files at all. What is derived is
# made again in silence; all else is one error that names the file, the reason and the remedy. Nothing hangs, nothing is cut.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
daystream init "$store" --conninfo "$conninfo" >/dev/null 2>&1
sql "SELECT pg_copy_logical_replication_slot('daystream', 'early')" >/dev/null
printf '%s\n' 'segment_size = 25000' 'snapshot = off' >>"$store/daystream.conf"
daemon_start "$store" "$mnt"
sql "CREATE TABLE zzz (a bigint PRIMARY KEY, b text)"
for i in 1 2 3 4 5; do
	sql "INSERT INTO zzz SELECT $i * 1000 + g, md5(g::text) FROM generate_series(1, 300) g"
done
caught_up "$mnt"
check "a snapshot is taken" snapshot_taken
snapshot=snapshots/$(tail -n 1 "$work/snapshot.log")
sql "INSERT INTO zzz VALUES (1, 'last')"
caught_up "$mnt"
cp "$mnt/live" "$work/truth"
cp "$mnt/$snapshot/tables/zzz" "$work/copy"
daemon_stop
mapfile -t all < <(cd "$store" && find segments -name '*.day' | sort -V)
check "there are segments" test "${#all[@]}" -ge 4
sealed=${all[1]} newest=${all[-1]}
sums() { (cd "$store" && find . -type f ! -name reserve ! -name confirmed ! -name '*.idx' -exec sha256sum {} + | sort); }
cp -a "$store" "$work/sound"
whole=$(sums)
again() { # the store as it was, and a slot that was told of no LSN that is not in it
	rm -rf "$store"
	cp -a "$work/sound" "$store"
	wait_for 30 "sql \"SELECT pg_drop_replication_slot('daystream')\""
	sql "SELECT pg_copy_logical_replication_slot('early', 'daystream')" >/dev/null
}
again

refused() { # SENTENCE REGEX...: the daemon does not start, says why, and has changed nothing that counts
	local sentence=$1 before
	shift
	before=$(sums)
	exits "$sentence: the daemon does not start" 1 timeout -k 5 20 daystreamfs "$store" "$mnt" -f
	like "... one error says it" "$(grep -c ' error: ' <<<"$output") error: $output" "^1 error" "$@"
	is "... and nothing was cut" "$(sums)" "$before"
	again
}
serves() { # SENTENCE: it starts, and all that was there is there
	local sentence=$1
	check "$sentence: the daemon starts" daemon_start "$store" "$mnt"
	check "... and serves what was there" timeout -k 5 20 cmp -n "$(stat -c %s "$work/truth")" "$work/truth" "$mnt/live"
	((tap_failed == 0)) || { daemon_kill; plan; } # who waits in the mount, waits as long as the daemon is there
	check "... its tables, too" test "$(timeout -k 5 20 grep -c insert "$mnt/tables/zzz")" -ge 1501
	daemon_stop
	again
}
strange() { # FILE KIND: puts that in its place
	local file=$store/$1
	rm -rf "$file"
	case $2 in
	missing) ;;
	empty) : >"$file" ;;
	rubbish) head -c 3000 /dev/urandom >"$file" ;;
	folder) mkdir "$file" && : >"$file/x" ;;
	pipe) mkfifo "$file" ;;
	link) ln -s "$work/sound/$1" "$file" ;;
	nowhere) ln -s /nowhere "$file" ;;
	newer) sed 's/CnDfrm0[0-9]/CnDfrm99/g' "$work/sound/$1" >"$file" ;;
	esac
}

# ---- derived: nobody need notice

for kind in empty rubbish folder pipe link nowhere; do
	strange "${sealed%.day}.idx" $kind
	[[ $kind != empty ]] || touch "$store/reserve" "$store/segments/rubbish" "$store/segments/1.0.idx.new" \
		"$store/segments/.hidden" "$store/segments/99999999999999999999999.0.day" "$store/snapshots/nonsense"
	serves "an index that is $kind"
done
printf 'D\nSIDx99' | dd of="$store/${sealed%.day}.idx" conv=notrunc status=none
for kind in missing empty rubbish newer; do
	strange confirmed $kind
	strange reserve pipe
	[[ $kind != missing ]] || serves "an index of a newer version, confirmed missing, a pipe for the reserve"
	[[ $kind == missing ]] || serves "confirmed $kind"
done

# ---- not derived: one error

for kind in folder pipe nowhere; do
	strange "$sealed" $kind
	refused "a segment that is a $kind" "$sealed is (a folder|a pipe|a symbolic link)" "put the file itself"
	strange "$newest" $kind
	refused "a newest segment that is a $kind" "$newest is (a folder|a pipe|a symbolic link)" "put the file itself"
	strange confirmed $kind
	refused "confirmed that is a $kind" "confirmed is (a folder|a pipe|a symbolic link)" "put the file itself"
	strange daystream.conf $kind
	refused "a daystream.conf that is a $kind" "daystream.conf"
done
strange "$sealed" empty
refused "an empty segment" "$sealed" "restore"
strange "$newest" empty
refused "an empty newest segment" "$newest|${all[-2]}" "restore"
strange "$sealed" missing
refused "a missing segment" "behind ${all[0]}" "missing: restore"
strange "$newest" missing
refused "a missing newest segment" "${all[-2]}" "restore"
mv "$store/$sealed" "$store/${sealed%.*.day}.9$(basename "$sealed" | cut -d . -f 2).day"
refused "a renamed segment" "segments/" "restore"
truncate -s -100 "$store/$sealed"
refused "a cut segment" "$sealed" "restore"
truncate -s -100 "$store/$newest"
refused "a cut newest segment" "$newest" "restore"
cp "$store/${all[2]}" "$store/$newest"
refused "another segment in the place of the newest" "$newest" "restore"
printf 'colour = "blue"\n' >>"$store/daystream.conf"
refused "an unknown setting" "daystream.conf:[0-9]+:.*colour"
rm -r "$store/segments"
: >"$store/segments"
refused "a file in the place of the folder" "segments"

# ---- check says the same

for kind in folder pipe; do
	strange "$sealed" $kind
	exits "check refuses a segment that is a $kind" 1 timeout -k 5 20 daystream check "$store"
	like "... by its name" "$output" "$sealed is a"
	again
done

# ---- a snapshot's files, while it is served

daemon_start "$store" "$mnt"
check "a snapshot is read" cmp "$work/copy" "$mnt/$snapshot/tables/zzz"
for file in tables/zzz overlap sums manifest; do
	for kind in missing empty rubbish folder pipe; do
		strange "$snapshot/$file" $kind
		part=$file
		[[ $file != sums ]] || part=tables/zzz
		check_not "a snapshot's $file that is $kind cannot be read" timeout 10 cat "$mnt/$snapshot/$part"
		rm -rf "${store:?}/$snapshot"
		cp -a "$work/sound/$snapshot" "$store/snapshots/"
	done
done
flip "$store/$snapshot/tables/zzz" 20000
daemon_stop
mv "$work/daemon.log" "$work/daemon.log.before"
daemon_start "$store" "$mnt" # what the kernel remembers is right
exits "a flipped bit of a snapshot is not read" 1 cat "$mnt/$snapshot/tables/zzz"
like "... but an error" "$output" "input/output error"
cat "$mnt/$snapshot/tables/zzz" >/dev/null 2>&1 || true
is "... which the log names once" "$(grep -c "$snapshot/tables/zzz is damaged" "$work/daemon.log")" 1
check "the daemon is well" wait_for 60 "[[ \$(status_of '$mnt' state) == streaming ]]"
daemon_stop
is "the segments are what they were" "$(sums | grep -v snapshots)" "$(grep -v snapshots <<<"$whole")"

# ---- of another store

setting() { echo "$1" >>"$work/other/daystream.conf"; }
daystream init "$work/other" --slot other --conninfo "$conninfo" >/dev/null 2>&1
setting 'segment_size = 25000'
setting 'snapshot = off'
daemon_start "$work/other" "$mnt"
sleep 1.1 # so that a segment begins a second
for i in 7 8; do
	sql "INSERT INTO zzz SELECT $i * 1000 + g, md5(g::text) FROM generate_series(1, 300) g"
done
caught_up "$mnt"
daemon_stop
stranger=$(cd "$work/other" && find segments -name '*.day' | sort -V | tail -n 1)
# In the first second that no line of ours is of: nothing but its origin tells.
to="segments/$(($(date +%s) + 10)).0.day"
python3 - "$work/other/$stranger" "$store/$to" <<'PYTHON'
import re, sys
lines = open(sys.argv[1], "rb").read().split(b"\n")[:-1]
second = re.search(r"(\d+)\.0\.day$", sys.argv[2]).group(1).encode()
for n, line in enumerate(lines):
    lines[n] = re.sub(rb"^_c\t\d+\t_s\t\d+", b"_c\t%s\t_s\t%d" % (second, n), line)
crc = 0
table = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    table.append(n)
def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF
start = 0
for n, line in enumerate(lines):
    if b"\t_action\tcommit\t" in line:
        body = line[:line.rindex(b"\tcrc\t")]
        sum = crc32c(b"".join(line + b"\n" for line in lines[start:n]) + body + b"\t")
        lines[n] = body + b"\tcrc\t%08x" % sum
        start = n + 1
open(sys.argv[2], "wb").write(b"".join(line + b"\n" for line in lines))
PYTHON
exits "check finds a segment of another store" 1 daystream check "$store"
like "... by its name and what it is of" "$output" "$to is of slot \"other\".*move it out"
refused "a segment of another store" "$to is of slot \"other\".*slot \"daystream\".*move it out"
plan
