#!/bin/bash
# A server that is far away: over TCP, and encrypted, where bytes come in records that end anywhere in a message. Large transactions
# and small ones, and a mirror straight from the server: all as beside it.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PGPORT=$(free_port)
server_create
as_server openssl req -new -x509 -days 2 -nodes -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
	-keyout "$server/data/server.key" -out "$server/data/server.crt" >"$work/openssl.log" 2>&1
as_server chmod 600 "$server/data/server.key"
cp "$server/data/server.crt" "$work/root.crt"
printf '%s\n' "listen_addresses = '127.0.0.1'" 'ssl = on' >>"$server/data/postgresql.conf"
sed -i '1i hostssl all follower 127.0.0.1/32 scram-sha-256' "$server/data/pg_hba.conf"
server_start
server_allow_plugin
sql "CREATE ROLE follower LOGIN REPLICATION PASSWORD 'first'"
sql "GRANT CREATE ON DATABASE $PGDATABASE TO follower"
sql "GRANT pg_read_all_data TO follower"
export PGPASSFILE=$work/pgpass
(umask 077; echo '127.0.0.1:*:*:follower:first' >"$PGPASSFILE")
far="host=127.0.0.1 port=$PGPORT user=follower dbname=$PGDATABASE sslmode=verify-full sslrootcert=$work/root.crt"

sql "CREATE TABLE wide (id bigint PRIMARY KEY, a text)"
sql "INSERT INTO wide SELECT g, repeat(md5(g::text), g % 40) FROM generate_series(1, 1000) g"
check "the store is made over an encrypted connection" daystream init "$store" --conninfo "$far"
daemon_start "$store" "$mnt"
is "the stream is encrypted" "$(sql "SELECT ssl FROM pg_stat_ssl JOIN pg_replication_slots ON pid = active_pid")" t
check "a mirror begins at the server" timeout 60 deltamirror --from "$far" --once "$mnt" "$mirror"

sql "INSERT INTO wide SELECT g, repeat(md5(g::text), g % 40) FROM generate_series(1001, 60000) g"
sql "INSERT INTO wide VALUES (0, repeat('x', 30000000))"
for i in {1..20}; do sql "UPDATE wide SET a = a || 'y' WHERE id % 20 = $i % 20"; done
sql "DO \$\$ BEGIN FOR i IN 1..2000 LOOP UPDATE wide SET a = i::text WHERE id = i; COMMIT; END LOOP; END \$\$"
check "the mirror takes all of it" mirror_once
check "... and is what the server has" deltamirror --verify "$far" "$mirror"
daemon_stop
check "the store is sound" daystream check "$store"
plan
