#!/bin/bash
# PostgreSQL's own regression tests, whose SQL nobody wrote with a mirror in mind, while a mirror follows and the daemon
# and the mirror are killed now and then; so those of test_decoding, of concurrency, of contrib/ and of PL/pgSQL. Not one of `make check`, since it takes PostgreSQL's sources:
# `make regress POSTGRES_SRC=FOLDER`, of the server's version. What the tests themselves say does not matter.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

top=$(realpath "${POSTGRES_SRC:?the folder of PostgreSQL\'s sources}") tests=$work/regress
programs=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
server_up
for setting in max_prepared_transactions=10 max_connections=60; do
	psql -Xq -c "ALTER SYSTEM SET ${setting/=/ = }"
done
server_stop fast
server_start
mkdir "$tests"
gcc -shared -fPIC -I"$("$PG_CONFIG" --includedir-server)" "$top/src/test/regress/regress.c" -o "$tests/regress.so"

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
suite() { # PROGRAM FOLDER [ITS ARGUMENTS]: all that is in sql/, unless told
	local program=$programs/$1 folder=$top/$2 copy=$tests/suite
	shift 2
	echo "== $folder"
	rm -rf "$copy"
	cp -R "$folder" "$copy"
	mkdir -p "$copy"/{results,output_iso/results,testtablespace}
	# Text that is none ends the stream, which says so (05-plugin-encoding).
	[[ ! -e $copy/parallel_schedule ]] || sed -i 's/ encoding / /' "$copy/parallel_schedule"
	# PostgreSQL 15 itself cannot decode the rows of such a table that was dropped since, whatever the plugin.
	sed -i 's/user_catalog_table *= *true/user_catalog_table = false/' "$copy"/{sql,specs}/* 2>/dev/null || true
	[[ $# -gt 0 ]] || mapfile -t < <(basename -as .sql "$copy"/sql/*.sql)
	[[ $EUID -ne 0 ]] || chown -R postgres "$copy"
	(cd "$copy" && timeout 600 "${as_postgres[@]}" "$program" --use-existing --dbname=regression --inputdir=. --outputdir=. \
		--dlpath="$tests" --bindir="$pg_bin" --host="$PGHOST" --port="$PGPORT" --user=postgres "${@:-${MAPFILE[@]}}") || true
}
decoded=()
for spec in "$top"/contrib/test_decoding/specs/*.spec; do
	decoded+=("$(basename "$spec" .spec)")
done
{
	suite regress/pg_regress src/test/regress --schedule=parallel_schedule --max-concurrent-tests=20
	suite isolation/pg_isolation_regress contrib/test_decoding "${decoded[@]}"
	suite regress/pg_regress contrib/test_decoding
	suite isolation/pg_isolation_regress src/test/isolation --schedule=isolation_schedule
	for module in citext hstore ltree cube seg isn intarray lo btree_gist tablefunc spi tcn pg_trgm bloom unaccent; do
		suite regress/pg_regress "contrib/$module"
	done
	suite regress/pg_regress src/pl/plpgsql/src
} >"$work/tests.log" 2>&1 &
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
note "$(grep -Ec '(^test|^ ) .*\.\.\. ' "$work/tests.log") tests ran, of which $(grep -c ' FAILED ' "$work/tests.log") had another output"
check "most of them ran" test "$(grep -c '\.\.\. ok ' "$work/tests.log")" -gt 300
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
