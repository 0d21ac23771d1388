#!/usr/bin/env bash
# Puts into bin/ what a node runs: Kubernetes' programs into bin/controlplane,
# containerd, runc, CoreDNS and the image of a Pod's sandbox into bin/node.
# About 6 minutes on 2 cores with cold caches; says nothing when all is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../.. && pwd)
bin=$root/bin/node
say() { printf 'node: %s\n' "$*" >&2; }

../controlplane/build.sh "$root/bin/controlplane" kube-controller-manager kube-scheduler kubelet kube-proxy

mkdir -p "$bin"
if [ -e "$bin/built" ] && [ -z "$(find . \( -name 'go.*' -o -name '*.go' \) -newer "$bin/built")" ]; then
	exit 0
fi

build() {
	local started=$SECONDS
	say "building $(basename "$1") ..."
	CGO_ENABLED=${CGO_ENABLED:-0} go build -trimpath -ldflags "-s -w" "${@:2}" -o "$bin/" "$1"
	say "built $(basename "$1") in $((SECONDS - started)) s"
}

build ./pause
build ./image
"$bin/image" -name awslogin.dev/pause:dev -o "$bin/pause.tar" "$bin/pause:/pause"
CGO_ENABLED=1 build github.com/opencontainers/runc -tags seccomp
build github.com/containerd/containerd/v2/cmd/containerd
build github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2
build github.com/containerd/containerd/v2/cmd/ctr
build ./coredns
touch "$bin/built"
