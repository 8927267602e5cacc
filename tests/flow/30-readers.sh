#!/bin/bash
# Files that grow fast, read in every way that shells know, by several readers
# at once: each byte is the one that the store's segments hold at that place,
# and no size ever goes back.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
stream_up
snapshot_there
sql "CREATE TABLE fast (id bigserial PRIMARY KEY, t text)"
sql "CREATE TABLE other (id bigserial PRIMARY KEY, t text)"
sql "INSERT INTO fast (t) VALUES ('first')"
sql "INSERT INTO other (t) VALUES ('first')"
caught_up "$mnt"
cat >"$work/load.sql" <<'SQL'
INSERT INTO fast (t) SELECT repeat(md5(random()::text), 1 + (random() * 8)::int) FROM generate_series(1, 5);
INSERT INTO other (t) VALUES (md5(random()::text));
SQL

tail -n +1 -f "$mnt/live" >"$work/tail-f" 2>"$work/tail-f.err" &
tail -n +1 -F "$mnt/live" >"$work/tail-F" 2>"$work/tail-F.err" &
tail_F=$!
tail -s 0.01 -c +1 -f "$mnt/live" >"$work/tail-s" 2>"$work/tail-s.err" &

pgbench -n -c 4 -T 12 -f "$work/load.sql" >"$work/pgbench.log" 2>&1 &
load=$!
tail -n +1 -f "$mnt/tables/other" >"$work/tail-table" 2>/dev/null &

mkdir "$work/kept"
python3 -B - "$mnt" "$store/segments" "$work/kept" "$root/tests/flow" >"$work/readers.log" 2>&1 <<'PYTHON' &
"""Three random readers, one reader of sizes and a follower, for 12 seconds."""
import os, random, sys, threading, time

mount, segments, folder, tests = sys.argv[1:]
sys.path.append(tests)
from followers import Truth

truth = Truth(segments, folder).read
end = time.time() + 12
wrong, counts = [], {}


def randomly(seed):
    rand = random.Random(seed)
    file = os.open(mount + "/live", os.O_RDONLY)
    while time.time() < end and not wrong:
        size = os.fstat(file).st_size
        offset = rand.choice((rand.randrange(size + 1), max(0, size - rand.randrange(1, 20000)), size - size % 4096))
        length = rand.choice((1, 100, 4096, 4097, 65536, 1 << 20))
        got = os.pread(file, length, offset)
        if len(got) < min(length, size - offset):
            wrong.append(f"read {len(got)} of {min(length, size - offset)} bytes at {offset}, size {size}")
        if got != truth(offset, len(got)):
            wrong.append(f"{len(got)} bytes at {offset} differ, size {size}, zeros {got.count(0)}")
        counts[seed] = counts.get(seed, 0) + 1


def sizes():
    file, last = os.open(mount + "/live", os.O_RDONLY), 0
    while time.time() < end and not wrong:
        for size in (os.fstat(file).st_size, os.stat(mount + "/live").st_size):
            if size < last:
                wrong.append(f"size went back from {last} to {size}")
            last = size
        counts["sizes"] = counts.get("sizes", 0) + 2


def follow():
    file, offset, tail = open(mount + "/live", "rb", buffering=0), 0, b""
    while time.time() < end and not wrong:
        got = file.read(50000)
        if not got:
            time.sleep(0.001)
        elif got != truth(offset, len(got)):
            wrong.append(f"follower: {len(got)} bytes at {offset} differ")
        offset += len(got)
        tail = (tail + got)[-4096:] # the last line may have come in two reads
        # It ends on a commit, also in the middle of the rush.
        if got and len(got) < 50000:
            counts["ends"] = counts.get("ends", 0) + 1
            line = tail[tail.rfind(b"\n", 0, -1) + 1:]
            if not line.endswith(b"\n") or b"\t_action\tcommit\t" not in line:
                wrong.append(f"ends on {line[-200:]}")


threads = [threading.Thread(target=randomly, args=(seed,)) for seed in (1, 2, 3)]
threads += [threading.Thread(target=sizes), threading.Thread(target=follow)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counts)
print("\n".join(wrong[:5]))
sys.exit(bool(wrong))
PYTHON
readers=$!

# Meanwhile the shell's own tools, each on a file that grows under it.
steady=0 whole=0 rounds=0
while alive $load; do
	rounds=$((rounds + 1))
	size=$(stat -c %s "$mnt/live")
	[[ $(wc -c <"$mnt/live") -ge $size ]] || steady=1
	[[ $(head -c "$size" "$mnt/live" | tail -c 1 | od -An -c | tr -d ' ') == '\n' ]] || whole=1
	skip=$((RANDOM * size / 32768))
	# It may have grown since; what dd got has to be right.
	dd if="$mnt/live" bs=777 skip=$skip iflag=skip_bytes count=20 of="$work/dd" status=none
	cmp -s "$work/dd" <(truth | tail -c +$((skip + 1)) | head -c "$(stat -c %s "$work/dd")") || {
		note "dd at $skip of $size"
		steady=1
	}
	n=$(grep -c . "$mnt/tables/fast" || true)
	[[ $(wc -l <"$mnt/tables/fast") -ge $n ]] || steady=1
done
note "$rounds rounds of wc, head, dd and grep; $(grep processed "$work/pgbench.log")"
is "wc, dd and grep see what is there" "$steady" 0
is "a size always ends on a line" "$whole" 0
check "random readers, sizes and a follower see right bytes" wait $readers
note "$(head -n 1 "$work/readers.log")"
[[ ! -s $work/readers.log ]] || sed -n '2,$p' "$work/readers.log"

caught_up "$mnt"
truth >"$work/truth"
check "cat shows the segments" cmp "$work/truth" "$mnt/live"
check "cp copies them" bash -c "cp '$mnt/live' '$work/copy' && cmp '$work/copy' '$work/truth'"
grep -P '^_c\t\d+\t_s\t\d+\t_table\tother\t' "$work/truth" >"$work/other"
check "a table's file holds its lines" cmp "$work/other" "$mnt/tables/other"
wait_for 60 "cmp -s '$work/tail-f' '$work/truth'" || true
check "tail -f printed it all, once" cmp "$work/tail-f" "$work/truth"
wait_for 60 "cmp -s '$work/tail-F' '$work/truth'" || true
check "tail -F printed it all, once" cmp "$work/tail-F" "$work/truth"
wait_for 60 "cmp -s '$work/tail-s' '$work/truth'" || true
check "a fast tail printed it all, once" cmp "$work/tail-s" "$work/truth"
wait_for 60 "cmp -s '$work/tail-table' '$work/other'" || true
check "tail -f of one table printed it all, once" cmp "$work/tail-table" "$work/other"
is "no tail complained" "$(cat "$work"/tail-*.err)" ""
kill "$tail_F"
is "wc counts the lines" "$(wc -l <"$mnt/live")" "$(wc -l <"$work/truth")"
is "grep finds what is there" "$(grep -c '_table	fast' "$mnt/live")" "$(grep -c '_table	fast' "$work/truth")"
is "tac reads it backwards" "$(tac "$mnt/live" | sha256sum)" "$(tac "$work/truth" | sha256sum)"
is "less reads it" "$(less "$mnt/live" | sha256sum)" "$(sha256sum <"$work/truth")"
is "sort, cut and uniq work on it" "$(cut -f 5,6 "$mnt/live" | sort | uniq -c)" "$(cut -f 5,6 "$work/truth" | sort | uniq -c)"
check_not "there is no zero byte" grep -qP '\x00' "$mnt/live"
plan
