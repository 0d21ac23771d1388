package release_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	version = "v9.8.7"
	commit  = "0123456789abcdef0123456789abcdef01234567"
)

// root of the repository.
const root = "../.."

// buildah builds images without a daemon, in a store of its own.
type buildah struct {
	t     *testing.T
	store string
}

// newBuildah has a store in which Go's image is the stand-in.
func newBuildah(t *testing.T) buildah {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("buildah needs root here: Debian's cannot build in a chroot without")
	}
	b := buildah{t: t, store: t.TempDir()}
	context := t.TempDir()
	copyFile(t, "/bin/busybox", filepath.Join(context, "busybox"))
	copyFile(t, "/etc/ssl/certs/ca-certificates.crt", filepath.Join(context, "ca-certificates.crt"))
	if err := os.Mkdir(filepath.Join(context, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	// For both architectures, because this buildah ignores --platform of FROM.
	b.run("bud", "--isolation=chroot", "--platform=linux/amd64,linux/arm64", "--manifest="+base(t), "--file=standin/Dockerfile", context)
	return b
}

// base is the image that the Dockerfile begins with.
func base(t *testing.T) string {
	t.Helper()
	from := regexp.MustCompile(`(?m)^FROM --platform=\$BUILDPLATFORM (\S+) AS build$`).FindStringSubmatch(read(t, filepath.Join(root, "Dockerfile")))
	if from == nil {
		t.Fatal("the Dockerfile does not begin with an image of the platform that builds")
	}
	return "docker.io/library/" + from[1]
}

// build makes the image and writes it to a folder, in OCI's layout.
func (b buildah) build(arch, cache string) image {
	b.t.Helper()
	name := "localhost/operator:" + arch
	b.run("bud", "--isolation=chroot", "--pull=never", "--platform=linux/"+arch, "--timestamp=0", "--tag="+name,
		"--volume="+golang(b.t, "GOROOT")+":/usr/local/go:ro", "--volume="+golang(b.t, "GOMODCACHE")+":/go/pkg/mod", "--volume="+cache+":/root/.cache/go-build",
		"--build-arg=VERSION="+version, "--build-arg=COMMIT="+commit, root)
	folder := filepath.Join(b.t.TempDir(), "image")
	b.run("push", name, "oci:"+folder)
	return readImage(b.t, folder)
}

func (b buildah) run(arguments ...string) {
	b.t.Helper()
	all := append([]string{"--storage-driver=vfs", "--root=" + b.store + "/root", "--runroot=" + b.store + "/run"}, arguments...)
	command(b.t, "buildah", all...)
}

func golang(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(command(t, "go", "-C", root, "env", name))
}

func command(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	var out, errors bytes.Buffer
	program := exec.CommandContext(t.Context(), name, arguments...)
	program.Stdout, program.Stderr = &out, &errors
	if err := program.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(arguments, " "), err, out.String(), errors.String())
	}
	return out.String()
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.WriteFile(to, []byte(read(t, from)), 0o755); err != nil {
		t.Fatal(err)
	}
}
