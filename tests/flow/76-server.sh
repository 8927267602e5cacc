#!/bin/bash
# What a server does to those that follow it: it stops in each way, dies, cuts the connection, refuses the login,
# loses the plugin, the slot or WAL. Each time the stream goes on where it was, waits and says so, or ends with
# the remedy, which is then followed.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PGPORT=$(free_port)
server_create
# The messages of a server may be in any language.
german=
if [[ -e /usr/share/i18n/locales/de_DE && -e /usr/share/locale/de/LC_MESSAGES/postgres-15.mo ]]; then
	mkdir "$work/locale"
	localedef -i de_DE -f UTF-8 "$work/locale/de_DE.UTF-8" 2>/dev/null || true
	export LOCPATH=$work/locale
	german=de_DE.UTF-8
fi
printf '%s\n' "listen_addresses = '127.0.0.1'" 'max_wal_senders = 4' 'wal_keep_size = 0' >>"$server/data/postgresql.conf"
sed -i '1i host all follower 127.0.0.1/32 scram-sha-256' "$server/data/pg_hba.conf"
server_start
server_allow_plugin
sql "CREATE DATABASE shop"
sql "CREATE ROLE follower LOGIN REPLICATION PASSWORD 'first'"
sql "GRANT CREATE ON DATABASE shop TO follower"
export PGDATABASE=shop PGPASSFILE=$work/pgpass
password() { (umask 077; echo "127.0.0.1:*:*:follower:$1" >"$PGPASSFILE"); }
password first
check "a role with a password makes the store" \
	daystream init "$store" --conninfo "host=127.0.0.1 port=$PGPORT user=follower dbname=shop"
echo 'snapshot = off' >>"$store/daystream.conf"
daemon_start "$store" "$mnt"

ends() { # SENTENCE REGEX...: the daemon ends by itself, and says why
	local sentence=$1 status=0
	shift
	wait_for 60 "! alive $daemon_pid" "the daemon to end" || end_process "$daemon_pid"
	wait "$daemon_pid" || status=$?
	is "$sentence" "$status" 1
	like "... and the message has what and why and the remedy" "$(grep 'error: ' "$work/daemon.log" | tail -n 1)" "$@"
}
refuses() { # SENTENCE REGEX...: it does not start
	local sentence=$1 output
	shift
	exits "$sentence" 1 timeout 30 daystreamfs "$store" "$mnt" -f
	like "... and the message has what and why and the remedy" "$output" "$@"
}
waits() { # SENTENCE REGEX: it goes on trying, and says why
	check "$1" wait_for 60 "[[ \$(status_of '$mnt' state) == connecting ]] && status_of '$mnt' last_error | grep -Ei '$2'"
	check "... and the files stay" test -s "$mnt/live"
}
goes_on() { # SENTENCE
	check "$1" caught_up "$mnt" 60
}
cut() { sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active" >/dev/null; }
generation() { status_of "$mnt" generation; }

# ---- stops and crashes, under load

pgbench -q -i -s 1 >/dev/null 2>&1
sql "ALTER TABLE pgbench_history ADD COLUMN id bigserial PRIMARY KEY"
touch "$work/go"
bank() {
	while [[ -e $work/go ]]; do
		pgbench -n -c 4 -T 20 >>"$work/pgbench.log" 2>&1 || sleep 0.2
	done
}
bank &
bank=$!
processes() { pgrep -P "$(server_pid)" | tr '\n' ' '; }
crash() { # all of the server's processes at once, as when the machine loses power
	local pids
	kill -STOP "$(server_pid)" # so that it makes no more of them
	pids="$(server_pid) $(processes)"
	# shellcheck disable=SC2086
	kill -KILL $pids 2>/dev/null || true
	for pid in $pids; do wait_for 10 "! alive $pid"; done
	rm -f "$server/data/postmaster.pid" "$server"/.s.PGSQL.* # the dead may still stand in the process list
	server_start
}
checkpointer() { sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'" 2>/dev/null; }
child() { # one process dies, and the server starts its processes anew; a moment before, it still answers
	local pid before
	pid=$(sql "SELECT active_pid FROM pg_replication_slots WHERE active")
	before=$(checkpointer)
	[[ -z $pid ]] || kill -KILL "$pid"
	wait_for 60 "[[ -z '$pid' || \$(checkpointer) != @($before|) ]]"
}
for way in fast immediate crash child fast crash; do
	sleep 0.7
	case $way in
	crash) crash ;;
	child) child ;;
	*) server_restart "$way" ;;
	esac
	alive "$daemon_pid" || result 1 "the daemon lives over the stop \"$way\"" "$(tail -n 3 "$work/daemon.log")"
done
rm "$work/go"
pkill -P $bank pgbench || true
wait $bank || true
pgbench_over
goes_on "after six stops of all kinds under load it goes on"
cp "$mnt/live" "$work/live"
sql "SELECT id FROM pgbench_history" >"$work/history"
check "no transaction is lost, repeated or out of order" "$root/tests/flow/stream.py" bank "$work/live" "$work/history"
check "the stream follows its rules" "$root/tests/flow/stream.py" rules "$work/live"
note "$("$root/tests/flow/stream.py" bank "$work/live" "$work/history" | tail -n 1)"

