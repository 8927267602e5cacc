#!/bin/bash
# A time that --since or --until takes is the one that PostgreSQL takes it for; what it would refuse is refused.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

"${CC:-cc}" -std=c11 -D_GNU_SOURCE -I"$root/common" -o "$work/moment" "$root/tests/flow/moment.c" \
	"$root"/common/{moment,wall,zone,position,err,line}.c -lm
server_up
sql "CREATE FUNCTION moment(t text) RETURNS text LANGUAGE plpgsql AS \$\$ DECLARE at numeric; BEGIN
	at := greatest(0, extract(epoch FROM t::timestamptz));
	RETURN CASE WHEN abs(at) = 'Infinity' THEN 'refused' ELSE floor(at) || ' ' || (at <> floor(at))::int END;
	EXCEPTION WHEN OTHERS THEN RETURN 'refused'; END \$\$"
seed=${SEED:-1} # another one by hand
note "SEED=$seed"
for zone in Europe/Berlin America/St_Johns UTC; do
	python3 "$root/tests/flow/moments.py" "$seed" 8000 | sort -u >"$work/texts"
	TZ=$zone "$work/moment" <"$work/texts" >"$work/ours"
	{
		echo "SET timezone = '$zone'; CREATE TEMP TABLE texts (n serial, t text); COPY texts (t) FROM STDIN;"
		cat "$work/texts"
		echo '\.'
		echo "SELECT moment(t) FROM texts ORDER BY n"
	} | psql -XqAt >"$work/theirs"
	paste -d '|' "$work/texts" "$work/ours" "$work/theirs" >"$work/all"
	is "in $zone no time is misread" "$(awk -F '|' '$2 != "refused" && $2 != "no time" && $2 != $3' "$work/all")" ""
	taken=$(awk -F '|' '$2 != "refused" && $2 != "no time"' "$work/all" | wc -l)
	note "$taken of $(wc -l <"$work/all") were taken; PostgreSQL takes $(grep -vc refused "$work/theirs")"
	check "and some are taken" test "$taken" -gt 100
done
plan
