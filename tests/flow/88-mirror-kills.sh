#!/bin/bash
# deltamirror is killed at its first call that changes state, then at its second, ... until it comes to its end: while it builds,
# follows, comes anew as a whole and by tables. Each goes on from what the one before left. Then its calls fail, one by one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs record.so

folder=$work/folder
mirror=$folder/m.sqlite
mkdir "$folder"
run() { # RECORD_...=... [OPTION]: leaves its status in $status
	status=0
	{ # bash would say of each that it was killed
		env RECORD_ROOT="$folder" "$1" LD_PRELOAD="$build/tests/record.so" \
			timeout 60 deltamirror --once "${@:2}" "$mnt" "$mirror" >"$work/run.log" 2>&1 || status=$?
	} 2>/dev/null
}
content() { # of all tables, whatever the order of rows, and where it stands
	sqlite3 -readonly "$mirror" "SELECT 1, * FROM t ORDER BY 2; SELECT 2, * FROM keyless ORDER BY 2, 3; SELECT 3, * FROM later ORDER BY 2;
		SELECT epoch, seq, lsn FROM _daystream" | sha256sum
}
sound() { # what bears the name is whole; looked at without a change
	[[ ! -s $mirror || $(sqlite3 -readonly "$mirror" 'PRAGMA integrity_check; SELECT count(*) > 0 FROM _daystream_tables' | paste -sd ' ') == "ok 1" ]]
}

# From what a folder holds: killed at the n-th call, then n + 1, ... until one comes to its end. Then from the start again
# with that n, until one comes from the start to its end at once.
killed() { # WHAT FOLDER [OPTION]
	local what=$1 from=$2 within n fresh kills wrong=
	shift 2
	for within in '' +; do
		# All calls, in turns.
		[[ -z $within ]] && n=1 || n=2
		fresh='' kills=0
		while [[ -z $wrong ]]; do
			[[ -n $fresh ]] || { rm -rf "$folder"; cp -a "$from" "$folder"; fresh=yes; }
			run "RECORD_STOP=$n$within" "$@"
			if [[ $status -eq 137 ]]; then
				sound || wrong="unsound after call $n$within"
				kills=$((kills + 1)) n=$((n + 2)) fresh=no
				continue
			fi
			[[ $status -eq 0 ]] || wrong="status $status at call $n$within: $(tail -n 1 "$work/run.log")"
			[[ -n $wrong || -z $(compgen -G "$mirror?*") ]] || wrong="left at call $n$within: $(ls "$folder")"
			[[ -n $wrong || $(content) == "$truth" ]] || wrong="another content at call $n$within"
			[[ $fresh == no ]] || break
			fresh=''
		done
		note "$what: killed $kills times${within:+, in the middle of writes}"
	done
	is "$what: killed at any call it comes to the same end" "$wrong" ""
}

# From what a folder holds: the n-th write fails, or sync; for one time, or from then on. It says so and ends, or does not mind;
# what it leaves is sound, and the next one goes on from there.
failing() { # WHAT FOLDER [OPTION]
	local what=$1 from=$2 fault n left count=0 wrong=
	shift 2
	for fault in write:N:EIO:* write:N:ENOSPC fsync:N:EIO fdatasync:N:EIO; do
		for ((n = 1; n < 200; n++)); do
			rm -rf "$folder"
			cp -a "$from" "$folder"
			run "RECORD_FAIL=${fault/N/$n}" "$@"
			left=$(compgen -G "$mirror?*" || true) # before sqlite3 looks at it
			if [[ $status -eq 0 && $(content) == "$truth" ]]; then
				# No such call any more.
				[[ -n $left || ($fault == *sync* && $n -lt 6) ]] || break
			elif [[ $status -ne 1 || $(tail -n 1 "$work/run.log") != *"$folder"* ]]; then
				wrong="status $status with $fault, $n: $(tail -n 1 "$work/run.log")"
			fi
			[[ $left != *.building* && $left != *.resync* ]] || wrong="left with $fault, $n: $(ls "$folder")"
			run RECORD_STOP=0
			[[ $status -eq 0 && $(content) == "$truth" ]] || wrong="after $fault, $n it does not go on: $(tail -n 1 "$work/run.log")"
			[[ -z $wrong ]] || break 2
			count=$((count + 1))
		done
	done
	note "$what: $count faults"
	is "$what: whatever call fails, the next start comes to the same end" "$wrong" ""
}

server_up
stream_up
sql "CREATE TABLE t (id int PRIMARY KEY, v text)"
sql "CREATE TABLE keyless (a int, b text)"
sql "ALTER TABLE keyless REPLICA IDENTITY FULL"
sql "INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 50) g"
sql "INSERT INTO keyless SELECT g % 3, 'same' FROM generate_series(1, 9) g"
snapshot_taken
mkdir "$work/nothing"
mirror_once >"$work/mirror.log" 2>&1
cp -a "$folder" "$work/old"
sql "INSERT INTO keyless VALUES (1, 'same'), (1, 'same'), (2, 'other')"
sql "UPDATE t SET v = v || v WHERE id % 5 = 0"
sql "CREATE TABLE later (k text PRIMARY KEY)"
sql "ALTER TABLE t ADD COLUMN w int DEFAULT 3"
sql "INSERT INTO later SELECT 'k' || g FROM generate_series(1, 20) g"
sql "UPDATE t SET id = -id WHERE id < 5"
sql "DELETE FROM keyless WHERE a = 2"
mirror_once >"$work/mirror.log" 2>&1
truth=$(content)
equal_tables "a mirror that is let be equals the server"

killed "building" "$work/nothing"
killed "following" "$work/old"
killed "coming anew" "$work/old" --resync
killed "a table coming anew" "$work/old" --resync=t
failing "building" "$work/nothing"
failing "following" "$work/old"
failing "coming anew" "$work/old" --resync
failing "a table coming anew" "$work/old" --resync=t

# What it left beside the mirror goes with the next start, whatever that one is told to do.
rm -rf "$folder"
cp -a "$work/old" "$folder"
for ((n = 1; n < 100; n++)); do
	run "RECORD_STOP=$n" --resync=t
	[[ -z $(compgen -G "$mirror.resync*") ]] || break
done
check "a table that was coming anew is half there" compgen -G "$mirror.resync*"
run RECORD_STOP=0
is "and goes" "$(compgen -G "$mirror.*")" ""
equal_tables "it equals the server"
check "--verify says so, too" timeout 60 deltamirror --verify "$conninfo" "$mirror"
plan
