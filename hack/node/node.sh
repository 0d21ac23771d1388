#!/usr/bin/env bash
# A real Kubernetes node without Docker: etcd, the control plane, kubelet, containerd
# and runc in namespaces of their own, so that nothing of the machine is touched,
# several run side by side, and all of it is gone at the end, after a kill too.
#
#   node.sh run [--image ARCHIVE]... -- COMMAND [ARGUMENT]...
#       starts the cluster, imports the images (archives of docker or OCI), runs the
#       command inside with KUBECONFIG of an administrator, and exits as it does.
#       SYNC_FREQUENCY=3s has the kubelet sync each pod that often, instead of 1m
#   node.sh build
#       only puts what is needed into bin/
#   node.sh check
#       only says whether this machine can do it
#
# Where it cannot, the exit code is 77 and one line says why.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

say() { printf 'node: %s\n' "$*" >&2; }
usage() {
	sed -n 's/^#   //p' "${BASH_SOURCE[0]}" >&2
	exit 2
}
impossible() {
	say "skipped: no node can run here: $*"
	exit 77
}

# cgroup_roots are the folders in which a new group has to be made: one for each
# controller with version 1 of cgroups, one for all with version 2.
cgroup_roots() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		echo /sys/fs/cgroup
	else
		find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d
	fi
}

# not_passed_on lists what the kubelet wants of a group with version 2, and this one
# has not got from its parent.
not_passed_on() {
	local controller
	[ -e /sys/fs/cgroup/cgroup.controllers ] || return 0
	for controller in cpu cpuset memory hugetlb pids; do
		grep -qw "$controller" "$1/cgroup.controllers" || printf '%s ' "$controller"
	done
}

# overlay tries what the layers of images need.
overlay() {
	local folder code=0
	folder=$(mktemp -d) || return 1
	mkdir "$folder"/{lower,upper,work,merged}
	unshare --mount mount -t overlay -o "lowerdir=$folder/lower,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/merged" 2>/dev/null || code=1
	rm -rf "$folder"
	return $code
}

check() {
	local trial=awslogin-node-check-$$ folder missing
	[ "$(uname -s)" = Linux ] || impossible "this is not Linux"
	[ "$(id -u)" = 0 ] || impossible "that needs root"
	[ -r /dev/kmsg ] || impossible "there is no /dev/kmsg, which the kubelet reads"
	unshare --mount --net --pid --ipc --uts --fork --mount-proc true 2>/dev/null ||
		impossible "namespaces cannot be made (unshare)"
	overlay || impossible "no overlay file system can be mounted in ${TMPDIR:-/tmp}"
	[ "$(cgroup_roots)" ] || impossible "there are no cgroups in /sys/fs/cgroup"
	for folder in $(cgroup_roots); do
		mkdir "$folder/$trial" 2>/dev/null || impossible "cgroups cannot be made in $folder"
		missing=$(not_passed_on "$folder/$trial")
		rmdir "$folder/$trial"
		[ -z "$missing" ] || impossible "$folder does not pass on to new cgroups, which the kubelet wants: $missing"
	done
	"$here/packages.sh" || impossible "Debian packages are missing, see above"
	unshare --net sh -c 'ip link add inside type veth peer name outside && iptables -t nat -A OUTPUT -m comment --comment x -j ACCEPT' 2>/dev/null ||
		impossible "the kernel has no veth, or no iptables with NAT"
}

# run has a pipe to cleanup.sh, which outlives it: the pipe's end tells that all is
# over, however that came.
run() {
	local images=("$root/bin/node/pause.tar") state cleanup life node folder code=0
	while [ "${1:-}" = --image ]; do
		[ -r "${2:-}" ] || { say "no image archive \"${2:-}\"" && exit 2; }
		images+=("$(realpath "$2")")
		shift 2
	done
	[ "${1:-}" = -- ] && [ $# -gt 1 ] || usage
	shift
	state=$(mktemp -d "${TMPDIR:-/tmp}/awslogin-node-XXXXXX")
	exec {life}> >(exec setsid "$here/cleanup.sh" "$state")
	cleanup=$!
	for folder in $(cgroup_roots); do mkdir "$folder/$(basename "$state")"; done

	setpriv --pdeathsig KILL unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc \
		"$here/cluster.sh" "$state" "${images[@]}" -- "$@" <&0 &
	node=$!
	# shellcheck disable=SC2064 # this process
	trap "kill -KILL $node 2>/dev/null" INT TERM HUP
	wait "$node" || code=$?
	[ "$code" = 0 ] || [ "$code" -gt 128 ] || touch "$state/failed" # killed is not failed
	exec {life}>&-
	wait "$cleanup" || true
	exit "$code"
}

# KUBEBUILDER_ASSETS goes before bin/controlplane, as everywhere.
export PATH="${KUBEBUILDER_ASSETS:+$KUBEBUILDER_ASSETS:}$root/bin/controlplane:$root/bin/node:$PATH"
action=${1:-}
[ $# = 0 ] || shift
case $action in
check) check ;;
build)
	check
	"$here/build.sh"
	;;
run)
	check
	"$here/build.sh"
	run "$@"
	;;
*) usage ;;
esac
