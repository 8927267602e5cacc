#!/bin/bash
# A mirror that reads over NFS, without a mount: nfs://, by libnfs. It goes on by itself when the daemon or the NFS server
# was away, and a stop of it never waits for either.
# shellcheck source=nfs.sh
. "$(dirname "$0")/nfs.sh"
# shellcheck disable=SC2154 # nfs.sh's
declare -A url=([v3]=$v3 [v4]="$v4?version=4") pid=()

stream_up
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "CREATE TABLE other (a int PRIMARY KEY, b text)"
sql "INSERT INTO zzz SELECT g, md5(g::text) FROM generate_series(1, 20000) g"
sql "INSERT INTO other SELECT g, repeat('o', g) FROM generate_series(1, 100) g"

# ---- nobody is there
once() { timeout 30 deltamirror --once "$1" "$work/none.sqlite"; }
one_line() { # SENTENCE URL REGEX
	exits "$1 is an error" 1 once "$2"
	like "that says so" "$output" "$3"
	is "in one line" "$(wc -l <<<"$output")" 1
}
one_line "no server" "$v3" "cannot open $v3/live: no NFS server answers at 127.0.0.1: Connection refused"
one_line "a host without an address" nfs://nohost.invalid/x "nohost.invalid is not known"
one_line "a URL without a path" nfs://127.0.0.1 "nfs://HOST/PATH"
one_line "an option that is none" "$v3?vers=3" "vers=3: the options that are known are version"
one_line "a version that is none" "$v3?version=5" "version=3 or 4"

stopped() { # SENTENCE PID: ends well, and soon
	local started=${EPOCHREALTIME/./} status=0
	end_process "$2" TERM 60
	wait "$2" || status=$?
	is "$1: a stop is answered" "$status" 0
	check "soon" test $((${EPOCHREALTIME/./} - started)) -lt 15000000 # libnfs itself would wait for 30 s
}
deltamirror "$v3" "$work/none.sqlite" >"$work/none.log" 2>&1 &
pid[none]=$!
check "without --once, it is waited for" wait_for 60 "grep -q 'Connection refused; waiting for it' '$work/none.log'"
stopped "while there is no server" "${pid[none]}"
is "which leaves nothing" "$(ls "$work"/none.sqlite* 2>/dev/null)" ""

# ---- a mirror
ganesha_prepare
ganesha_start
one_line "a path that is not exported" nfs://127.0.0.1/nowhere "127.0.0.1 does not export /nowhere"
one_line "a folder that is no mount" "$v3/snapshots" "snapshots/live: No such file"
snapshot_taken
follow() { # NAME [ARGUMENT...]
	deltamirror "${@:2}" "${url[$1]}" "$work/$1.sqlite" >>"$work/$1.log" 2>&1 &
	pid[$1]=$!
}
position() { sqlite3 "$work/$1.sqlite" "SELECT epoch || '.' || seq FROM _daystream" 2>/dev/null; }
has_all() { [[ $(position "$1") == "$(status_value position)" ]]; }
status_value() { sed -n "s/^$1\t//p" "$mnt/status"; }
followed() { # SENTENCE
	local name
	caught_up "$mnt"
	for name in v3 v4; do
		check "$1 ($name)" wait_for 60 "has_all $name"
		check "by the same process" alive "${pid[$name]}"
		check "and equals PostgreSQL" deltamirror --verify "$conninfo" "$work/$name.sqlite"
	done
}
seq=0
write() {
	seq=$((seq + 1))
	sql "UPDATE zzz SET b = 'round $seq' WHERE a % 10 = $seq % 10"
	sql "INSERT INTO other SELECT min(a) - 1, 'new' FROM other"
}
follow v3
follow v4
write
followed "a mirror follows over NFS"
for name in v3 v4; do
	like "it was copied from the snapshot" "$(cat "$work/$name.log")" "copying from nfs://127.0.0.1/.*/snapshots/" "following nfs://"
done
for _ in 1 2 3; do write; done
followed "and goes on"