# ---- the last transaction before a crash changed nothing of a definition: who hears of it depends on the session

sql "CREATE TABLE alike (a int PRIMARY KEY)"
sql "CHECKPOINT" # the slot is told no newer position by the crash
sql "INSERT INTO alike VALUES (1)"
goes_on "a table has a row"
daemon_stop
daemon_start "$store" "$mnt"
sql "ALTER TABLE alike ALTER a SET STATISTICS 10"
wal=$(sql "SELECT pg_current_wal_lsn()")
check "what has changed nothing is passed" wait_for 60 "[[ \$(sql \"SELECT confirmed_flush_lsn >= '$wal' FROM pg_replication_slots\") == t ]]"
is "and leaves no line" "$(tail -n 2 "$mnt/live" | grep -c commit)" 1
server_restart immediate
sql "INSERT INTO alike VALUES (2)"
goes_on "after a crash it goes on"

# ---- the connection is cut in the midst of a large transaction, again and again

sql "CREATE TABLE large (a int PRIMARY KEY, b text)"
goes_on "a table more"
connections() { grep -c 'replication connection authorized: user=follower' "$server/log" || true; }
tries=$(connections) since=$SECONDS
sql "ALTER SYSTEM SET log_connections = on"
reload
sql "INSERT INTO large SELECT g, repeat('x', 50) FROM generate_series(1, 200000) g"
cuts=0
for _ in {1..50}; do
	cut && cuts=$((cuts + 1))
	sleep 0.05
done
tries=$(($(connections) - tries)) since=$((SECONDS - since))
# After 0.2 s, 0.4 s, ... 10 s: seven in the first 13 s, then one each ten.
check "who is cut off again and again comes less often ($tries connections in $cuts tries to cut, $since s)" test "$tries" -lt $((12 + since / 10))
goes_on "the large transaction comes"
is "once" "$(grep -c '	_action	insert	a	' "$mnt/tables/large")" 200000
sql "ALTER SYSTEM RESET log_connections"

# ---- what passes by itself

