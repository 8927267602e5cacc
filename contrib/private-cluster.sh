# shellcheck shell=bash
# private-cluster.sh - sourced by contrib/demo and the flow tests: a PostgreSQL
# server of one's own in a temporary folder, daystream's programs on top of it,
# and one way out that leaves nothing behind, whatever ended the script.
#
#     $build     where the programs were built (BUILD, default build)
#     $work      the temporary folder; everything lives below it
#     $conninfo  how programs reach the server; psql and its like get it by PG*
#
# Nothing listens on the network. Whoever sources this sets `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(realpath -m "${BUILD:-$root/build}")
PATH=$build:$PATH

if [[ -z ${PG_CONFIG:-} ]]; then
	PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config
	[[ -x $PG_CONFIG ]] || PG_CONFIG=pg_config
fi
pg_bin=$("$PG_CONFIG" --bindir)
PATH=$pg_bin:$PATH

# A person's own settings must not lead us to a person's own server.
for variable in "${!PG@}"; do
	[[ $variable == PG_CONFIG ]] || unset "$variable"
done
export LC_ALL=C.UTF-8

work=$(mktemp -d "${TMPDIR:-/tmp}/daystream.XXXXXX")
chmod 711 "$work" # the server's user passes through
server=$work/server
export PGHOST=$server PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
# shellcheck disable=SC2034 # for those who source this
conninfo="host=$PGHOST port=$PGPORT user=$PGUSER dbname=$PGDATABASE"

# ---- the way out

alive() { # PID: runs, and is no zombie
	[[ -n ${1:-} && $(ps -o state= -p "$1" 2>/dev/null) == [!Z]* ]]
}

end_process() { # PID [SIGNAL [SECONDS]]: asks, waits, then kills
	local i
	kill "-${2:-TERM}" "$1" 2>/dev/null || return 0
	for ((i = 0; i < 10 * ${3:-10}; i++)); do
		alive "$1" || return 0
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null || true
}

unmount_all() { # what is mounted below a folder; the newest first
	awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r mount; do
		fusermount3 -q -u "$mount" 2>/dev/null || fusermount3 -q -u -z "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || true
	done
}

cleanup() {
	local status=$? pid
	trap '' HUP INT TERM
	trap - EXIT
	set +e
	cd /
	for pid in $(jobs -pr) $(pgrep -f "^[^ ]*(daystreamfs|daystream|deltamirror|sshd) .*$work/"); do
		kill "$pid" 2>/dev/null
		kill -CONT "$pid" 2>/dev/null
	done
	unmount_all "$work"
	for pid in $(jobs -pr) $(pgrep -f "^[^ ]*(daystreamfs|daystream|deltamirror|sshd) .*$work/"); do
		end_process "$pid"
	done
	server_stop immediate
	unmount_all "$work"
	rm -rf --one-file-system "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

wait_for() { # SECONDS COMMAND [WHAT]: runs COMMAND again and again until it succeeds
	local end=$((SECONDS + $1)) late=0
	in_vain=
	until eval "$2" 2>/dev/null; do
		# Some more tries then: while the machine stood still, nobody could come so far.
		if ((SECONDS >= end && ++late > 10)); then
			in_vain=${3:-$2}
			echo "waited $1 s in vain for: $in_vain" >&2
			return 1
		fi
		sleep 0.1
	done
}

# ---- the server

as_server() { # PostgreSQL refuses to run as root
	if [[ $EUID -eq 0 ]]; then
		(cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$@")
	else
		(cd / && exec "$@")
	fi
}

server_create() { # the cluster's files; settings are changed by what stands last in postgresql.conf
	mkdir "$server" "$server/lib"
	# The server's user may not be able to read the tree (a clone in /root).
	[[ ! -e $build/deltaflood.so ]] || install -m 755 "$build/deltaflood.so" "$server/lib/"
	chmod 755 "$server/lib"
	[[ $EUID -ne 0 ]] || chown postgres: "$server"
	as_server initdb -D "$server/data" -U "$PGUSER" -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$work/initdb.log" 2>&1 || {
		cat "$work/initdb.log" >&2
		return 1
	}
	as_server tee -a "$server/data/postgresql.conf" >/dev/null <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$server'
		port = $PGPORT
		wal_level = logical
		dynamic_library_path = '$server/lib:\$libdir'
		shared_buffers = 32MB
		max_connections = 40
		max_wal_size = 256MB
		jit = off
		log_line_prefix = '%m [%p] '
	CONF
}

server_pid() { head -n 1 "$server/data/postmaster.pid" 2>/dev/null; }

server_start() {
	as_server pg_ctl -D "$server/data" -l "$server/log" -w -t 60 start >"$work/start.log" 2>&1 || {
		cat "$work/start.log" "$server/log" >&2
		return 1
	}
}

server_stop() { # [smart|fast|immediate]
	local pid signal=INT
	pid=$(server_pid) || return 0
	[[ ${1:-fast} != immediate ]] || signal=QUIT
	[[ ${1:-fast} != smart ]] || signal=TERM
	end_process "$pid" "$signal" 60
	wait_for 10 "! alive $pid" "the server to stop"
}

server_restart() { # [fast|immediate]
	server_stop "${1:-fast}"
	server_start
}

# Newer minor releases load only the output plugins that are on a list.
server_allow_plugin() {
	local list
	list=$(sql "SELECT setting FROM pg_settings WHERE name = 'output_plugin_libraries'")
	if [[ -n $list && $list != *deltaflood* ]]; then
		sql "ALTER SYSTEM SET output_plugin_libraries = $list, deltaflood"
		sql "SELECT pg_reload_conf()" >/dev/null
		# shellcheck disable=SC2016 # wait_for expands it
		wait_for 60 '[[ $(sql "SHOW output_plugin_libraries") == *deltaflood* ]]'
	fi
}

server_up() { # all of the above
	server_create
	server_start
	server_allow_plugin
}

sql() { # [psql's options] STATEMENT: its rows, bare; a statement after another by another call
	psql -XqAt -F $'\t' -v ON_ERROR_STOP=1 "${@:1:$#-1}" -c "${*: -1}"
}

free_port() { # of the loopback address; none that an outgoing connection may have the next moment
	python3 - <<'PYTHON'
import random, socket
with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as text:
    least = int(text.read().split()[0])
while True:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", random.randrange(10000, least) if least > 11000 else 0))
        except OSError:
            continue
        print(sock.getsockname()[1])
        break
PYTHON
}

# ---- daystream's programs

daemon_pid=

mounted() { # MOUNTPOINT: there, and answered
	[[ -e $1/live ]]
}

daemon_start() { # STORE MOUNTPOINT [OPTIONS]: returns when it is mounted
	mkdir -p "$2" 2>/dev/null || true # a dead mount cannot be made, nor need be
	# bash makes background commands deaf to SIGINT; this one is to hear it.
	env --default-signal=INT daystreamfs "$@" -f >>"$work/daemon.log" 2>&1 &
	daemon_pid=$!
	if ! wait_for 60 "mounted '$2' || ! alive $daemon_pid" "daystreamfs to mount $2" || ! mounted "$2"; then
		tail -n 20 "$work/daemon.log" >&2
		return 1
	fi
}

daemon_stop() { # as systemd would; fails where the daemon does
	local status=0
	end_process "$daemon_pid" TERM 60
	wait "$daemon_pid" || status=$?
	[[ $status -eq 0 ]] || tail -n 40 "$work/daemon.log" >&2
	daemon_pid=
	return "$status"
}

daemon_kill() { # as a crash would
	kill -KILL "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null || true
	daemon_pid=
}

status_of() { # MOUNTPOINT NAME: one value of /status
	awk -F '\t' -v name="$2" '$1 == name { print $2; exit }' "$1/status"
}

# Until the mount shows all that the server has committed by now. A message in
# the stream marks the place, whatever else is running.
caught_up() { # MOUNTPOINT [SECONDS]
	local mark="mark-$RANDOM-$RANDOM"
	sql "SELECT pg_logical_emit_message(true, 'caught_up', '$mark')" >/dev/null
	# Not grep -q: it would end before the writers' later lines, and tail, killed by SIGPIPE, would fail the pipe.
	wait_for "${2:-60}" "tail -c 64000000 '$1/live' | grep -c $mark >/dev/null" "the mount to show what is committed"
}
