#!/bin/bash
# The command lines: what init refuses and says to run, usage errors, and
# status, check and drop.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

for program in daystream daystreamfs deltamirror; do
	exits "$program --help succeeds" 0 "$program" --help
	like "$program --help shows the usage" "$output" usage "$program"
	exits "$program --version succeeds" 0 "$program" --version
	like "$program --version shows it" "$output" "$program" '[0-9]+\.[0-9]+\.[0-9]+'
	exits "$program without arguments is a usage error" 2 "$program"
	exits "$program with an unknown option is a usage error" 2 "$program" --no-such-option a b
	like "the usage error names the option" "$output" no-such-option
done
exits "an unknown subcommand is a usage error" 2 daystream no-such-command
for command in init status check drop; do
	exits "daystream $command without a store is a usage error" 2 daystream "$command"
	check_not "and the message makes sense" grep -F '(null)' "$work/output"
done
exits "init without --conninfo takes libpq's variables, and fails without a server" 1 daystream init "$store"
check_not "a failed init leaves no store" test -e "$store/daystream.conf"

init() { daystream init "$store" --conninfo "$conninfo" "$@"; }
setting() { # NAME VALUE: with a restart
	sql "ALTER SYSTEM SET $1 = $2"
	server_restart
}

server_create
server_start
knows_list=$(sql "SELECT count(*) FROM pg_settings WHERE name = 'output_plugin_libraries'")

if [[ $knows_list -eq 1 ]]; then
	exits "a server whose list of plugins lacks deltaflood is refused" 1 init
	like "with the statement to run" "$output" output_plugin_libraries 'ALTER SYSTEM SET output_plugin_libraries *=.*deltaflood' reload
	statement=$(grep -oP "ALTER SYSTEM SET output_plugin_libraries[^;]*" <<<"$output" | head -n 1)
	check "which runs as it is printed" sql "$statement"
	reload
	wait_for 10 "[[ \$(sql 'SHOW output_plugin_libraries') == *deltaflood* ]]"
	is "and keeps what the list had" "$(sql 'SHOW output_plugin_libraries' | tr -d ' "')" "pgoutput,test_decoding,deltaflood"
fi

setting wal_level replica
exits "wal_level = replica is refused" 1 init
like "with the statement to run" "$output" wal_level "ALTER SYSTEM SET wal_level *= *'?logical" restart
setting wal_level logical

sql "SELECT pg_create_physical_replication_slot('p' || g) FROM generate_series(1, 10) g" >/dev/null
exits "a server without a free slot is refused" 1 init
like "with the setting to raise" "$output" max_replication_slots 'ALTER SYSTEM SET'
sql "SELECT pg_drop_replication_slot('p' || g) FROM generate_series(1, 10) g" >/dev/null

sql $'CREATE TABLE "es\e]0;x\ac\ndaystream: error: fake" (a int)'
sql "SELECT pg_create_physical_replication_slot('p' || g) FROM generate_series(1, 10) g" >/dev/null
exits "a server without a free slot is refused, whatever a table is called" 1 init
sql "SELECT pg_drop_replication_slot('p' || g) FROM generate_series(1, 10) g" >/dev/null
like "the table is named" "$output" 'es%1B.*fake has no replica identity'
is "in one line" "$(grep -c '^daystream: error: fake' <<<"$output")" 0
is "that no terminal obeys" "$(tr -d '[:print:]\n' <<<"$output")" ""
sql $'DROP TABLE "es\e]0;x\ac\ndaystream: error: fake"'

sql "CREATE ROLE clerk LOGIN"
sql "CREATE TABLE unread (id int)"
exits "a role that may not replicate is refused" 1 daystream init "$store" --conninfo "${conninfo/user=postgres/user=clerk}"
like "with the statement to run" "$output" 'ALTER ROLE "?clerk"? .*REPLICATION'
if [[ $knows_list -eq 1 ]]; then
	like "with what it may not see" "$output" 'role clerk may not see.*ALTER SYSTEM SET output_plugin_libraries *=.*deltaflood'
