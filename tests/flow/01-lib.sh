#!/bin/bash
# What the other flow tests stand on: the private server, and its end.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
is "the private server answers" "$(sql 'SELECT 1')" 1
is "it listens on no network" "$(sql 'SHOW listen_addresses')" ""
is "it decodes" "$(sql 'SHOW wal_level')" logical
pid=$(server_pid)
if [[ $EUID -eq 0 ]]; then
	is "it runs as user postgres" "$(ps -o user= -p "$pid")" postgres
fi
server_restart immediate
is "it comes back after a crash" "$(sql 'SELECT 1')" 1
check_not "the process before is gone" alive "$pid"
check_not "what does not come in time is a failure" wait_for 1 false
in_another_test() { # COMMAND: what is told of it, and how it ended
	bash -c '. "$0/tests/flow/lib.sh"; check "one" true; eval "$1"; plan' "$root" "$1" 2>/dev/null && echo 0 || echo $?
}
is "also where it ends the test" "$(in_another_test 'wait_for 0 false "a miracle"')" $'ok 1 - one\nnot ok 2 - waited for a miracle\n1'
is "what else ends a test is none" "$(in_another_test 'wait_for 1 true "no miracle"; false')" $'ok 1 - one\n1'
is "nor is a wait that may be in vain" "$(in_another_test 'wait_for 0 false "a miracle" || true; check "two" true')" $'ok 1 - one\nok 2 - two\n1..2\n0'

# A comparison that finds nothing proves nothing.
sql "CREATE TABLE t (id int PRIMARY KEY, b bool, f float8, x bytea, t text, n numeric)"
sql "INSERT INTO t VALUES (1, true, 0.1, '\\x00ff', E'a\\tb\\\\', 1.10), (2, false, 1e30, '', '', 12345678901234567890.5), (3, NULL, NULL, NULL, NULL, NULL)"
sqlite3 "$mirror" "CREATE TABLE t (id INTEGER PRIMARY KEY, b INTEGER, f REAL, x BLOB, t TEXT, n TEXT)"
sqlite3 "$mirror" "INSERT INTO t VALUES (1, 1, 0.1, x'00ff', 'a' || char(9) || 'b\\', '1.10'), (2, 0, 1e30, x'', '', '12345678901234567890.5'), (3, NULL, NULL, NULL, NULL, NULL)"
equal_tables "equal tables compare as equal"
for change in "t = '' WHERE id = 3" "t = NULL WHERE id = 2" "b = 0 WHERE id = 1" "x = x'00fe' WHERE id = 1" \
	"f = 0.2 WHERE id = 1" "n = '1.1' WHERE id = 1" "id = 4 WHERE id = 3"; do
	cp "$mirror" "$work/other.sqlite"
	sqlite3 "$work/other.sqlite" "UPDATE t SET $change"
	check_not "a difference is found: $change" "$root/contrib/compare-tables" -q "$work/other.sqlite"
done
sql "INSERT INTO t VALUES (5)"
check_not "a missing row is found" "$root/contrib/compare-tables" -q "$mirror"
sql "DELETE FROM t WHERE id IN (3, 5)"
check_not "a row too many is found" "$root/contrib/compare-tables" -q "$mirror"

# Followers wait for a mark in the stream, which others may write on after.
mkdir "$work/busy"
(
	sql() { { echo "${1##*caught_up}" && yes other | head -n 200000; } >"$work/busy/live"; }
	caught_up "$work/busy" 2
) && status=0 || status=$?
result "$status" "a mark is found with much written after it"
plan
