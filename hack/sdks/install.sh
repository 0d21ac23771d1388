#!/bin/sh
# Installs the AWS SDKs that tests run: boto3 from Debian for /usr/bin/python3,
# and the JavaScript SDK from npm. Says nothing when both are there. What cannot
# be installed is named, and its tests are skipped; only with CI=true is that a
# failure.
set -eu
cd "$(dirname "$0")/js"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
missing=

say() { printf 'sdks: %s\n' "$*" >&2; }
lacking() {
	say "$*"
	missing=yes
}

has_boto3() { /usr/bin/python3 -c 'import boto3' >/dev/null 2>&1; }

install_boto3() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		lacking "boto3 is not there for /usr/bin/python3: apt-get install python3-boto3 (or your system's package of it)"
		return
	fi
	say "installing python3-boto3 ..."
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-boto3; } >"$log" 2>&1 || ! has_boto3; then
		lacking "python3-boto3 could not be installed: $(last_line)"
	fi
}

# npm writes the file when all is installed.
has_node_modules() {
	[ -f node_modules/.package-lock.json ] && [ -z "$(find package-lock.json -newer node_modules/.package-lock.json)" ]
}

install_node_modules() {
	if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
		lacking "the AWS SDK for JavaScript needs node and npm: install Node.js 20 or newer"
		return
	fi
	say "installing the AWS SDK for JavaScript ..."
	npm ci >"$log" 2>&1 || lacking "npm ci failed in hack/sdks/js: $(last_line)"
}

last_line() { grep -v '^[[:space:]]*$' "$log" | tail -n 1 | cut -c 1-160; }

has_boto3 || install_boto3
has_node_modules || install_node_modules
if [ "$missing" ] && [ "${CI:-}" = true ]; then
	say "CI=true: all SDKs must be there"
	exit 1
fi