fi
like "with all its rights that lack, and what would" "$output" 'GRANT CREATE ON DATABASE' 'may not read 1 table' 'unread.*no replica identity'
sql "DROP TABLE unread"
sql "ALTER ROLE clerk REPLICATION"

mv "$server/lib/deltaflood.so" "$work/"
sql "ALTER SYSTEM SET dynamic_library_path = '$server/lib'" # daystream may be installed on this machine
reload
exits "a server without the plugin is refused" 1 init
like "with its name" "$output" deltaflood
sql "ALTER SYSTEM RESET dynamic_library_path"
reload
mv "$work/deltaflood.so" "$server/lib/"

exits "a server that is not there is an error" 1 daystream init "$store" --conninfo "host=$work/nowhere"
like "with libpq's reason" "$output" "$work/nowhere"
exits "a database that is not there is an error" 1 daystream init "$store" --conninfo "$conninfo dbname=nowhere"
like "with the server's reason" "$output" 'database "?nowhere'
exits "a conninfo that is none is an error" 1 daystream init "$store" --conninfo "no such=thing"
exits "a store that cannot be made is an error" 1 daystream init /proc/nowhere/store --conninfo "$conninfo"
like "with its path" "$output" /proc/nowhere
touch "$work/file"
exits "a store that is a file is an error" 1 daystream init "$work/file" --conninfo "$conninfo"
is "none of this left a slot behind" "$(sql 'SELECT count(*) FROM pg_replication_slots')" 0

sql "SELECT pg_create_logical_replication_slot('daystream', 'test_decoding')" >/dev/null
exits "a slot of that name is refused" 1 init
like "with its name, and what to do" "$output" daystream 'slot' 'drop'
sql "SELECT pg_drop_replication_slot('daystream')" >/dev/null

sql "CREATE TABLE good (id int PRIMARY KEY)"
sql "CREATE TABLE keyless (id int)"
sql "CREATE TABLE nothing (id int PRIMARY KEY)"
sql "ALTER TABLE nothing REPLICA IDENTITY NOTHING"
sql "CREATE TABLE whole (id int)"
sql "ALTER TABLE whole REPLICA IDENTITY FULL"
sql "CREATE TABLE late (id int PRIMARY KEY DEFERRABLE)"
sql "CREATE TABLE bereft (id int PRIMARY KEY, other int NOT NULL)"
sql "CREATE UNIQUE INDEX its_identity ON bereft (other)"
sql "ALTER TABLE bereft REPLICA IDENTITY USING INDEX its_identity"
sql "DROP INDEX its_identity"
sql "CREATE TABLE indexed (id int NOT NULL UNIQUE)"
sql "ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_id_key"
# Who loses patience.
sql -c "BEGIN" "SELECT pg_current_xact_id(), pg_sleep(600)" >/dev/null 2>&1 &
holding=$!
wait_for 30 "[[ \$(sql \"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()\") == 1 ]]" "an open transaction"
daystream init "$store" --conninfo "$conninfo" >"$work/patience" 2>&1 &
waiting=$!
wait_for 30 "[[ \$(sql \"SELECT count(*) FROM pg_replication_slots WHERE active\") == 1 ]]" "the slot in the making"
sleep 1
kill -TERM "$waiting"
status=0
wait "$waiting" || status=$?
is "an init that waits for a transaction ends when it is told to" "$status" 1
like "and says what it waited for" "$(cat "$work/patience")" 'waits for transactions' 'stopped while waiting'
check "its slot goes" wait_for 10 "[[ \$(sql 'SELECT count(*) FROM pg_replication_slots') == 0 ]]"
check_not "so does the folder" test -e "$store"
nohup daystream init "$store" --conninfo "$conninfo" >"$work/patience" 2>&1 &
waiting=$!
wait_for 30 "[[ \$(sql \"SELECT count(*) FROM pg_replication_slots WHERE active\") == 1 ]]" "the slot in the making"
kill -HUP "$waiting"
sleep 1
check "one that is deaf to a signal stays so" alive "$waiting"
end_process "$waiting"
check "its slot goes as well" wait_for 10 "[[ \$(sql 'SELECT count(*) FROM pg_replication_slots') == 0 ]]"

