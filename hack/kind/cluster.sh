#!/usr/bin/env bash
# Runs a command in a real cluster that has the project's images, with KUBECONFIG:
#
#   cluster.sh COMMAND [ARGUMENT]...
#
# CLUSTER=kind has kind make it, which needs Docker; CLUSTER=node is hack/node, which
# needs Linux and root. Without CLUSTER it is kind where Docker answers, else node.
# Where it cannot be, the exit code is 77 and one line says why.
#
# The cluster is deleted at the end. One of kind is kept with KEEP=1, and used again.
# `make build` and what the Makefile lists have to have been there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"

name=awslogin-demo # as in cluster.yaml
operator=ghcr.io/awslogin-dev/aws-login-operator:dev
say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }

in_kind() {
	docker info >/dev/null 2>&1 || {
		say "kind needs Docker, which does not answer here. Without it: \`make node-demo\` (Linux, as root), or \`make demo\` (anywhere, without pods)"
		exit 77
	}
	say "building four images (the first time some minutes) ..."
	docker build --quiet --tag "$operator" . >/dev/null
	local image images=("$operator")
	for image in fake-aws workload boto3; do
		docker build --quiet --file "$here/Dockerfile" --target "$image" --tag "awslogin.dev/$image:dev" . >/dev/null
		images+=("awslogin.dev/$image:dev")
	done
	# A file of its own: the person's current context stays what it is.
	export KUBECONFIG=$root/bin/kind/kubeconfig
	mkdir -p "$root/bin/kind"
	[ "${KEEP:-}" ] || trap 'kind delete cluster --name $name' EXIT
	kind get clusters 2>/dev/null | grep -x "$name" >/dev/null || kind create cluster --config "$here/cluster.yaml" --wait 3m
	kind export kubeconfig --name "$name"
	say "loading the images (about 30 s) ..."
	kind load docker-image --name "$name" "${images[@]}"
	"$@"
}

in_node() {
	local archive archives images=()
	hack/node/node.sh check
	archives=$(
		hack/node/images.sh operator &&
			hack/node/images.sh program fake-aws bin/fakeaws &&
			hack/node/images.sh program workload bin/workload &&
			hack/node/images.sh boto3
	)
	for archive in $archives; do images+=(--image "$archive"); done
	SYNC_FREQUENCY=$(sed -n 's/^ *syncFrequency: //p' "$here/cluster.yaml") exec hack/node/node.sh run "${images[@]}" -- "$@"
}

export CLUSTER=${CLUSTER:-$(docker info >/dev/null 2>&1 && echo kind || echo node)}
case $CLUSTER in
kind | node) "in_$CLUSTER" "$@" ;;
*)
	say "CLUSTER is \"$CLUSTER\": must be kind or node"
	exit 2
	;;
esac
