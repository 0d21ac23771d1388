#!/bin/sh
# Prints the chart's version, which has to be a semantic one, for a version as
# `git describe` tells it (the first argument). What comes after a release is
# before the next one:
#
#   v1.2.3                1.2.3
#   v1.2.3-4-g0123abc     1.2.4-dev.4.g0123abc
#   v1.2.3-rc.1-4-gabc    1.2.3-rc.1.4.gabc
#   0123abc               0.0.0-dev.g0123abc
set -eu
described=${1:?usage: version.sh VERSION}
clean=${described%-dirty}
dirty=${described#"$clean"}
release=${clean#v}
after=$(printf '%s' "$release" | sed -nE 's/^.*-([0-9]+)-(g[0-9a-f]+)$/\1.\2/p')
[ -z "$after" ] || release=${release%-*-*}

case $release in
[0-9]*.[0-9]*.[0-9]*-*) version=$release${after:+.$after}${dirty:+.dirty} ;;
[0-9]*.[0-9]*.[0-9]*)
	version=$release
	if [ -n "$after$dirty" ]; then
		version=${release%.*}.$((${release##*.} + 1))-dev${after:+.$after}${dirty:+.dirty}
	fi
	;;
*) version=0.0.0-dev.g$clean${dirty:+.dirty} ;;
esac
echo "$version"
