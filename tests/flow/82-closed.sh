#!/bin/bash
# Files and folders of the store that who works on it may not read, or that are a pipe or a device: each program says which, once,
# and ends; or does without it. None hangs.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

server_up
daystream init "$store" --conninfo "$conninfo" >/dev/null 2>&1
printf '%s\n' 'segment_size = 25000' 'snapshot = off' >>"$store/daystream.conf"
sql "CREATE TABLE zzz (a bigint PRIMARY KEY, b text)"
daemon_start "$store" "$mnt"
for i in 1 2 3; do
	sql "INSERT INTO zzz SELECT $i * 1000 + g, md5(g::text) FROM generate_series(1, 300) g"
done
caught_up "$mnt"
check "a snapshot is taken" snapshot_taken
snapshot=snapshots/$(tail -n 1 "$work/snapshot.log")
daemon_stop
mapfile -t all < <(cd "$store" && find segments -name '*.day' | sort -V)
owner=$(stat -c %U "$store")
cp -a "$store" "$work/sound"
chmod 755 "$work"
kinds=(closed "another user's" "a pipe")
if mknod "$work/device" c 1 5 2>/dev/null; then
	kinds+=("a device") # /dev/zero, which has no end
fi
again() {
	rm -rf "$store"
	cp -a "$work/sound" "$store"
}
spoil() { # FILE KIND
	local file=$store/$1
	case $2 in
	closed) chmod 000 "$file" ;;
	"another user's") chown games: "$file" && chmod go= "$file" ;;
	"a pipe") rm -rf "$file" && mkfifo "$file" && chown "$owner": "$file" ;;
	"a device") rm -rf "$file" && mknod "$file" c 1 5 && chown "$owner": "$file" ;;
	esac
}
tried=0
wrong=
answers() { # FILE KIND STATUS COMMAND...: it ends with that status (any), and where that is 1, with one error that names the file
	local file=$1 kind=$2 wanted=$3 status=0 named=${1%/manifest}
	shift 3
	tried=$((tried + 1))
	timeout -k 2 20 "$@" >/dev/null 2>"$work/errors" || status=$?
	if ((status > 1)) || { [[ $wanted != any ]] && ((status != wanted)); } ||
		{ ((status == 1)) && [[ $(grep -c 'error:' "$work/errors") != 1 || $(<"$work/errors") != *"$named"* ]]; }; then
		wrong+="$file $kind: $* gave $status: $(<"$work/errors")"$'\n'
	fi
}
as_owner() { # FILE KIND STATUS COMMAND...
	answers "$1" "$2" "$3" setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups -- "${@:4}"
}

if [[ $owner == root ]]; then
	note "root reads all: nothing is closed to it"
	plan
	exit
fi
for kind in "${kinds[@]}"; do
	for file in daystream.conf confirmed "${all[1]}" "${all[-1]}" segments; do
		spoil "$file" "$kind"
		as_owner "$file" "$kind" 1 daystream check "$store"
		as_owner "$file" "$kind" "$([[ $file == "${all[1]}" ]] && echo any || echo 1)" daystream status "$store"
		as_owner "$file" "$kind" "$([[ $file == daystream.conf ]] && echo 0 || echo 1)" daystream cat "$store"
		# Root reads the settings, then is that user; where that one may do nothing, all runs as root.
		[[ $file =~ ^(daystream.conf|segments)$ && $kind != "a "* ]] || answers "$file" "$kind" 1 daystreamfs "$store" "$mnt" -f
		again
	done
	for file in snapshots "$snapshot" "$snapshot/manifest" "$snapshot/sums" "$snapshot/tables" "$snapshot/tables/zzz" \
		"$snapshot/overlap"; do
		spoil "$file" "$kind"
		# What is no folder is no snapshot's.
		as_owner "$file" "$kind" "$([[ $file == "$snapshot" && $kind == "a "* ]] && echo 0 || echo 1)" daystream check "$store"
		as_owner "$file" "$kind" 0 daystream cat "$store"
		as_owner "$file" "$kind" 0 daystream status "$store"
		again
	done
done
is "of $tried starts of a program, each said what it could not read, and ended" "$wrong" ""

# ---- derived: done without, and made again

for kind in "${kinds[@]}"; do
	for file in reserve "${all[1]%.day}.idx"; do
		spoil "$file" "$kind"
		check "a $file that is $kind: the daemon starts" daemon_start "$store" "$mnt"
		check "... and serves all" timeout -k 5 20 cat "$mnt/live"
		daemon_stop
		rm -rf "${store:?}/$file"
	done
done

# ---- where a snapshot is written

daemon_start "$store" "$mnt"
for kind in "${kinds[@]}"; do
	mv "$store/snapshots" "$work/snapshots"
	mkdir "$store/snapshots"
	spoil snapshots "$kind"
	wrong=
	as_owner snapshots "$kind" 1 daystream snapshot "$store"
	is "a snapshot that cannot be taken, as its folder is $kind, is an error" "$wrong" ""
	check "the mount goes on" timeout 10 cat "$mnt/status"
	rm -rf "$store/snapshots"
	mv "$work/snapshots" "$store/snapshots"
done
daemon_stop
plan
