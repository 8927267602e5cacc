#!/bin/bash
# The mutants (tests/mutants/README.md) still apply to the sources, and name tests that there are.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

cd "$root"
for patch in tests/mutants/*.patch; do
	name=$(basename "$patch" .patch)
	check "$name applies" patch -p1 --dry-run --force --fuzz=0 -i "$patch"
	read -ra tests <<<"$(sed -n 's/^caught by: //p' "$patch")"
	check "$name says who catches it" test "${#tests[@]}" -gt 0
	for test in "${tests[@]}"; do
		check "... which is there" test -e "$test"
	done
done
plan
