#!/bin/sh
# Gives every fuzz target so many inputs: hack/fuzz.sh [100000x]. An input that
# fails is kept in the target's testdata/fuzz, to be committed with the fix.
#
# A number and not a time, because `go test` can take the end of the time itself
# for a failure. Making interesting inputs smaller is limited, or it would take
# most of the time.
set -eu
cd "$(dirname "$0")/.."
grep -roE --include='*_test.go' '^func Fuzz[A-Za-z]+' internal | sort | while IFS=: read -r file target; do
	go test -run=NONE -fuzz="^${target#func }\$" -fuzztime="${1:-100000x}" -fuzzminimizetime=1s "./$(dirname "$file")"
done
