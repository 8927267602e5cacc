#!/bin/bash
# A build in a folder that was built before makes what a fresh one makes.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

copy=$work/copy
mkdir "$copy"
cp -a "$root"/{Makefile,common,fs,mirror,plugin,tests} "$copy"
makes() { # ARG...: make in the copy, whatever folder and flags this build has
	env -u BUILD -u MAKEFLAGS make -C "$copy" "$@" 2>&1
}
would() { # TARGET: what it would do for it
	makes -n V=1 "$1"
}

object=build/obj/mirror/stop.o
check "an object is built" makes $object
is "what is built is not built again" "$(would $object | grep -c -- "-o $object")" 0
rm "$copy/mirror/stop.h"
is "a header that has gone is not up to date" "$(would $object | grep -c -- "-o $object")" 1
rm "$copy/$object"
is "nor is an object" "$(would $object | grep -c -- "-o $object")" 1
plan
