#!/bin/bash
# PostgreSQL's own regression tests, whose SQL nobody wrote with a mirror in mind, while a mirror follows and the daemon
# and the mirror are killed now and then. Not one of `make check`, since it takes PostgreSQL's sources:
# `make regress POSTGRES_SRC=FOLDER`, of the server's version. What the tests themselves say does not matter.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

src=$(realpath "${POSTGRES_SRC:?the folder of PostgreSQL\'s sources}")/src/test/regress tests=$work/regress
pgxs=$("$PG_CONFIG" --pgxs)
server_up
for setting in max_prepared_transactions=10 max_connections=60; do
	psql -Xq -c "ALTER SYSTEM SET ${setting/=/ = }"
done
server_stop fast
server_start
mkdir -p "$tests/results" "$tests/testtablespace"
cp -R "$src/sql" "$src/expected" "$src/data" "$tests"
# It makes text that is none, which ends the stream and says so (05-plugin-encoding).
sed 's/ encoding / /' "$src/parallel_schedule" >"$tests/schedule"
gcc -shared -fPIC -I"$("$PG_CONFIG" --includedir-server)" "$src/regress.c" -o "$tests/regress.so"
[[ $EUID -ne 0 ]] || chown -R postgres "$tests"

sql "CREATE DATABASE regression TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'" # as its tests expect
export PGDATABASE=regression
conninfo="host=$PGHOST port=$PGPORT user=$PGUSER dbname=regression"
# Most of its tables have no key. With one, or this, a mirror is exact.
psql -Xq <<'SQL'
CREATE SCHEMA identity;
CREATE FUNCTION identity.full() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
	command record;
BEGIN
	FOR command IN SELECT objid::regclass AS made FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' LOOP
		BEGIN
			EXECUTE 'ALTER TABLE ' || command.made || ' REPLICA IDENTITY FULL';
		EXCEPTION WHEN OTHERS THEN NULL; -- in use: its test goes first
		END;
	END LOOP;
END $$;
CREATE EVENT TRIGGER identity ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
	EXECUTE FUNCTION identity.full();
SQL
stream_up
follow() {
	deltamirror "$mnt" "$mirror" >>"$work/mirror.log" 2>&1 &
	follower=$!
}
follow

as_postgres=()
[[ $EUID -ne 0 ]] || as_postgres=(runuser -u postgres --)
(cd "$tests" && "${as_postgres[@]}" "$(dirname "$pgxs")/../test/regress/pg_regress" --use-existing --dbname=regression \
	--inputdir=. --outputdir=. --dlpath="$tests" --bindir="$pg_bin" --schedule=schedule --host="$PGHOST" --port="$PGPORT" \
	--user=postgres) >"$work/tests.log" 2>&1 &
tests_pid=$!
while alive $tests_pid; do
	sleep $((2 + RANDOM % 4))
	if ((RANDOM % 2)); then
		daemon_kill
		daemon_start "$store" "$mnt"
	else
		end_process "$follower" KILL
		wait "$follower" 2>/dev/null || true
		follow
	fi
done
wait $tests_pid || true
note "$(grep -E 'tests (passed|failed)' "$work/tests.log" || tail -n 3 "$work/tests.log")"
check "most of its tests ran" test "$(grep -c ' ok ' "$work/tests.log")" -gt 100
caught_up "$mnt" 300
check "the daemon lives" alive "$daemon_pid"
check "the mirror lives" alive "$follower"
end_process "$follower"
check "the mirror catches up" deltamirror --once "$mnt" "$mirror"
check "the store is sound" daystream check "$store"

# Which the mirror said of itself.
grep -oP 'warning: .*?table "\K[^"]+' "$work/mirror.log" | sort -u >"$work/warned" || true
"$root/contrib/compare-tables" "$mirror" >"$work/compared" || true
awk '/ DIFFERENT$/ { print $1 }' "$work/compared" | sort >"$work/differ"
note "$(grep -c ' equal$' "$work/compared") tables are equal; told to be inexact: $(paste -sd ' ' "$work/warned")"
check "many tables are there" test "$(grep -c ' equal$' "$work/compared")" -gt 300
is "no table differs of which that was not told" "$(comm -23 "$work/differ" "$work/warned")" ""

snapshot_taken
check "a new mirror" deltamirror --once "$mnt" "$work/new.sqlite"
check "equals PostgreSQL" "$root/contrib/compare-tables" -q "$work/new.sqlite"
plan
