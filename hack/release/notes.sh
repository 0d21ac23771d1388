#!/bin/sh
# Prints what CHANGELOG.md says of a version (the first argument, as v1.2.3).
set -eu
version=${1:?usage: notes.sh VERSION}
notes=$(awk -v heading="## [${version#v}]" '
	/^## / { wanted = index($0, heading) == 1; next }
	wanted { print }' "$(dirname "$0")/../../CHANGELOG.md")
if [ -z "$notes" ]; then
	echo "notes: CHANGELOG.md says nothing of ${version#v}" >&2
	exit 1
fi
printf '%s\n' "$notes"
