#!/bin/bash
# What people type, and where they type it: arguments, environment, output that cannot be written, closed descriptors,
# settings. Each wrong one is one sentence and exit status 1, or 2 for usage.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# Any arguments; nothing listens where these programs look for a server.
seed=${SEED:-$RANDOM}
mkdir "$work/litter" "$work/litter/folder"
echo text >"$work/litter/file"
random_arguments() { (cd "$work/litter" && PGHOST=/nowhere "$root/tests/flow/arguments.py" "$seed" 60); }
check "any arguments end in status 0, 1 or 2 (SEED=$seed)" random_arguments

# Usage is 2, and help is offered.
while IFS= read -r command; do
	# shellcheck disable=SC2086 # words
	exits "$command: is wrong usage" 2 $command
	like "$command: help is offered" "$output" 'help|usage'
done <<'EOC'
daystream
daystream nonsense
daystream status
daystream check a b
daystream init
daystream init s --slot=UPPER
daystream init s --tables=,
daystream init s --no-such-option
daystream snapshot s --jobs=x
daystreamfs
daystreamfs a
daystreamfs a b c
deltamirror
deltamirror a
deltamirror a b c
deltamirror --numeric=x a b
deltamirror --tables=, a b
deltamirror import a
deltamirror export a b c
deltamirror --verify
EOC

# What a script left empty is no name; it would be the current folder's, or the root's.
exits "an empty mountpoint is wrong usage" 2 daystreamfs "$work" '' -f
like "and said to be needed" "$output" "MOUNTPOINT are needed"
exits "so is an empty mount of a mirror" 2 timeout 20 deltamirror '' "$work/litter/empty.sqlite"

