#!/bin/sh
# Puts kube-apiserver, etcd and kubectl into DIR (the first argument) and prints
# nothing but progress, on standard error. Further arguments name further programs
# of Kubernetes, which are always built from source. For the three, in this order:
#   1. the folder named by KUBEBUILDER_ASSETS, if it is set: nothing is done;
#   2. what is already in DIR;
#   3. the download of setup-envtest (seconds, where its host can be reached);
#   4. a build from source, from the modules pinned in this folder's go.mod
#      (about 5 minutes on 2 cores with cold caches, seconds afterwards).
set -eu
dir=${1:?usage: build.sh DIR [PROGRAM ...]}
shift
here=$(cd "$(dirname "$0")" && pwd)
say() { printf 'controlplane: %s\n' "$*" >&2; }

complete() {
	for name in kube-apiserver etcd kubectl; do
		[ -x "$1/$name" ] || return 1
	done
}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
cd "$here"
kubernetes=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
etcd=$(go list -m -f '{{.Version}}' go.etcd.io/etcd/server/v3)
minor=${kubernetes%.*}

# Without these the server reports v0.0.0 and refuses some feature gates.
v=k8s.io/component-base/version
number=${kubernetes#v}
major=${number%%.*}
rest=${number#*.}
flags="-s -w -X $v.gitVersion=$kubernetes -X $v.gitMajor=$major -X $v.gitMinor=${rest%%.*} -X $v.gitTreeState=clean"

build() {
	started=$(date +%s)
	say "building $1 ..."
	CGO_ENABLED=0 go build -trimpath -ldflags "$flags" -o "$dir/$1.part" "$2" &
	compiler=$!
	while kill -0 "$compiler" 2>/dev/null; do
		sleep 1
		elapsed=$(($(date +%s) - started))
		[ $((elapsed % 20)) -ne 19 ] || say "... still building $1, ${elapsed} s"
	done
	wait "$compiler"
	mv "$dir/$1.part" "$dir/$1"
	say "built $1 in $(($(date +%s) - started)) s"
}
download() {
	say "trying setup-envtest for Kubernetes ${minor#v} (seconds)"
	downloaded=$(cd ../tools && go tool setup-envtest use "${minor#v}.x" --bin-dir "$dir/download" -p path 2>"$dir/download.log") && complete "$downloaded" || return 1
	cp "$downloaded"/* "$dir"/
	chmod -R u+w "$dir/download" && rm -rf "$dir/download" "$dir/download.log"
	say "downloaded to $dir"
}

three() {
	if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
		complete "$KUBEBUILDER_ASSETS" && return
		say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks kube-apiserver, etcd or kubectl: unset it, or complete the folder"
		exit 1
	fi
	complete "$dir" && return
	download && return
	say "no download ($(grep -v '^$' "$dir/download.log" | tail -n 1 | cut -c 1-120)): building Kubernetes $kubernetes and etcd $etcd from source"
	say "the first build takes about 5 minutes on 2 cores, later ones seconds"
	build etcd go.etcd.io/etcd/server/v3
	build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
	build kubectl k8s.io/kubernetes/cmd/kubectl
}

three
for program; do
	[ -x "$dir/$program" ] || build "$program" "k8s.io/kubernetes/cmd/$program"
done