# The server's host is gone meanwhile: who asks it to break off gets no answer.
port=$(free_port)
python3 - "$port" "$server/.s.PGSQL.$PGPORT" <<'PYTHON' &
import signal, socket, sys, threading
gone = False
def go(*_):
    global gone
    gone = True
signal.signal(signal.SIGUSR1, go)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
listener.settimeout(0.1)
kept = []
def forward(source, to):
    while data := source.recv(65536):
        if gone:
            return
        to.sendall(data)
while True:
    try:
        kept.append(listener.accept()[0])
    except TimeoutError:
        continue
    if not gone:
        kept.append(socket.socket(socket.AF_UNIX))
        kept[-1].connect(sys.argv[2])
        for pair in (kept[-2:], kept[:-3:-1]):
            threading.Thread(target=forward, args=pair, daemon=True).start()
PYTHON
hole=$!
wait_for 30 "(: </dev/tcp/127.0.0.1/$port)" "what stands between"
daystream init "$store" --conninfo "host=127.0.0.1 port=$port user=$PGUSER dbname=$PGDATABASE" >"$work/patience" 2>&1 &
waiting=$!
wait_for 30 "[[ \$(sql \"SELECT count(*) FROM pg_replication_slots WHERE active\") == 1 ]]" "the slot in the making"
kill -USR1 "$hole"
sleep 1
kill -TERM "$waiting"
check "one whose server is gone ends all the same" wait_for 60 "! alive $waiting"
like "and says what it may have left there" "$(cat "$work/patience")" 'does not answer.*pg_drop_replication_slot'
end_process "$waiting" KILL
end_process "$hole" KILL
wait "$waiting" "$hole" 2>/dev/null || true
sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots" >/dev/null
check "the slot goes with its session" wait_for 10 "[[ \$(sql 'SELECT count(*) FROM pg_replication_slots') == 0 ]]"

# Told to end when the slot is there, and the answer on its way.
daystream init "$store" --conninfo "$conninfo" >"$work/patience" 2>&1 &
waiting=$!
wait_for 30 "[[ \$(sql \"SELECT count(*) FROM pg_replication_slots WHERE active\") == 1 ]]" "the slot in the making"
kill -STOP "$waiting"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()" >/dev/null
wait "$holding" || true
wait_for 30 "[[ \$(sql \"SELECT count(*) FROM pg_replication_slots WHERE NOT active AND confirmed_flush_lsn IS NOT NULL\") == 1 ]]" "the slot"
kill -TERM "$waiting"
kill -CONT "$waiting"
status=0
wait "$waiting" || status=$?
is "an init that is ended at the last moment ends" "$status" 1
is "and has taken its slot back" "$(sql 'SELECT count(*) FROM pg_replication_slots')" 0
check_not "and the folder" test -e "$store"