walsenders() { sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender' AND application_name ~ '$1'"; }
hold() { # a walsender that streams nothing; $held
	[[ -p $work/held ]] || mkfifo "$work/held"
	psql "host=$PGHOST port=$PGPORT user=postgres dbname=shop replication=database" <>"$work/held" >/dev/null 2>&1 &
	held=$!
}
server_stop
echo 'max_wal_senders = 1' >>"$server/data/postgresql.conf"
server_start
goes_on "where there is one walsender only, it does with that"
daemon_stop
wait_for 60 "[[ \$(walsenders '') == 0 ]]" "the daemon's walsender to end"
hold
wait_for 60 "[[ \$(walsenders psql) == 1 ]]" "another one"
daemon_start "$store" "$mnt"
waits "where there is none left, it waits" max_wal_senders
kill "$held"
goes_on "and goes on when there is"
server_stop
echo 'wal_level = replica' >>"$server/data/postgresql.conf"
as_server pg_ctl -D "$server/data" -l "$server/log" -w start >/dev/null 2>&1 &&
	result 1 "PostgreSQL does not start with wal_level = replica where there is a logical slot" ""
sed -i '/^wal_level = replica/d; /^max_wal_senders = 1$/d' "$server/data/postgresql.conf"
server_start
goes_on "a server that was set to another wal_level, and back, is gone on with"
# ---- the login

sql "ALTER ROLE follower PASSWORD 'second'"
cut
waits "a password that was changed does not take the mount away" "password authentication.*daystream.conf"
wait_for 60 "grep -q 'password authentication.*trying again' '$work/daemon.log'" || true
is "the log says so, too, behind what ended the connection, and once" \
	"$(grep -c 'password authentication.*daystream.conf; trying again' "$work/daemon.log")" 1
password second
goes_on "with the new one in .pgpass it goes on by itself"
daemon_stop
password first
refuses "a wrong password" "password authentication failed for user .follower" "conninfo"
if [[ -n $german ]]; then
	sql "ALTER SYSTEM SET lc_messages = '$german'"
	reload
	refuses "is one in another language, too" "Passwort-Authentifizierung" "conninfo"
	sql "ALTER SYSTEM RESET lc_messages"
	reload
else
	note "no German here: the server's other languages are not tested"
fi
password second
sql "ALTER ROLE follower NOREPLICATION"
refuses "a role that may not replicate any more" "replication role" "conninfo"
sql "ALTER ROLE follower REPLICATION"
sed -i '1i host all follower 127.0.0.1/32 reject' "$server/data/pg_hba.conf"
reload
refuses "a role that pg_hba.conf refuses" "pg_hba.conf" "conninfo"
sed -i 1d "$server/data/pg_hba.conf"
reload
sql -d postgres "ALTER DATABASE shop RENAME TO store"
refuses "a database that is not there" 'database "shop" does not exist' "conninfo"
sed -i 's/dbname=shop/dbname=store/' "$store/daystream.conf"
refuses "one under another name" 'database "store"' '"shop"' "conninfo" "init"
sql -d postgres "ALTER DATABASE store RENAME TO shop"
sed -i 's/dbname=store/dbname=shop/' "$store/daystream.conf"

# ---- the plugin

if [[ $(sql "SELECT count(*) FROM pg_settings WHERE name = 'output_plugin_libraries'") -eq 1 ]]; then
	daemon_start "$store" "$mnt"
	list=$(sql "SELECT setting FROM pg_settings WHERE name = 'output_plugin_libraries'")
	sql "ALTER SYSTEM SET output_plugin_libraries = pgoutput"
	reload
	sql "INSERT INTO large VALUES (-1)"
	cut
	ends "a plugin that was taken off the list" "output_plugin_libraries" "ALTER SYSTEM SET output_plugin_libraries = .*deltaflood"
	sql "ALTER SYSTEM SET output_plugin_libraries = $list"
	reload
fi
mv "$server/lib/deltaflood.so" "$work/"
sql "ALTER SYSTEM SET dynamic_library_path = '$server/lib'" # daystream may be installed on this machine
reload
refuses "a plugin that is not there" "deltaflood" "make install"
sql "ALTER SYSTEM RESET dynamic_library_path"
reload
mv "$work/deltaflood.so" "$server/lib/"
daemon_start "$store" "$mnt"
goes_on "with both it goes on"
check "a mirror follows" deltamirror --once "$mnt" "$mirror" --from "host=$PGHOST port=$PGPORT user=postgres dbname=shop"
equal_tables "and after all this it equals the server"
is "all this was one generation" "$(generation)" 1

# ---- the slot

again() { # GENERATION: the remedy, which ends it
	exits "... and the remedy helps" 0 daystream init "$store"
	daemon_start "$store" "$mnt"
	is "... with a new generation" "$(generation)" "$(($1 + 1))"
	sql "INSERT INTO large VALUES (-100 - $1)"
	goes_on "... which goes on"
	exits "... and the mirror of the one before stops" 1 deltamirror --once "$mnt" "$mirror"
	like "... and says why" "$output" generation "--resync"
}
daemon_stop
sql "INSERT INTO large VALUES (-2)"
slot_free
sql "SELECT pg_replication_slot_advance('daystream', pg_current_wal_lsn())" >/dev/null
sql "INSERT INTO large VALUES (-3)"
refuses "a slot that was advanced behind our back" 'slot "daystream" is confirmed up to' "lost" "daystream init"
again 1
sql "SELECT pg_terminate_backend(active_pid), pg_sleep(0.05) FROM pg_replication_slots WHERE active" >/dev/null
for _ in {1..100}; do # before it is back
	! sql "SELECT pg_drop_replication_slot('daystream')" >/dev/null 2>&1 || break
	cut
done
ends "a slot that is dropped while it is followed" 'slot "daystream" does not exist' "daystream init"
again 2
daemon_stop
slot_drop
sql "SELECT pg_create_logical_replication_slot('daystream', 'deltaflood')" >/dev/null
refuses "one that a stranger made anew, though no row is between" 'slot "daystream" is confirmed up to' "recreated" "daystream init"
again 3
daemon_stop
slot_drop
sql "SELECT pg_create_logical_replication_slot('daystream', 'test_decoding')" >/dev/null
refuses "one of another plugin" test_decoding "another --slot"
sql "SELECT pg_drop_replication_slot('daystream')" >/dev/null
sql -d postgres "SELECT pg_create_logical_replication_slot('daystream', 'deltaflood')" >/dev/null
refuses "one of another database" 'database "postgres"' "another --slot"
sql "SELECT pg_drop_replication_slot('daystream')" >/dev/null
again 4
sql "ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'"
reload
daemon_stop
sql "INSERT INTO large SELECT g, repeat('x', 50) FROM generate_series(1000000, 1001000) g"
for _ in 1 2 3; do sql "SELECT pg_switch_wal()" >/dev/null; sql "INSERT INTO large SELECT max(a) + 1 FROM large"; done
sql CHECKPOINT
sql CHECKPOINT
is "a slot that keeps more WAL than it may is invalidated" "$(sql "SELECT wal_status FROM pg_replication_slots")" lost
refuses "which is said" "invalidated" "max_slot_wal_keep_size" "daystream init"
sql "ALTER SYSTEM RESET max_slot_wal_keep_size"
reload
again 5

# ---- WAL that is not there

daemon_stop
sql "INSERT INTO large VALUES (-4)"
server_stop
as_server pg_resetwal -f "$server/data" >/dev/null
server_start
daemon_start "$store" "$mnt" || true
ends "after pg_resetwal" "WAL" "daystream drop.*daystream init"
exits "the slot is dropped" 0 daystream drop --yes "$store"
again 6
exits "a mirror that begins anew" 0 deltamirror --resync --once --from "host=$PGHOST port=$PGPORT user=postgres dbname=shop" "$mnt" "$mirror"
equal_tables "equals the server"
check "the stream follows its rules" "$root/tests/flow/stream.py" rules "$mnt/live"
daemon_stop
check "the store is sound" daystream check "$store"
plan
