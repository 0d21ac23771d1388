#!/bin/sh
# Installs the AWS SDKs that tests run: those for Python and Ruby, the AWS CLI and
# libfaketime from Debian, those for JavaScript from npm, and builds the programs
# with those for Go. Says nothing when all are there. What cannot be installed is
# named, and its tests are skipped; only with CI=true is that a failure.
set -eu
cd "$(dirname "$0")"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
missing=

say() { printf 'sdks: %s\n' "$*" >&2; }
lacking() {
	say "$*"
	missing=yes
}
last_line() { grep -v '^[[:space:]]*$' "$log" | tail -n 1 | cut -c 1-160; }

# Debian's own interpreters, whatever else goes first on PATH.
lacking_packages() {
	/usr/bin/python3 -c 'import boto3' 2>/dev/null || printf 'python3-boto3 '
	/usr/bin/ruby -e "gem 'aws-sdk-core'" 2>/dev/null || printf 'ruby ruby-aws-sdk-core '
	[ -x /usr/bin/aws ] || printf 'awscli '
	ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || printf 'faketime '
}

install_packages() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		lacking "not there: apt-get install $packages(or your system's packages of them)"
		return
	fi
	say "installing $packages..."
	# shellcheck disable=SC2086 # several words
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1 ||
		[ "$(lacking_packages)" ]; then
		lacking "$(lacking_packages)could not be installed: $(last_line)"
	fi
}

# npm writes the file when all is installed.
has_node_modules() {
	[ -f js/node_modules/.package-lock.json ] && [ -z "$(find js/package-lock.json -newer js/node_modules/.package-lock.json)" ]
}

install_node_modules() {
	if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
		lacking "the AWS SDKs for JavaScript need node and npm: install Node.js 20 or newer"
		return
	fi
	say "installing the AWS SDKs for JavaScript ..."
	(cd js && npm ci) >"$log" 2>&1 || lacking "npm ci failed in hack/sdks/js: $(last_line)"
}

# The SDK v1 has a module of its own.
build_go() {
	go build -C "$1" -o ../../../bin/sdks/ . >"$log" 2>&1 || lacking "hack/sdks/$1 could not be built: $(last_line)"
}

packages=$(lacking_packages)
[ -z "$packages" ] || install_packages
has_node_modules || install_node_modules
build_go gov1
build_go gov2
if [ "$missing" ] && [ "${CI:-}" = true ]; then
	say "CI=true: all SDKs must be there"
	exit 1
fi
