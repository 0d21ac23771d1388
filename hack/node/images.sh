#!/usr/bin/env bash
# Makes archives of images in bin/node, for `node.sh run --image`, and prints their
# names:
#   images.sh operator                 ghcr.io/awslogin-dev/aws-login-operator:dev, from bin/
#   images.sh boto3                    awslogin.dev/boto3:dev, Debian's Python and boto3; made once
#   images.sh program NAME FILE        awslogin.dev/NAME:dev, of one static program
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$root/bin/node
certificates=/etc/ssl/certs/ca-certificates.crt

say() { printf 'node: %s\n' "$*" >&2; }
image() { "$bin/image" -name "$1" -o "$2" "${@:3}" && echo "$2"; }
program() { image "$1" "$2" "$3:/$(basename "$3")" "$certificates:$certificates"; }

# boto3 is made of the packages of the release that this machine has.
boto3() {
	local archive=$bin/boto3.tar folder suite
	[ ! -e "$archive" ] || { echo "$archive" && return; }
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	folder=$(mktemp -d)
	# shellcheck disable=SC2064 # this folder
	trap "rm -rf --one-file-system '$folder'" EXIT
	say "making an image of Debian $suite with Python and boto3 ..."
	# In namespaces of its own, so that what debootstrap mounts is gone at its end.
	unshare --mount --pid --fork --mount-proc debootstrap --variant=minbase --include=python3-boto3,ca-certificates \
		"$suite" "$folder/tree" >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2 && exit 1; }
	rm -rf "$folder"/tree/{var/cache/apt,var/lib/apt/lists,usr/share/doc,usr/share/man,usr/share/locale}/*
	tar --create --file "$folder/tree.tar" --directory "$folder/tree" --one-file-system --numeric-owner --exclude ./dev/* .
	image awslogin.dev/boto3:dev "$archive.part" -tree "$folder/tree.tar" -entrypoint /usr/bin/python3 >/dev/null
	mv "$archive.part" "$archive"
	echo "$archive"
}

"$here/build.sh"
case ${1:-} in
operator) program ghcr.io/awslogin-dev/aws-login-operator:dev "$bin/operator.tar" "$root/bin/aws-login-operator" ;;
boto3) boto3 ;;
program) program "awslogin.dev/$2:dev" "$bin/$2.tar" "$3" ;;
*)
	sed -n 's/^#   //p' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac
