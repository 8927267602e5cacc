# shellcheck shell=bash disable=SC2034 # the rows use what is left unused here
# lib.sh - sourced by tests/bench/row: what the rows have in common. A private server with room (and its durability
# as it comes), stores, and ways to take a figure: "name<TAB>value" on standard output.

set -euo pipefail
# shellcheck source=../../contrib/private-cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../contrib/private-cluster.sh"
# shellcheck source=sizes.sh
. "$root/tests/bench/sizes.sh"
PATH=$build/bench:$root/tests/bench:$PATH
store=$work/store
mnt=$work/mnt

bench_server_up() {
	server_create
	as_server tee -a "$server/data/postgresql.conf" >/dev/null <<-CONF
		shared_buffers = 512MB
		max_wal_size = 16GB
		checkpoint_timeout = 1h
		autovacuum = off
		max_replication_slots = 20
		max_wal_senders = 20
	CONF
	server_start
	server_allow_plugin
}

exec {never}<><(:) # nothing comes of it, ever

# ---- figures

timed() { # COMMAND...: runs it, and prints seconds, cpu, memory_mb
	sync # what others wrote is not to be waited for meanwhile
	spent "$work/spent" "$@" >/dev/null
	cat "$work/spent"
}

# A virtual machine's host takes back what was freed, some two seconds later: then each page costs some microseconds when it
# is first touched again, the page cache's, too. Before a turn in which that is much, so that it meets nobody.
memory_at_hand() { warm 1536; }

now() { echo "${EPOCHREALTIME/./}"; } # microseconds

seconds_since() { # MICROSECONDS
	local spent=$((${EPOCHREALTIME/./} - $1)) # not now(), for which a process is made
	printf 'seconds\t%d.%06d\n' $((spent / 1000000)) $((spent % 1000000))
}

cpu_of() { # PID: seconds of the processor, so far
	sed 's/.*) //' "/proc/$1/stat" | awk -v hz="$(getconf CLK_TCK)" '{ printf "%.2f", ($12 + $13) / hz }'
}

ended_cpu() { # what the server's processes took that have ended, a walsender among them
	sed 's/.*) //' "/proc/$(server_pid)/stat" | awk -v hz="$(getconf CLK_TCK)" '{ printf "%.2f", ($14 + $15) / hz }'
}

memory_of() { # PID: the most that it had, in MB
	awk '/^VmHWM/ { printf "%.2f", $2 / 1024 }' "/proc/$1/status"
}

figure() { # NAME VALUE
	printf '%s\t%s\n' "$1" "$2"
}

# ---- places in the server's log

marker() { # prints an LSN that is passed when all that was committed until now has been decoded
	sql "SELECT pg_logical_emit_message(true, 'bench', 'end')"
}

until_published() { # LSN [SECONDS]: the mount shows all before it
	published "$mnt" "$1" "${2:-600}" "$store" || {
		tail -n 20 "$work/daemon.log" >&2
		return 1
	}
}

slot_copy() { # FROM TO [PLUGIN]: so that the same log can be decoded again and again
	slot_drop "$2"
	sql "SELECT pg_copy_logical_replication_slot('$1', '$2', false, '${3:-deltaflood}')" >/dev/null
}

slot_drop() { # NAME
	wait_for 30 "sql \"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '$1'\"" \
		"the slot $1 to be free" >/dev/null
}

# ---- stores

init_store() { # STORE SLOT: without snapshots, which would take part in what is measured
	daystream init "$1" --conninfo "$conninfo" --slot "$2" >"$work/init.log" 2>&1 || {
		cat "$work/init.log" >&2
		return 1
	}
	sed -i "s/^snapshot *=.*/snapshot = 'off'/" "$1/daystream.conf"
}

lines_bytes() { # STORE: of its segments, without reading them
	find "$1/segments" -name '*.day' -printf '%s\n' | awk '{ bytes += $1 } END { print bytes }'
}

cold() { # STORE: its files leave the page cache
	local file
	sync
	for file in "$1"/segments/*; do
		dd if="$file" iflag=nocache count=0 status=none
	done
}

daemon_start_timed() { # as daemon_start, but that one looks ten times a second only; leaves $started, in microseconds
	mkdir -p "$mnt"
	started=${EPOCHREALTIME/./}
	env --default-signal=INT daystreamfs "$store" "$mnt" -f >>"$work/daemon.log" 2>&1 &
	daemon_pid=$!
	until mounted "$mnt"; do
		alive "$daemon_pid" || { tail -n 20 "$work/daemon.log" >&2; return 1; }
		read -rt 0.002 -u "$never" || true # sleeps, without a process whose start would be in the daemon's way
	done
}

daemon_end() { # as a figure: what memory it took
	figure daemon_mb "$(memory_of "$daemon_pid")"
	daemon_stop
}
