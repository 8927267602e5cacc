#!/bin/bash
# --numeric=real: doubles where no key needs more, for the whole life of a mirror.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
sql "CREATE TABLE price (k numeric PRIMARY KEY, v numeric, m numeric(12,2), l numeric[])"
sql "CREATE TABLE loose (a numeric, b numeric(5,2), c text); ALTER TABLE loose REPLICA IDENTITY FULL"
stream_up
numbers="(VALUES ('0'), ('-0.1'), ('1.50'), ('NaN'), ('Infinity'), ('-Infinity'), ('1e400'), ('-1e400'), ('1e-400'), ('-1e-400'), ('5e-324'),
	('9007199254740993'), ('0.1000000000000000055511151231257827021181583404541015625'), ('0.10000000000000000000000000001'), ('1' || repeat('0', 700))) x(n)"
sql "INSERT INTO price SELECT n::numeric, n::numeric, 1.50, ARRAY[n::numeric] FROM $numbers"
sql "INSERT INTO loose SELECT n::numeric, 1.5, c FROM $numbers, (VALUES ('b'), ('a'), (NULL)) y(c)"
caught_up "$mnt"
exits "a mirror may be made with doubles" 0 deltamirror --once --numeric=real "$mnt" "$mirror"
is "a key stays exact, all else is the nearest double" "$(sqlite3 "$mirror" "SELECT k, v, typeof(v), m, l FROM price WHERE k IN ('1.50', '9007199254740993', 'NaN') ORDER BY k")" \
	"1.50|1.5|real|1.5|{1.50}"$'\n'"9007199254740993|9.00719925474099e+15|real|1.5|{9007199254740993}"$'\n'"NaN|NaN|text|1.5|{NaN}"
exits "it is equal by that rule" 0 deltamirror --verify "$conninfo" "$mirror" --wait 5
sql "UPDATE price SET v = v * 2, k = k + 1 WHERE k < 'Infinity' AND k > '-Infinity'; DELETE FROM price WHERE k = 2.50"
sql "DELETE FROM loose WHERE c = 'a' AND a > 1e300 AND a < 'Infinity'; UPDATE loose SET a = a + 0.3 WHERE c IS NULL"
caught_up "$mnt"
exits "the choice is remembered" 0 deltamirror --once "$mnt" "$mirror"
exits "and changes are equal" 0 deltamirror --verify "$conninfo" "$mirror" --wait 5
exits "another choice later is refused" 1 deltamirror --once --numeric=text "$mnt" "$mirror"
like "with the way out" "$output" 'made with --numeric=real.*another database'
sqlite3 "$mirror" "UPDATE price SET v = v + 1e-15 WHERE k = '0.9'"
like "a double that is not the nearest is found" "$(deltamirror --verify "$conninfo" "$mirror" --wait 1 2>/dev/null)" $'differing\tk=0.9\tv'
sqlite3 "$mirror" "UPDATE price SET v = -0.2 WHERE k = '0.9'"

sql "ALTER TABLE price DROP CONSTRAINT price_pkey; ALTER TABLE price ADD PRIMARY KEY (k, m)"
caught_up "$mnt"
exits "a number that becomes part of the key is not made up" 1 deltamirror --once "$mnt" "$mirror"
like "but told" "$output" 'numeric column "m" has become part of the key.*--resync'
exits "--from brings it anew" 0 deltamirror --once --resync --from "$conninfo" "$mnt" "$mirror"
exits "as it was made" 0 deltamirror --verify "$conninfo" "$mirror" --wait 5
is "with exact numbers in the key" "$(sqlite3 "$mirror" "SELECT DISTINCT typeof(m) || m || typeof(v) FROM price WHERE k = '0.9'")" "text1.50real"
exits "what is no choice is wrong usage" 2 deltamirror --numeric=float "$mnt" "$mirror"
plan
