# shellcheck shell=bash disable=SC2154 # work and mnt are lib.sh's
# ssh.sh - sourced by the flow tests that follow over ssh, behind lib.sh: an sshd with nothing of the system's (its own
# keys, port and settings, on the loopback address), and sshfs mounts of what it serves.

if [[ $EUID -ne 0 ]]; then
	echo "1..0 # skip: a private sshd takes root"
	exit 0
fi
ssh=$work/ssh
far=$work/far

sshd_up() { # leaves $port, and $sshd: its pid
	mkdir -m 700 "$ssh"
	mkdir "$far"
	ssh-keygen -q -t ed25519 -N '' -f "$ssh/host"
	ssh-keygen -q -t ed25519 -N '' -f "$ssh/user"
	cp "$ssh/user.pub" "$ssh/authorized_keys"
	port=$(free_port)
	cat >"$ssh/sshd_config" <<-CONF
		Port $port
		ListenAddress 127.0.0.1
		HostKey $ssh/host
		AuthorizedKeysFile $ssh/authorized_keys
		PidFile $ssh/pid
		PermitRootLogin yes
		PasswordAuthentication no
		UsePAM no
		StrictModes no
		Subsystem sftp internal-sftp
	CONF
	mkdir -p /run/sshd # sshd insists on it
	/usr/sbin/sshd -f "$ssh/sshd_config" -D -e 2>"$ssh/log" &
	sshd=$!
	printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d ' ' -f 1,2 "$ssh/host.pub")" >"$ssh/known_hosts"
	wait_for 60 "grep -q 'listening' '$ssh/log'" "sshd to listen"
}

far_mount() { # MOUNTPOINT [OPTIONS]: with the options that a follower needs; leaves $sshfs: its pid
	sshfs "root@127.0.0.1:$mnt" "$1" -p "$port" -f \
		-o "IdentityFile=$ssh/user,IdentitiesOnly=yes,UserKnownHostsFile=$ssh/known_hosts,BatchMode=yes" \
		-F /dev/null -o "direct_io,dir_cache=no,attr_timeout=0,${2:-ro}" >>"$ssh/sshfs.log" 2>&1 &
	# shellcheck disable=SC2034
	sshfs=$!
	wait_for 60 "[[ -e $1/live ]]" "sshfs to mount"
}

sessions() { # SIGNAL: to those of sshd that serve us; KILL cuts the connection, STOP makes it silent
	local child
	for child in $(pgrep -P "$sshd"); do
		kill "-$1" "$child" || true
	done
}