stream_up
sql "CREATE TABLE zzz (a int PRIMARY KEY)"
sql "INSERT INTO zzz VALUES (1)"
mirror_once
daemon_stop
sum() { cat "$store"/segments/*.day | sha256sum; }
before=$(sum)

# Output that cannot be written.
PATH=$PATH:$root/contrib
for command in "daystream --help" "daystream --version" "daystream status $store" "daystreamfs --help" "daystreamfs --version" \
	"deltamirror --help" "deltamirror --version" "daystream-sshfs --help" "daystream-metrics --help"; do
	exits "$command: a full disk is told" 1 bash -c "$command >/dev/full"
	like "$command: with the reason" "$output" 'standard output|No space left'
done
for program in daystreamfs deltamirror daystream-sshfs daystream-metrics; do
	is "$program tells the version" "$("$program" --version)" "$program $(daystream --version | cut -d ' ' -f 2)"
done

# Files that may not grow any more (ulimit -f): an error that names them, and nothing that was there is lost.
sql "CREATE TABLE big (t text)"
daemon_start "$store" "$mnt"
sql "INSERT INTO big SELECT repeat('x', 1000) FROM generate_series(1, 3000)"
caught_up "$mnt"
cp "$mnt/live" "$work/shown"
limited() { (ulimit -f 1000 && exec timeout 60 "$@"); }
cp "$mirror" "$work/limited.sqlite"
exits "a mirror that may not grow ends" 1 limited deltamirror --once "$mnt" "$work/limited.sqlite"
like "with the reason" "$output" 'limited\.sqlite.*File too large'
check "and goes on where it may" deltamirror --once "$mnt" "$work/limited.sqlite"
is "with all rows" "$(sqlite3 "$work/limited.sqlite" 'SELECT count(*) FROM big')" 3000
exits "a snapshot that may not grow fails" 1 limited daystream snapshot "$store"
like "with the table" "$output" '"big".*File too large'
mirror_once
daemon_stop
sql "SELECT pg_logical_emit_message(true, 'p', 'more')" >/dev/null
exits "a daemon whose segment may not grow ends" 1 limited daystreamfs "$store" "$mnt" -f
like "with the file" "$output" 'File too large'
check_not "and leaves no dead mount" mountpoint -q "$mnt"
daemon_start "$store" "$mnt"
check "without the limit it goes on" caught_up "$mnt"
check "and has what it had" cmp -n "$(stat -c %s "$work/shown")" "$work/shown" "$mnt/live"
daemon_stop
before=$(sum)

# Closed descriptors: no file of ours takes their place, and no message is written into one.
check "daystream check works without any" bash -c "daystream check '$store' <&- >&- 2>&-"
sed -i "s/^slot = .*/slot = 'none'/" "$store/daystream.conf"
exits "a daemon without any fails as it should" 1 bash -c "timeout 20 daystreamfs '$store' '$mnt' -f <&- >&- 2>&-"
is "and its last words went into no segment" "$(sum)" "$before"
sed -i "s/^slot = .*/slot = 'daystream'/" "$store/daystream.conf"
check "a mirror works without any" bash -c "cd / && deltamirror --verify '$conninfo' '$mirror' <&- >&- 2>&-"

# Few descriptors: it runs, or says that they are too few; and in either case it ends.
runs_and_ends() { # LIMIT: of what daystreamfs comes to when it is ended
	local status=0
	(ulimit -n "$1" && exec timeout -s TERM -k 20 2 daystreamfs --read-only "$store" "$mnt" -f) || status=$?
	mountpoint -q "$mnt" && return 1
	[[ $status -eq 124 || $status -eq 1 ]]
}
for limit in 6 9 12 13 14 15 16 20; do
	check "a daemon ends well with $limit descriptors" runs_and_ends "$limit"
done

# The environment.
own() { env -i PATH="$PATH" "$@"; }
check "nothing of it is needed" own daystream status "$store"
check "nonsense in it does no harm" own TZ=Nowhere/At_All LANG=xx_YY.FOO LC_ALL=nonsense TMPDIR=/nowhere HOME=/nowhere PGOPTIONS= daystream status "$store"
exits "a port that is none is an error" 1 own PGHOST="$PGHOST" PGPORT=x daystream init "$work/other"
like "which names it" "$output" '"x".* "port"'
exits "an unknown setting of libpq is an error" 1 own PGSSLMODE=nonsense daystream init "$work/other"
like "which names it" "$output" 'sslmode.*nonsense'
check_not "nothing was left of it" test -e "$work/other"

# Settings: the line and the reason, for each that is wrong.
cp "$store/daystream.conf" "$work/good.conf"
while IFS= read -r setting; do
	printf '# a comment\n%b\n' "$setting" >"$store/daystream.conf"
	exits "$setting: is refused" 1 timeout 20 daystreamfs "$store" "$mnt" -f
	like "$setting: with its line" "$output" 'daystream.conf:[23]: '
done <<'EOC'
colour = red
keep_days = -1
keep_days = many
keep_days =
keep_days = 99999999999999999999
keep_bytes = nan
keep_bytes = '1 GB'
segment_size = 0
segment_size = 1e30
snapshot = perhaps
slot = {a, b}
slot = 'a
slot
include("daystream.conf")
slot = func("x")
section { slot = a }
EOC
# A port is asked for anew at every start, and none of these will do one day.
printf "conninfo = 'host=%s port=x'\n" "$PGHOST" >"$store/daystream.conf"
exits "a port that is none is refused by the daemon, too" 1 timeout 20 daystreamfs "$store" "$mnt" -f
like "by its name" "$output" '"x".* "port"'
cp "$work/good.conf" "$store/daystream.conf"

# Nor is a value printed otherwise for what libpq takes from the environment.
daemon_start "$store" "$mnt"
sql "CREATE TABLE timed (id int PRIMARY KEY, at timestamptz, d date, i interval, f float8, t text)"
sql "INSERT INTO timed VALUES (1, '2020-02-03 04:05:06+00', '2020-02-03', '1 day 2:03', 0.1::float8 + 0.2, 'é€')"
caught_up "$mnt"
foreign() {
	env PGDATESTYLE=German PGTZ=Asia/Tokyo PGCLIENTENCODING=LATIN1 PGOPTIONS='-c intervalstyle=iso_8601 -c extra_float_digits=0' "$@"
}
exits "a snapshot, whatever the environment says" 0 foreign daystream snapshot "$store"
is "has values as the stream has them" "$(tail -n 1 "$mnt/snapshots/latest/tables/timed" | sed 's/.*_action/_action/')" \
	"$(tail -n 1 "$mnt/tables/timed" | sed 's/.*_action/_action/')"
check "so has what is imported" foreign deltamirror import "$conninfo" 'SELECT * FROM timed' "$work/timed.sqlite" timed
is "to the byte" "$(sqlite3 "$work/timed.sqlite" 'SELECT at, d, i, f, t FROM timed')" \
	'2020-02-03 04:05:06+00|2020-02-03|1 day 02:03:00|0.3|é€'
mirror_once
exits "and what is compared" 0 foreign deltamirror --verify "$conninfo" "$mirror"
daemon_stop

# Names that SQLite takes for something else.
daemon_start "$store" "$mnt"
mkdir "$work/names"
for name in 'file:x.sqlite' 'file:x?mode=memory'; do
	check "a mirror may be called $name" bash -c "cd '$work/names' && deltamirror --once '$mnt' '$name' && deltamirror --once '$mnt' '$name'"
	is "which is the file's name" "$(sqlite3 "$work/names/./$name" 'SELECT a FROM zzz')" 1
	check "so may what is imported into" bash -c "cd '$work/names' && deltamirror import '$conninfo' 'SELECT * FROM zzz' '$name' imported"
done
is "and there is nothing else" "$(cd "$work/names" && echo *)" 'file:x.sqlite file:x?mode=memory'
exits "a database in memory is none" 1 bash -c "cd '$work/names' && timeout 20 deltamirror --once '$mnt' :memory:"
like "which is said" "$output" './:memory:'
check "a file of that name is one" bash -c "cd '$work/names' && deltamirror --once '$mnt' ./:memory: && test -s :memory:"
mkdir "$work/$(printf 'n%.0s' {1..250})"
deep=$work/$(printf 'n%.0s' {1..250})/$(printf 'n%.0s' {1..250})
mkdir "$deep"
exits "a name that is too long for SQLite is refused" 1 deltamirror --once "$mnt" "$deep/m.sqlite"
like "with the reason" "$output" 'nnn/m.sqlite.*: SQLite takes no name of more than [0-9]+ bytes'
exits "so is a short one in a folder with a long one" 1 bash -c "cd '$deep' && deltamirror --once '$mnt' m.sqlite"
like "with the same" "$output" 'nnn/m.sqlite.*: SQLite takes no name'
is "and nothing is there" "$(ls -A "$deep")" ""
ln -s nowhere.sqlite "$work/names/link"
exits "a link to what is not there is no name for a mirror" 1 deltamirror --once "$mnt" "$work/names/link"
like "which is said" "$output" 'names/link is a link to what is not there'
is "and stays" "$(readlink "$work/names/link")" nowhere.sqlite
for place in "$mnt/since/0/0" "$mnt/since/0/0/tables/zzz" "$mnt/snapshots/latest"; do
	exits "${place#"$mnt"} is no mountpoint" 1 deltamirror --once "$place" "$work/names/none"
	like "which is said" "$output" "${place%/tables/*}.*(is not where daystreamfs mounts|live: No such file)"
done
check_not "and nothing is made" test -e "$work/names/none"

# Whoever forgets a transaction in the mirror is waited for, which is said once.
sql "INSERT INTO zzz VALUES (2)"
sqlite3 "$mirror" "BEGIN IMMEDIATE" ".shell while [ ! -e $work/enough ]; do sleep 0.1; done" &
forgetful=$!
wait_for 60 "! sqlite3 '$mirror' 'BEGIN IMMEDIATE' 2>/dev/null"
deltamirror "$mnt" "$mirror" >"$work/mirror.log" 2>&1 &
waiting=$!
check "a mirror says whom it waits for" wait_for 60 "grep -q 'another program writes to $mirror' '$work/mirror.log'"
touch "$work/enough"
wait "$forgetful"
check "and goes on by itself" wait_for 60 "[[ \$(sqlite3 '$mirror' 'SELECT count(*) FROM zzz') == 2 ]]"
is "said once" "$(grep -c 'another program' "$work/mirror.log")" 1
kill "$waiting"
wait "$waiting"
daemon_stop
for folder in "" /segments; do
	exits "the store's own folder${folder:+ $folder} is no mountpoint" 1 timeout 20 daystreamfs "$store" "$store$folder" -f
	like "and would be hidden" "$output" 'would be hidden'
done

# A store at a path that is no UTF-8.
odd=$work/$'odd\xff\xfe'
mv "$store" "$odd"
exits "a path that is no UTF-8 is a path" 0 daystream check "$odd"
mv "$odd" "$store"
daemon_start "$store" "$mnt"
check "after all that it goes on" caught_up "$mnt"
plan
