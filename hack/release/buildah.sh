#!/bin/sh
# Installs Debian's buildah and busybox, which make test-image builds the image with.
# Says nothing when they are there.
set -eu
if command -v buildah && [ -x /bin/busybox ]; then exit 0; fi >/dev/null
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "buildah: not there: apt-get install buildah busybox-static, on Debian as root" >&2
	exit 1
fi
echo "buildah: installing ..." >&2
apt-get update >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends buildah busybox-static ca-certificates >/dev/null
