#!/bin/bash
# A server that is a subscriber, too: what came by replication has its origin's time on its commit, however old.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
sql "CREATE TABLE zzz (a int PRIMARY KEY)"
stream_up
sql "SELECT pg_replication_origin_create('elsewhere')" >/dev/null
caught_up "$mnt"
# Copying reads the stream from a minute before the oldest open transaction: so the line that takes
# its second from the one before it has to be older than that.
sleep 62
commits_wait
psql -Xq -c "SELECT pg_replication_origin_session_setup('elsewhere')" -c "BEGIN" \
	-c "SELECT pg_replication_origin_xact_setup('0/1', now() - interval '1 hour')" \
	-c "INSERT INTO zzz VALUES (1)" -c "COMMIT" >/dev/null &
waiting=$!
wait_for 30 "grep -q '	a	1\$' '$mnt/tables/zzz'" "the commit that waits for a standby to be in the stream"
exits "--from does not wait for it" 0 timeout 60 deltamirror --once --from "$conninfo" "$mnt" "$mirror"
sql "ALTER SYSTEM RESET synchronous_standby_names"
reload
wait "$waiting"
check "and goes on" mirror_once
equal_tables "it has what nobody could see when it was copied"
plan