exits "init succeeds" 0 init
like "and warns of the tables whose updates and deletes would be lost" "$output" keyless nothing 'ALTER TABLE .*REPLICA IDENTITY'
like "whose key is deferrable, or whose identity was dropped, too" "$output" 'table late has no' 'table bereft has no'
is "not of others" "$(grep -Ew 'good|whole|indexed' <<<"$output" || true)" ""
while read -r statement; do sql "$statement"; done < <(grep -oP 'ALTER TABLE [^;]*' <<<"$output")
check "the store is there" test -s "$store/daystream.conf"
is "so is the slot" "$(sql 'SELECT slot_name, plugin, slot_type FROM pg_replication_slots')" "daystream	deltaflood	logical"
is "the schema is saved in PostgreSQL" "$(sql "SELECT count(*) > 0 FROM pg_tables WHERE schemaname = 'daystream'")" t
exits "so it is where transactions only read by default" 0 daystream init "$work/careful" --slot careful --conninfo "$conninfo options='-c default_transaction_read_only=on'"
exits "and taken away again" 0 daystream drop --yes "$work/careful"
is "nothing of it is left" "$(sql "SELECT count(*) FROM daystream.columns WHERE slot = 'careful'")" 0
is "the settings hold no password" "$(daystream init "$work/store2" --conninfo "$conninfo password=secret" --slot two >"$work/second" 2>&1; grep -c secret "$work/store2/daystream.conf")" 1
is "no table is warned of any more, once that was run" "$(grep 'replica identity' "$work/second" || true)" ""
is "where there is a primary key, it is asked for that" "$(sql "SELECT string_agg(relname || relreplident::text, ' ' ORDER BY relname) FROM pg_class
	WHERE relname IN ('keyless', 'nothing', 'late', 'bereft')")" "bereftd keylessf latef nothingd"
is "which, where one was given, only their owner reads" "$(stat -c %a "$work/store2/daystream.conf")" 600

exits "a second init is refused" 1 init
exits "with another slot, too: it would end the generation that others follow" 1 init --slot other
like "with its reason" "$output" "$store"

exits "status works without the daemon" 0 daystream status "$store"
like "and tells the slot" "$output" daystream
exits "check of a new store succeeds" 0 daystream check "$store"
daemon_start "$store" "$mnt"
sql "INSERT INTO good VALUES (1)"
caught_up "$mnt"
exits "status works on the store" 0 daystream status "$store"
exits "and on the mount" 0 daystream status "$mnt"
like "with the position" "$output" "position.*[0-9]+\\.[0-9]+"
exits "check works beside the daemon" 0 daystream check "$store"
for command in check snapshot "drop --yes"; do
	# shellcheck disable=SC2086 # words
	exits "$command of the mount is refused" 1 timeout 20 daystream $command "$mnt"
	like "which says that it is one" "$output" "$mnt: .*mounted: give the store"
done
exits "a mirror of the store is refused" 1 timeout 20 deltamirror --once "$store" "$work/of-store.sqlite"
like "which says that it is one" "$output" "$store is a store: give the place"
check_not "and makes nothing" test -e "$work/of-store.sqlite"
exits "drop beside the daemon is refused" 1 daystream drop "$store" --yes
daemon_stop
exits "status of what is no store is an error" 1 daystream status "$work"
exits "check of what is no store is an error" 1 daystream check "$work"
exits "drop asks, and nobody answers" 1 daystream drop "$store"
is "the slot stands" "$(sql "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'daystream'")" 1
slot_free
exits "drop --yes drops" 0 daystream drop "$store" --yes
is "the slot is free" "$(sql "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'daystream'")" 0
is "what was saved for it is gone, too" "$(sql "SELECT count(*) FROM daystream.tables WHERE slot = 'daystream'")" 0
check "the store stays" daystream check "$store"
exits "a daemon without its slot ends with a reason" 1 timeout 60 daystreamfs "$store" "$mnt" -f
like "which says what to do" "$output" slot 'daystream init|gone|dropped|exist'

exits "only the tables that were asked for" 0 daystream init "$work/store3" --conninfo "$conninfo" --slot three --tables good,whole
daemon_start "$work/store3" "$work/mnt3"
sql "INSERT INTO good VALUES (2)"
sql "INSERT INTO keyless VALUES (2)"
sql "INSERT INTO whole VALUES (2)"
caught_up "$work/mnt3"
is "are in the stream" "$(find "$work/mnt3/tables" -mindepth 1 -printf '%f\n' | sort | paste -sd ' ')" "good whole"
plan
