# shellcheck shell=bash disable=SC2154 # work is lib.sh's
# disk.sh - sourced by the flow tests that fill a disk, behind lib.sh: $disk, which they mount a small one at.

if [[ $EUID -ne 0 ]]; then
	echo "1..0 # skip: a disk of its own takes root"
	exit 0
fi
disk=$work/disk

free_bytes() { stat -f -c '%a %S' "$disk" | awk '{ print $1 * $2 }'; }
fill() { # BYTES: that are left
	local n=0
	while (($(free_bytes) > $1)) && ((n < 10)); do
		n=$((n + 1))
		head -c $(($(free_bytes) - $1)) /dev/zero >"$disk/fill.$RANDOM$RANDOM" 2>/dev/null || true
		sync -f "$disk"
	done
}
empty() { rm -f "$disk"/fill.*; sync -f "$disk"; }
