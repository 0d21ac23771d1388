#!/bin/sh
# Builds the version before this one, for tests that upgrade and roll back, and
# prints the folder that has it: the operator, install.yaml, the CRD, and the chart
# where that version has one. It is built once per commit, below DIR.
#
# The previous version is the newest release before HEAD, or, before the first
# release, the last commit whose operator differs from HEAD's. A second argument
# names another one. Exit code 3: the history does not reach back that far.
set -eu
dir=${1:?usage: previous.sh DIR [COMMIT]}
root=$(cd "$(dirname "$0")/.." && pwd -P) # as git names it
say() { printf 'previous: %s\n' "$*" >&2; }

# What decides how the operator behaves, but for what only tests have.
differing() {
	git -C "$root" rev-list -1 HEAD -- cmd/aws-login-operator controllers internal api config go.mod \
		':!*_test.go' ':!*/testdata/*' ':!internal/fakeaws' ':!internal/controlplane' ':!internal/faultproxy' ':!internal/kubeletvolume' ':!internal/sdktest'
}

if [ "$(git -C "$root" rev-parse --show-toplevel 2>/dev/null)" != "$root" ]; then
	say "$root is no clone of the repository: there is no history to build the previous version from"
	exit 3
fi
name=${2:-$(git -C "$root" describe --tags --abbrev=0 --match 'v[0-9]*' HEAD^ 2>/dev/null || echo "$(differing)^")}
if ! commit=$(git -C "$root" rev-parse --quiet --verify "$name^{commit}"); then
	say "the history does not reach back to the previous version (a shallow clone?): fetch it with git fetch --unshallow"
	exit 3
fi

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
built=$dir/$commit
if [ ! -d "$built" ]; then
	say "building $(git -C "$root" log -1 --format='%h, %s' "$commit")"
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	mkdir "$work/source" "$work/built"
	git -C "$root" archive "$commit" | tar -x -C "$work/source"
	cd "$work/source"
	version=$(git -C "$root" describe --tags --always "$commit")
	CGO_ENABLED=0 go build -trimpath -ldflags "-X awslogin.dev/operator/internal/version.release=$version" -o "$work/built/" ./cmd/aws-login-operator
	"$root/bin/tools/kustomize" build config/default |
		sed "s|image: controller:latest|image: ghcr.io/awslogin-dev/aws-login-operator:$version|" >"$work/built/install.yaml"
	cp config/crd/bases/awslogin.dev_loginsessions.yaml "$work/built/crd.yaml"
	[ ! -d charts ] || cp -R charts "$work/built/"
	find "$dir" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} + # of commits long past
	[ -d "$built" ] || mv "$work/built" "$built"                     # two tests may have built it at once
fi
echo "$built"
