#!/usr/bin/env bash
# Removes what a node leaves on the machine: its folder (the first argument) and its
# cgroups. Waits for the end of standard input, which is a pipe that every process of
# the node holds open. After a failure the logs stay, and it says where.
set -u
state=$1
name=$(basename "$state")
cat >/dev/null

# The processes of a killed node may take a moment to be gone.
for _ in $(seq 100); do
	left=$(find /sys/fs/cgroup -depth -type d -path "*/$name*" -exec rmdir {} \; 2>/dev/null
		find /sys/fs/cgroup -maxdepth 2 -type d -name "$name")
	[ "$left" ] || break
	sleep 0.1
done
[ -z "$left" ] || printf 'node: could not be removed: %s\n' "$left" >&2

if [ -e "$state/failed" ]; then
	find "$state" -mindepth 1 -maxdepth 1 ! -name log -exec rm -rf --one-file-system {} +
	printf 'node: logs are in %s/log\n' "$state" >&2
else
	rm -rf --one-file-system "$state"
fi
