# shellcheck shell=bash disable=SC2034,SC2154
# workload.sh - sourced by the rows that need changes of a table: `bench`, seven columns of the usual types.

workload_table() {
	sql "CREATE TABLE bench (id bigint PRIMARY KEY, a int, b bigint, c text, d timestamptz, e numeric(12,2), f boolean)"
}

workload_row="(g * 7919::bigint) % 100000, g * 1000003::bigint, md5(g::text), '2026-01-01'::timestamptz + g * interval '1.000001 s',
	(g % 1000000) / 100.0, g % 2 = 0"

workload_insert() { # FROM TO [PER TRANSACTION]: rows; all in one transaction, unless told
	sql -c "SET synchronous_commit = off" "DO \$\$ BEGIN
		FOR i IN $1..$2 BY ${3:-$(($2 - $1 + 1))} LOOP
			INSERT INTO bench SELECT g, $workload_row
				FROM generate_series(i, least(i + ${3:-$(($2 - $1 + 1))} - 1, $2)) g;
			COMMIT;
		END LOOP;
	END \$\$"
}

workload_update() { # COUNT: so many rows, in one transaction, in the table's order
	sql "UPDATE bench SET a = a + 1, c = md5(c), f = NOT f WHERE id <= $1"
}

workload_random() { # COUNT KEYS: updates of the keys up to KEYS by chance, 100 in a transaction
	sql -c "SET synchronous_commit = off" -c "SET enable_sort = off" -c "SELECT setseed(0.5)" "DO \$\$ BEGIN
		FOR i IN 1..$1 / 100 LOOP
			UPDATE bench SET a = a + 1, b = b + i, c = md5(c) FROM
				(SELECT DISTINCT 1 + floor(random() * $2)::bigint AS key FROM generate_series(1, 100)) k
				WHERE id = k.key;
			COMMIT;
		END LOOP;
	END \$\$" >/dev/null
}

workload_log() { # insert|update|small: what a slot is to decode; leaves $changes
	case $1 in
	insert)
		changes=$inserts
		workload_insert 1 "$inserts"
		;;
	update)
		changes=$updates
		workload_update "$updates"
		;;
	small) # transactions of one row each
		changes=$transactions
		workload_insert 10000001 $((10000000 + transactions)) 1
		;;
	esac
}
