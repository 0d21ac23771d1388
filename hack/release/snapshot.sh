#!/bin/sh
# Makes the files of a release of the last commit, as v0.0.1, in dist/release: all that
# the release workflow does, but nothing is published, and a key that is thrown away
# signs in place of the workflow.
set -eu
cd "$(dirname "$0")/../.."
tools=$PWD/bin/tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p dist
rm -rf dist/release

# A clone can have a tag of its own, and no other.
git clone --quiet --no-tags . "$work/clone"
git -C "$work/clone" remote set-url origin https://github.com/awslogin-dev/aws-login-operator.git
git -C "$work/clone" tag v0.0.1

export COSIGN_PASSWORD=
(cd "$work" && "$tools/cosign" generate-key-pair && "$tools/cosign" signing-config create --out offline.json) >/dev/null 2>&1
mkdir "$work/bin"
cat >"$work/bin/cosign" <<END
#!/bin/sh
exec "$tools/cosign" "\$@" --key "$work/cosign.key" --signing-config "$work/offline.json"
END
chmod +x "$work/bin/cosign"

cd "$work/clone"
mkdir dist
printf 'v0.0.1\n' | tee dist/install.yaml dist/injection.yaml >dist/aws-login-operator-0.0.1.tgz
PATH="$work/bin:$tools:$PATH" "$tools/goreleaser" release --skip=publish,announce
cp "$work/cosign.pub" dist/*.yaml dist/*.tgz dist/release/
mv dist/release "$OLDPWD/dist/"
