package release_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"debug/elf"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

var fresh = flag.Bool("fresh", false, "compile everything again for the second build, which takes minutes")

func TestImage(t *testing.T) {
	images := newStore(t)
	cache := golang(t, "GOCACHE")
	for _, target := range []struct {
		arch    string
		machine elf.Machine
	}{{"amd64", elf.EM_X86_64}, {"arm64", elf.EM_AARCH64}} {
		t.Run(target.arch, func(t *testing.T) {
			built := images.build(t, target.arch, cache)
			checkSettings(t, built.settings, target.arch)
			checkFiles(t, built.files)
			checkProgram(t, built.files["aws-login-operator"].content, target.machine, target.arch == runtime.GOARCH)
			printSizes(t, target.arch, built)
		})
	}
	t.Run("built again it is the same", func(t *testing.T) {
		first := images.build(t, runtime.GOARCH, cache)
		if *fresh {
			cache = t.TempDir()
		}
		second := images.build(t, runtime.GOARCH, cache)
		if first.digest != second.digest {
			t.Errorf("the image was %s, and is %s", first.digest, second.digest)
		}
		mine := read(t, filepath.Join(build(t, version, commit), "aws-login-operator"))
		if sum([]byte(mine)) != sum(second.files["aws-login-operator"].content) {
			t.Error("`make build` makes another binary than the Dockerfile")
		}
	})
}

func checkSettings(t *testing.T, got settings, arch string) {
	t.Helper()
	if got.OS != "linux" || got.Architecture != arch {
		t.Errorf("the image is for %s/%s", got.OS, got.Architecture)
	}
	if got.Config.User != "65532:65532" {
		t.Errorf("runs as %q", got.Config.User)
	}
	if !slices.Equal(got.Config.Entrypoint, []string{"/aws-login-operator"}) {
		t.Errorf("starts %q", got.Config.Entrypoint)
	}
	for label, want := range map[string]string{
		"source":   "https://github.com/awslogin-dev/aws-login-operator",
		"licenses": "Apache-2.0",
		"version":  version,
		"revision": commit,
	} {
		if value := got.Config.Labels["org.opencontainers.image."+label]; value != want {
			t.Errorf("label %s is %q, want %q", label, value, want)
		}
	}
}

func checkFiles(t *testing.T, files map[string]file) {
	t.Helper()
	want := []string{"LICENSE", "THIRD_PARTY_NOTICES", "aws-login-operator", "etc/ssl/certs/ca-certificates.crt"}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Fatalf("the image has %q, want %q", got, want)
	}
	if mode := files["aws-login-operator"].mode; mode&0o7777 != 0o755 {
		t.Errorf("the operator has mode %o", mode)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(files["etc/ssl/certs/ca-certificates.crt"].content) {
		t.Error("no certificate can be read")
	}
}

// checkProgram looks at the binary, and starts it where it is this machine's.
func checkProgram(t *testing.T, binary []byte, machine elf.Machine, mine bool) {
	t.Helper()
	parsed, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Machine != machine {
		t.Errorf("the program is for %v", parsed.Machine)
	}
	if slices.ContainsFunc(parsed.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC }) {
		t.Error("the program is linked dynamically")
	}
	if !mine {
		return
	}
	program := filepath.Join(t.TempDir(), "operator")
	if err := os.WriteFile(program, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, want := command(t, program, "--version"), version+" (commit "+commit+")\n"; got != want {
		t.Errorf("--version says %q, want %q", got, want)
	}
}

// build has `make build` fill a folder, outside any image.
func build(t *testing.T, version, commit string) string {
	t.Helper()
	folder := t.TempDir()
	command(t, "make", "-s", "-C", root, "build", "BIN="+folder, "VERSION="+version, "COMMIT="+commit)
	return folder
}

func sum(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }

// printSizes prints a row of the table in docs/releases.md.
func printSizes(t *testing.T, arch string, built image) {
	t.Helper()
	binary := built.files["aws-login-operator"].content
	megabytes := func(size int64) float64 { return float64(size) / 1e6 }
	fmt.Printf("| linux/%s | %.1f MB | %.1f MB | %.1f MB |\n", arch,
		megabytes(built.size()), megabytes(built.compressed), megabytes(int64(len(binary))))
}
