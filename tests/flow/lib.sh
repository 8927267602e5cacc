# shellcheck shell=bash
# lib.sh - sourced by the flow tests: a private server with daystream on top
# (contrib/private-cluster.sh) and assertions that print TAP. An assertion
# that fails goes on to the next (with TEST_FIRST_FAILURE set it ends the
# test); whatever else fails ends the test. So does a wait in vain (wait_for),
# which is told like an assertion.
#
#     . tests/flow/lib.sh
#     server_up
#     is "one is one" "$(sql 'SELECT 1')" 1
#     plan

set -euo pipefail
# shellcheck source=../../contrib/private-cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../contrib/private-cluster.sh"

tap_count=0
tap_failed=0

result() { # STATUS SENTENCE [DETAIL]
	in_vain=
	tap_count=$((tap_count + 1))
	if [[ $1 -eq 0 ]]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
		[[ -z ${3:-} ]] || head -c 4000 <<<"$3" | sed 's/^/#   /'
		[[ -z ${TEST_FIRST_FAILURE:-} ]] || exit 1
	fi
}

# Whoever stops a test that hangs wants to know where it stood.
stopped() {
	local i
	printf '# stopped at line'
	for i in "${BASH_LINENO[@]}"; do
		((i == 0)) || printf ' %s' "$i"
	done
	echo
	exit 143
}
trap stopped TERM

in_vain= # what wait_for waited for last
ended() { # STATUS
	[[ $1 -eq 0 || -z $in_vain ]] || echo "not ok $((tap_count + 1)) - waited for $in_vain"
	set +e
	(exit "$1")
	cleanup
}
trap 'ended $?' EXIT

# In this shell, not in one below it: so a command may start a daemon.
run_quietly() { # COMMAND...: leaves $status and $output
	status=0
	"$@" >"$work/output" 2>&1 </dev/null || status=$?
	output=$(head -c 20000 "$work/output" | tr -d '\0')
}

check() { # SENTENCE COMMAND...: so, when the command succeeds
	local sentence=$1 status output
	shift
	run_quietly "$@"
	result "$status" "$sentence" "$* gave $status: $output"
}

check_not() { # SENTENCE COMMAND...: so, when the command fails
	local sentence=$1 status output
	shift
	run_quietly "$@"
	result "$((status == 0))" "$sentence" "$* succeeded: $output"
}

is() { # SENTENCE GOT WANTED
	local status=0
	[[ $2 == "$3" ]] || status=1
	result "$status" "$1" "$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | head -n 40)"
}

like() { # SENTENCE GOT REGEX...: all of them, whatever the case
	local sentence=$1 got=$2 pattern status=0
	shift 2
	for pattern; do
		grep -Eiq -- "$pattern" <<<"$got" || { status=1; break; }
	done
	result "$status" "$sentence" "no \"${pattern:-}\" in: $got"
}

exits() { # SENTENCE STATUS COMMAND...: the output is left in $output
	local sentence=$1 wanted=$2 status
	shift 2
	run_quietly "$@"
	result "$((status != wanted))" "$sentence" "$* gave $status: $output"
}

note() { echo "# $*"; }

plan() { # at the end: a test that does not come here has failed
	echo "1..$tap_count"
	exit $((tap_failed > 0))
}

# ---- what most tests do

store=$work/store
mnt=$work/mnt
mirror=$work/mirror.sqlite

needs() { # FILE: of what `make crash` builds; without it LD_PRELOAD would say so, and go on
	[[ -e $build/tests/$1 ]] || { echo "$build/tests/$1 is missing: run make crash" >&2; exit 1; }
}

pair() { # LINE NAME: the value of one pair
	awk -F '\t' -v name="$2" '{ for (i = 1; i < NF; i += 2) if ($i == name) { print $(i + 1); exit } }' <<<"$1"
}

stream_up() { # [INIT'S OPTIONS]: server, store, mount
	[[ -s $server/data/PG_VERSION ]] || server_up
	daystream init "$store" --conninfo "$conninfo" "$@" >"$work/init.log" 2>&1 || {
		cat "$work/init.log" >&2
		return 1
	}
	daemon_start "$store" "$mnt"
}

mirror_once() { # brings the mirror to all that is committed by now
	caught_up "$mnt" "${1:-120}"
	deltamirror --once "$mnt" "$mirror"
}

reload() { # until the server has read its settings: whoever connects from then on has them
	local before
	before=$(sql "SELECT pg_conf_load_time()")
	sql "SELECT pg_reload_conf()" >/dev/null
	wait_for 60 "[[ \$(sql 'SELECT pg_conf_load_time()') != '$before' ]]" "the server to read its settings"
}

# Commits wait for a standby that there is not. New sessions know the setting first, the checkpointer tells them later
# that it holds: so until one has waited.
commits_wait() {
	sql "ALTER SYSTEM SET synchronous_standby_names = 'ghost'"
	reload
	wait_for 60 one_commit_waits "a commit to wait for a standby"
}

one_commit_waits() { # a message, which is let go again
	local pid status=1 waits="application_name = 'one' AND wait_event = 'SyncRep'"
	PGAPPNAME=one psql -XqAt -c "SELECT pg_logical_emit_message(true, 'waits', '')" >/dev/null 2>&1 &
	pid=$!
	while alive "$pid" && [[ $status -ne 0 ]]; do
		[[ $(sql "SELECT count(*) FROM pg_stat_activity WHERE $waits") != 1 ]] || status=0
	done
	sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE $waits" >/dev/null
	wait "$pid" || true
	return "$status"
}

# The first snapshot is taken, and nothing more comes by itself: a daemon without one begins half a second after its start.
snapshot_there() {
	# shellcheck disable=SC2016 # wait_for expands it
	wait_for 60 '[[ $(status_of "$mnt" snapshot_state) == idle && -n $(status_of "$mnt" snapshot) ]]' "the first snapshot"
}

truth() { find "$store/segments" -name '*.day' | sort -V | xargs cat; } # what the segments hold

slot_free() { # [SLOT]: the server has seen that its daemon is gone
	wait_for 60 "[[ \$(sql \"SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = '${1:-daystream}'\") == 0 ]]" \
		"the slot to be free"
}

slot_drop() { # [SLOT]: by hand, behind the daemon's back
	slot_free "$@" && sql "SELECT pg_drop_replication_slot('${1:-daystream}')" >/dev/null
}

pgbench_over() { # once it has ended: the server has done, or undone, what it was about
	wait_for 60 "[[ \$(sql \"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'\") == 0 ]]" "pgbench's sessions to end"
}

snapshot_taken() { # a new one; the daemon may be taking one by itself
	wait_for 60 "daystream snapshot '$store' >'$work/snapshot.log' 2>&1" || { cat "$work/snapshot.log" >&2; return 1; }
}

equal_tables() { # SENTENCE [TABLE...]
	local sentence=$1
	shift
	check "$sentence" "$root/contrib/compare-tables" -q "$mirror" "$@"
}

flip() { # FILE OFFSET: one bit of a byte
	python3 - "$1" "$2" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 1]))
PYTHON
}
