#!/bin/sh
# Installs the Debian packages that a node is built and run with. Says nothing when
# they are there.
set -eu
say() { printf 'node: %s\n' "$*" >&2; }

lacking() {
	command -v gcc >/dev/null || printf 'gcc libc6-dev '
	command -v pkg-config >/dev/null || printf 'pkg-config '
	[ -e /usr/include/seccomp.h ] || printf 'libseccomp-dev '
	[ -x /usr/lib/cni/ptp ] || printf 'containernetworking-plugins '
	command -v ip >/dev/null || printf 'iproute2 '
	command -v iptables >/dev/null || printf 'iptables '
	command -v openssl >/dev/null || printf 'openssl '
	command -v debootstrap >/dev/null || printf 'debootstrap '
	[ -e /etc/ssl/certs/ca-certificates.crt ] || printf 'ca-certificates '
}

packages=$(lacking)
[ "$packages" ] || exit 0
if ! command -v apt-get >/dev/null; then
	say "not there: $packages"
	exit 1
fi
say "installing $packages..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # several words
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1 ||
	[ "$(lacking)" ]; then
	say "could not be installed: $(lacking)"
	tail -n 3 "$log" >&2
	exit 1
fi