# ---- one table's file; some tables; a resync
url[table]=$v3/tables/zzz
exits "one table's file" 0 timeout 60 deltamirror --once "${url[table]}" "$work/table.sqlite"
is "has that table alone" "$(sqlite3 "$work/table.sqlite" "SELECT count(*) FROM zzz; SELECT count(*) FROM sqlite_master WHERE name = 'other'")" $'20000\n0'
exits "so does --tables" 0 timeout 60 deltamirror --once --tables zzz "$v3" "$work/some.sqlite"
exits "it may be told the ports" 0 timeout 60 deltamirror --once "$v3?nfsport=2049&mountport=20048" "$work/ports.sqlite"
check "and equals PostgreSQL" deltamirror --verify "$conninfo" "$work/ports.sqlite"
exits "a table is brought anew" 0 timeout 60 deltamirror --once --resync=other "$v3" "$work/ports.sqlite"
exits "and all of them" 0 timeout 60 deltamirror --once --resync "$v3" "$work/ports.sqlite"
check "and it equals PostgreSQL" deltamirror --verify "$conninfo" "$work/ports.sqlite"
exits "the server itself may be copied from" 0 timeout 60 deltamirror --once --from "$conninfo" "$v3" "$work/from.sqlite"

# ---- the daemon restarts; it is killed; ganesha is killed; each while there is traffic
traffic() { # PIDFILE...: in the background
	local i
	for ((i = 0; i < 40; i++)); do write; done
}
traffic &
writer=$!
restarted daemon_stop
wait "$writer"
followed "it goes on after the daemon was restarted"
traffic &
writer=$!
daemon_kill
for name in v3 v4; do
	exits "while it is dead, a new mirror is an error ($name)" 1 timeout 60 deltamirror --once "${url[$name]}" "$work/none.sqlite"
	like "with what to do" "$output" "NFS server cannot read what it exports.*restart daystream-nfs@"
done
restarted true
wait "$writer"
followed "after the daemon was killed"
sql "INSERT INTO other SELECT g, repeat(md5(g::text), 10) FROM generate_series(1000, 60000) g" # in the midst of reading
for _ in 1 2 3; do
	ganesha_stop KILL
	write
	ganesha_start
	sleep 0.3
done
followed "after ganesha was killed three times"
kill -STOP "$ganesha"
write
sleep 1
kill -CONT "$ganesha"
followed "after ganesha stood still"

# ---- the writer of the mirror is killed, and goes on where it stood
for name in v3 v4; do
	kill -KILL "${pid[$name]}"
	wait "${pid[$name]}" 2>/dev/null || true
done
write
follow v3
follow v4
followed "a mirror that was killed goes on"

# ---- a stop while the server says nothing, is away, or has another stream
kill -STOP "$ganesha"
sleep 0.5
stopped "while the server says nothing" "${pid[v3]}"
kill -CONT "$ganesha"
ganesha_stop KILL
sleep 0.5
stopped "while it is away" "${pid[v4]}"
ganesha_start
for name in v3 v4; do
	exits "then it goes on once more ($name)" 0 timeout 60 deltamirror --once "${url[$name]}" "$work/$name.sqlite"
	check "and equals PostgreSQL" deltamirror --verify "$conninfo" "$work/$name.sqlite"
done

# ---- what is no longer retained
daemon_stop
printf 'segment_size = 20000\nkeep_bytes = 150000\n' >>"$store/daystream.conf"
restarted true
beyond() { [[ $(status_value oldest | sort -V - <(position v3) | tail -n 1) != "$(position v3)" ]]; }
for _ in {1..10}; do write; done
wait_for 60 beyond "retention"
exits "a mirror that was away for too long is told so" 1 timeout 60 deltamirror --once "$v3" "$work/v3.sqlite"
like "with the remedy" "$output" "no longer retained.*--resync"
exits "and brought anew" 0 timeout 60 deltamirror --once --resync "$v3" "$work/v3.sqlite"
check "when it equals PostgreSQL" deltamirror --verify "$conninfo" "$work/v3.sqlite"

# ---- another database's
sqlite3 "$work/v3.sqlite" "UPDATE _daystream SET database = 'shop', epoch = epoch + 100000"
for option in --once --resync --resync=zzz; do
	exits "another database's mirror is refused ($option)" 1 timeout 60 deltamirror --once "$option" "$v3" "$work/v3.sqlite"
	like "by its name" "$output" "is a mirror of database shop of system [0-9]+, and $v3 shows database postgres"
done
plan
