#!/bin/sh
# Installs Debian's Chromium, which make test-browser drives. Says nothing when one
# is there.
set -eu
if command -v chromium || command -v chromium-browser || command -v google-chrome; then exit 0; fi >/dev/null
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "chromium: not there: apt-get install chromium (or your system's package of it)" >&2
	exit 1
fi
echo "chromium: installing ..." >&2
apt-get update >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium >/dev/null
