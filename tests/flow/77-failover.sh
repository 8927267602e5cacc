#!/bin/bash
# Another server, or another past of the same one: a promoted standby that has all that was followed, or less; a copy
# of the server's files that is put back; a stranger at the same address. The stream goes on only where
# the server's history is the one that the store holds.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_create
echo 'wal_keep_size = 64MB' >>"$server/data/postgresql.conf" # a standby without a slot of its own
server_start
server_allow_plugin
stream_up
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "INSERT INTO zzz VALUES (1, 'one')"
caught_up "$mnt"
check "a mirror follows" deltamirror --once "$mnt" "$mirror"

refuses() { # SENTENCE REGEX...: it does not start
	local sentence=$1 output
	shift
	exits "$sentence" 1 timeout 30 daystreamfs "$store" "$mnt" -f
	like "... and says what, why and the remedy" "$output" "$@"
}
keep() { # NAME: the server's files as they are now, for later
	server_stop
	cp -a "$server/data" "$server/$1"
	server_start
}
become() { # NAME: those files are the server's now; the former ones are FORMER
	server_stop
	mv "$server/data" "$server/former"
	cp -a "$server/$1" "$server/data"
}
back() {
	server_stop
	rm -rf "$server/data"
	mv "$server/former" "$server/data"
	server_start
}
store_was() { # the store as it is now, for later: what it is compared with comes again and again
	rm -rf "$work/store.was"
	cp -a "$store" "$work/store.was"
}
store_back() {
	rm -rf "$store"
	cp -a "$work/store.was" "$store"
}
rows() { for _ in $(seq "$1"); do sql "INSERT INTO zzz SELECT max(a) + 1, '$2' FROM zzz"; done; }

# ---- files that are put back (a virtual machine's snapshot): same system, same timeline, and the slot is there

rows 1 before
caught_up "$mnt"
keep before
rows 3 followed
caught_up "$mnt"
daemon_stop
store_was
become before
server_start
refuses "an older copy of the server" "restored from a backup" "daystream init"
rows 9 otherwise # the same number and size of transactions as were followed, and more
refuses "that has gone on" "history" "older copy" "daystream drop.*daystream init"
refuses "which is noticed the next time, too" "history" "older copy"
exits "init on it says that the slot is there" 1 daystream init "$store"
like "and how it goes on nevertheless" "$output" "daystream drop"
exits "the slot is dropped" 0 daystream drop --yes "$store"
exits "and the remedy helps" 0 daystream init "$store"
daemon_start "$store" "$mnt"
rows 1 anew
caught_up "$mnt"
is "with a new generation" "$(status_of "$mnt" generation)" 2
exits "which the mirror notices" 1 deltamirror --once "$mnt" "$mirror"
like "and says" "$output" generation "--resync"
exits "begun anew" 0 deltamirror --resync --once --from "$conninfo" "$mnt" "$mirror"
equal_tables "it equals the server as it is now"
daemon_stop
back
store_back
daemon_start "$store" "$mnt"
check "with the files that it followed, it goes on" caught_up "$mnt"

# Only idle WAL was followed behind the copy: no commit tells.
sql "CREATE DATABASE other"
sql -d other "CREATE TABLE noise (a int)"
noise() { sql -d other "INSERT INTO noise SELECT generate_series(1, 2000)"; }
confirmed() { sql "SELECT confirmed_flush_lsn FROM pg_replication_slots"; }
keep before-idle
was=$(confirmed)
# Another database's traffic alone lets the slot go forward: no WAL is kept for it.
needed=$(sql "SELECT restart_lsn FROM pg_replication_slots")
for _ in {1..5}; do noise; done
sql "SELECT pg_switch_wal()" >/dev/null
sql CHECKPOINT
noise
sql CHECKPOINT
noise
advanced() { [[ $(sql "SELECT confirmed_flush_lsn > '$was'::pg_lsn + 300000 AND restart_lsn > '$needed' FROM pg_replication_slots") == t ]]; }
check "with another database's traffic only, the slot confirms, and needs less and less" wait_for 90 advanced
daemon_stop
store_was
become before-idle
server_start
rows 3 "otherwise"
for _ in 1 2; do noise; sql "SELECT pg_switch_wal()" >/dev/null; done
noise
refuses "an older copy that has gone on with rows, where we knew of idle WAL" "history" "daystream drop"
back
daemon_start "$store" "$mnt"
check "with the files that it followed, it goes on" caught_up "$mnt"
is "all this was one generation" "$(status_of "$mnt" generation)" 1
exits "for a mirror, too" 0 deltamirror --once --from "$conninfo" "$mnt" "$work/second.sqlite"

# ---- a standby

