#!/bin/bash
# A build in a folder that was built before makes what a fresh one makes.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

copy=$work/copy
mkdir -p "$copy/build"
cp -a "$root"/{Makefile,common,fs,mirror,plugin,tests} "$copy"
cp -a "$build/obj" "$copy/build"
would() { # TARGET: what make would do for it
	env -u BUILD make -C "$copy" -n BUILD=build V=1 "$1" 2>&1
}

object=build/obj/mirror/stop.o
is "what is built is not built again" "$(would $object | grep -c -- "-o $object")" 0
rm "$copy/mirror/stop.h"
is "a header that has gone is not up to date" "$(would $object | grep -c -- "-o $object")" 1
rm "$copy/$object"
is "nor is an object" "$(would $object | grep -c -- "-o $object")" 1
plan
