#!/bin/bash
# A store that was damaged: what can be mended is, what cannot is named.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
daystream init "$store" --conninfo "$conninfo" >/dev/null 2>&1
printf '%s\n' 'segment_size = 65536' 'snapshot = off' >>"$store/daystream.conf" # a marker would move the end
daemon_start "$store" "$mnt"
sql "CREATE TABLE zzz (a bigint PRIMARY KEY, b text)"
for i in 1 2 3 4 5 6; do
	sql "INSERT INTO zzz SELECT g, md5(g::text) FROM generate_series($i * 1000, $i * 1000 + 600) g"
done
caught_up "$mnt"
daemon_stop

segments() { find "$store/segments" -name '*.day' -printf '%f\n' | sort -t . -k 1,1n -k 2,2n; }
mapfile -t all < <(segments)
note "${#all[@]} segments"
check "small segments were made" test "${#all[@]}" -ge 4
sealed=$store/segments/${all[1]}
for segment in "${all[@]}"; do
	pseudo=$(head -n 1 "$store/segments/$segment" | cut -f 1-6)
	is "segment $segment opens with its origin, at the position of its name" "$pseudo" \
		"_c	${segment%%.*}	_s	$(cut -d . -f 2 <<<"$segment")	_action	origin"
done
is "each sealed segment has its index" "$(for s in "${all[@]:0:${#all[@]}-1}"; do
	[[ -s $store/segments/${s%.day}.idx ]] || echo "$s"
done)" ""
check "a sound store is sound" daystream check "$store"
check "each segment read alone makes sense" "$root/tests/flow/stream.py" rules "$sealed"

for offset in 10 20000 60000; do
	flip "$sealed" $offset
	exits "a flipped bit at $offset of a sealed segment is found" 1 daystream check "$store"
	like "with the file" "$output" "${all[1]}"
	like "and an offset" "$output" '(at|offset|byte) *[0-9]+'
	like "and its 64 KiB" "$output" 'its index: at 0: the next [0-9]+ bytes are not those that were written'
	flip "$sealed" $offset
done
check "mended, it is sound again" daystream check "$store"

# A segment that somebody took away. A second's lines are numbered without gaps.
mapfile -t within < <(segments | awk -F . '$2 > 0')
note "${#within[@]} segments start within a second"
if ((${#within[@]} > 1)); then
	mv "$store/segments/${within[0]}" "$work/taken"
	exits "a segment that is missing is found" 1 daystream check "$store"
	like "with the place" "$output" 'missing'
	exits "the daemon does not serve a stream with a hole" 1 timeout 20 daystreamfs "$store" "$mnt" -f
	like "and says where" "$output" 'behind segments/' 'missing'
	mv "$work/taken" "$store/segments/${within[0]}"
	check "put back, the store is sound again" daystream check "$store"
fi

# Where a segment begins a second, only its index tells of it.
begins=$(segments | awk -F . 'NR > 1 && $2 == 0 { print; exit }')
if [[ -n $begins && $begins != "${all[-1]}" ]]; then
	mv "$store/segments/$begins" "$work/taken"
	exits "one that began a second is missed, too" 1 daystream check "$store"
	like "by its name" "$output" "$begins is missing"
	exits "and the daemon does not pass over it" 1 timeout 20 daystreamfs "$store" "$mnt" -f
	like "but names it" "$output" "$begins is missing"
	mv "$work/taken" "$store/segments/$begins"
	check "put back, it is sound" daystream check "$store"
fi

# The index is only derived.
idx=${sealed%.day}.idx
cp "$idx" "$work/idx"
serves() {
	daemon_start "$store" "$mnt"
	caught_up "$mnt"
	check "$1: the tree is right" "$root/tests/flow/stream.py" tree "$mnt"
	daemon_stop
}
rm "$idx"
serves "an index that is missing"
check "it is made anew" test -s "$idx"
flip "$idx" $(($(stat -c %s "$idx") / 2))
serves "an index that is wrong"
truncate -s 3 "$idx"
serves "an index that is cut"
cp "$store/segments/${all[0]%.day}.idx" "$idx"
serves "an index of another segment"

# A torn end, as a power loss leaves it.
torn() { # SENTENCE: after the end was spoilt, what was whole is there again, and the stream goes on
	daemon_start "$store" "$mnt"
	sql "INSERT INTO zzz VALUES ($RANDOM$RANDOM, 'after')"
	caught_up "$mnt"
	check "$1: what was whole stands" cmp "$work/whole" <(head -c "$(stat -c %s "$work/whole")" "$mnt/live")
	check "$1: the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
	daemon_stop
	check "$1: the store is sound" daystream check "$store"
	spoil_next
}
spoil_next() {
	mapfile -t all < <(segments)
	newest=$store/segments/${all[-1]}
	cat "${all[@]/#/$store/segments/}" >"$work/whole"
}
spoil_next
printf '_c\t99' >>"$newest"
torn "half a line too many"
printf '_c\t%s\t_s\t77\t_table\tzzz\t_xid\t5\t_action\tinsert\ta\t5\tb\tx\n' "$(date +%s)" >>"$newest"
torn "a line without its commit"
head -c 5000 /dev/zero >>"$newest"
torn "zeros, as from a file system's journal"
head -c 5000 /dev/urandom >>"$newest"
torn "rubbish"

# What was whole once and is no more is damage, in the newest segment too.
flip "$newest" $(($(stat -c %s "$newest") / 2))
exits "a daemon does not start on damage in the newest segment" 1 timeout 30 daystreamfs "$store" "$mnt" -f
like "it names the file and the place" "$output" "${all[-1]}" '(at|offset|byte) *[0-9]+'
flip "$newest" $(($(stat -c %s "$newest") / 2))
serves "mended by hand"

# Damage in the middle is no torn end, and nothing that we may cut.
exits "damage before the newest segment is no torn end" 1 bash -c "
	python3 -c 'import sys; f = open(sys.argv[1], \"r+b\"); f.seek(30000); f.write(b\"#\")' '$sealed'
	daystream check '$store'"
like "check names it" "$output" "$(basename "$sealed")"

# A running daemon makes new segments while check lists them.
rm -rf "$store"
daystream init "$store" --slot second --conninfo "$conninfo" >/dev/null 2>&1
echo 'segment_size = 4096' >>"$store/daystream.conf"
daemon_start "$store" "$mnt"
echo "INSERT INTO zzz VALUES (nextval('n'), repeat('x', 300));" >"$work/insert"
sql "CREATE SEQUENCE n START 100000"
pgbench -n -c 3 -T 8 -f "$work/insert" >/dev/null 2>&1 &
load=$!
: >"$work/wrong"
while alive $load; do
	daystream check "$store" >>"$work/checks" 2>&1 || tail -n 3 "$work/checks" >>"$work/wrong"
done
note "$(wc -l <"$work/checks") checks"
is "check finds a growing store sound" "$(cat "$work/wrong")" ""
check "a snapshot is taken" snapshot_taken
snapshot=$store/snapshots/$(tail -n 1 "$work/snapshot.log")
daemon_stop
like "check reads it, too" "$(daystream check "$store")" ' [1-9][0-9]* snapshots, .* 0 problems'
for file in tables/zzz overlap manifest; do
	flip "$snapshot/$file" $(($(stat -c %s "$snapshot/$file") / 2))
	exits "a flipped bit in its $file is found" 1 daystream check "$store"
	like "and named" "$output" "$(basename "$snapshot").*$file|$file.*$(basename "$snapshot")"
	flip "$snapshot/$file" $(($(stat -c %s "$snapshot/$file") / 2))
done
rm "$snapshot/tables/zzz"
exits "a file that is missing is" 1 daystream check "$store"
like "named as well" "$output" "$(basename "$snapshot")/tables/zzz"
plan