as_server pg_basebackup -D "$server/standby" -R -X stream -c fast -d "host=$PGHOST port=$PGPORT user=postgres" >"$work/basebackup.log" 2>&1
standby_conf() { # a place of its own, while the primary is there
	mkdir -p "$server/aside"
	[[ $EUID -ne 0 ]] || chown postgres: "$server/aside"
	printf '%s\n' "unix_socket_directories = '$server/aside'" "$@" >>"$server/standby/postgresql.conf"
}
standby_conf
standby() { as_server pg_ctl -D "$server/standby" -l "$server/standby.log" -w "$@" >/dev/null; }
standby start
replayed() { [[ $(PGHOST=$server/aside sql "SELECT pg_last_wal_replay_lsn() >= '$1'") == t ]]; }
rows 2 "on the primary"
caught_up "$mnt"
daemon_stop
wait_for 90 "replayed $(sql 'SELECT pg_current_wal_flush_lsn()')"
standby stop
store_was
# The standby takes the primary's place, with all that was followed: as it is, and with the slot, as tools put it there.
keep primary
promoted() { # [SLOT]: in the primary's place
	become standby
	sed -i '/aside/d' "$server/data/postgresql.conf"
	[[ -z ${1:-} ]] || cp -a "$server/former/pg_replslot/daystream" "$server/data/pg_replslot/"
	server_start
}
promoted
daemon_start "$store" "$mnt"
check "before a standby in the primary's place is promoted, it waits" \
	wait_for 60 "status_of '$mnt' last_error | grep 'standby.*promote'"
as_server pg_ctl -D "$server/data" -w promote >/dev/null
wait_for 60 "! alive $daemon_pid" || end_process "$daemon_pid"
wait "$daemon_pid" && status=0 || status=$?
is "a promoted standby without the slot ends it" "$status" 1
like "and it says so, and what to do" "$(tail -n 2 "$work/daemon.log")" 'slot "daystream" does not exist' "daystream init"
sql "SELECT pg_create_logical_replication_slot('daystream', 'deltaflood')" >/dev/null
refuses "as does one where somebody made it" "confirmed up to" "daystream init"
exits "the remedy helps" 0 daystream init "$store"
daemon_start "$store" "$mnt"
rows 1 promoted
caught_up "$mnt"
is "with a new generation, on the new timeline" "$(status_of "$mnt" generation) $(status_of "$mnt" timeline)" "2 2"
exits "which the mirror notices" 1 deltamirror --once "$mnt" "$work/second.sqlite"
like "and says" "$output" generation "--resync"
daemon_stop
back
store_back

promoted slot
as_server pg_ctl -D "$server/data" -w promote >/dev/null
wait_for 60 "[[ \$(sql 'SELECT pg_is_in_recovery()') == f ]]"
daemon_start "$store" "$mnt"
rows 2 "after the failover"
check "a promoted standby with the slot and all that was followed is gone on with" caught_up "$mnt"
is "in the same generation, on the new timeline" "$(status_of "$mnt" generation) $(status_of "$mnt" timeline)" "1 2"
exits "the mirror goes on" 0 deltamirror --once "$mnt" "$work/second.sqlite"
check "and equals the new primary" "$root/contrib/compare-tables" -q "$work/second.sqlite"
check "the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
daemon_stop
back
store_back

# What was followed after the standby was cut off, it does not have.
daemon_start "$store" "$mnt"
rows 2 "not on the standby"
caught_up "$mnt"
daemon_stop
promoted slot
as_server pg_ctl -D "$server/data" -w promote >/dev/null
wait_for 60 "[[ \$(sql 'SELECT pg_is_in_recovery()') == f ]]"
rows 9 "otherwise"
refuses "a promoted standby that lacks what was followed" "failed over" "daystream init"
exits "the remedy helps" 0 daystream init "$store"
daemon_start "$store" "$mnt"
rows 1 "on the other"
caught_up "$mnt"
is "with a new generation" "$(status_of "$mnt" generation) $(status_of "$mnt" timeline)" "2 2"
exits "a mirror begun anew" 0 deltamirror --resync --once --from "$conninfo" "$mnt" "$work/second.sqlite"
check "equals the new primary" "$root/contrib/compare-tables" -q "$work/second.sqlite"
check "the stream follows its rules" "$root/tests/flow/stream.py" rules --crc "$mnt/live"
daemon_stop

# ---- a stranger

server_stop
mv "$server/data" "$server/own"
mv "$server" "$work/away"
server_up
sql "CREATE TABLE zzz (a int PRIMARY KEY, b text)"
sql "SELECT pg_create_logical_replication_slot('daystream', 'deltaflood')" >/dev/null
refuses "another server at the same address" "another server.*system identifier" "daystream.conf" "daystream init"
check "the store is sound" daystream check "$store"
plan
