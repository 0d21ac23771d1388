package release_test

import (
	"archive/zip"
	"bufio"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// dist is where `make snapshot` puts the files of a release v0.0.1.
const dist = root + "/dist/release"

// platforms are those that programs are released for.
var platforms = []string{"darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64", "windows_amd64"}

func TestRelease(t *testing.T) {
	t.Run("archives", func(t *testing.T) {
		for _, program := range []string{"aws-login-operator", "kubectl-awslogin"} {
			checkArchives(t, program)
		}
	})
	t.Run("programs", checkPrograms)
	t.Run("checksums", checkChecksums)
	t.Run("signature", checkSignature)
	t.Run("krew", checkKrew)
}

// archive is the path of a program's, and of what is in it.
func archive(t *testing.T, program, platform string) (string, map[string]file) {
	t.Helper()
	path := filepath.Join(dist, program+"_0.0.1_"+platform)
	files := map[string]file{}
	if strings.HasPrefix(platform, "windows") {
		unzip(t, path+".zip", files)
		return path + ".zip", files
	}
	unpack(t, path+".tar.gz", files)
	return path + ".tar.gz", files
}

func checkArchives(t *testing.T, program string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dist, program+"_*[pz]"))
	if err != nil || len(found) != len(platforms) {
		t.Errorf("%s has %d archives, want %d (%v)", program, len(found), len(platforms), err)
	}
	for _, platform := range platforms {
		name := program
		if strings.HasPrefix(platform, "windows") {
			name += ".exe"
		}
		want := []string{"LICENSE", "THIRD_PARTY_NOTICES", name}
		if program == "kubectl-awslogin" {
			want = append(want, "kubectl_complete-awslogin")
		}
		path, files := archive(t, program, platform)
		if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", path, got, want)
		}
		if files[name].mode&0o111 != 0o111 {
			t.Errorf("%s: nobody may start the program: its mode is %o", path, files[name].mode)
		}
		checkInventory(t, path+".spdx.json")
	}
}

// checkInventory has the SBOM name what each program is made of.
func checkInventory(t *testing.T, path string) {
	t.Helper()
	var inventory struct {
		SPDXVersion string `json:"spdxVersion"`
		Packages    []struct {
			Name        string `json:"name"`
			VersionInfo string `json:"versionInfo"`
		} `json:"packages"`
	}
	decode(t, path, &inventory)
	versions := map[string]string{}
	for _, part := range inventory.Packages {
		versions[part.Name] = part.VersionInfo
	}
	if inventory.SPDXVersion == "" || versions["k8s.io/client-go"] == "" || versions["stdlib"] == "" {
		t.Errorf("%s does not say which Go and which client-go were compiled in: %v", path, versions)
	}
}

// checkPrograms starts the programs, and compares them with what anybody can build.
func checkPrograms(t *testing.T) {
	head := strings.TrimSpace(command(t, "git", "-C", root, "rev-parse", "HEAD"))
	mine := build(t, "v0.0.1", head)
	for _, program := range []string{"aws-login-operator", "kubectl-awslogin"} {
		_, files := archive(t, program, "linux_amd64")
		released := filepath.Join(t.TempDir(), program)
		if err := os.WriteFile(released, files[program].content, 0o755); err != nil {
			t.Fatal(err)
		}
		if got, want := command(t, released, "--version"), "v0.0.1 (commit "+head+")\n"; !strings.HasSuffix(got, want) {
			t.Errorf("%s --version says %q, want %q", program, got, want)
		}
		if sum(files[program].content) != sum([]byte(read(t, filepath.Join(mine, program)))) {
			t.Errorf("`make build` makes another %s of this work tree", program)
		}
	}
}

func checkChecksums(t *testing.T) {
	lines := bufio.NewScanner(strings.NewReader(read(t, filepath.Join(dist, "checksums.txt"))))
	listed := map[string]bool{}
	for lines.Scan() {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		listed[name] = true
		if got := sum([]byte(read(t, filepath.Join(dist, name)))); got != want {
			t.Errorf("the checksum of %s is %s, not %s", name, got, want)
		}
	}
	// Archives with their SBOMs, two manifests and the chart.
	if want := 2*2*len(platforms) + 3; len(listed) != want {
		t.Errorf("%d checksums, want %d", len(listed), want)
	}
	for _, name := range []string{"install.yaml", "injection.yaml", "aws-login-operator-0.0.1.tgz"} {
		if !listed[name] {
			t.Errorf("no checksum of %s", name)
		}
	}
}

// checkSignature verifies as docs/releases.md says, but for who signed.
func checkSignature(t *testing.T) {
	command(t, root+"/bin/tools/cosign", "verify-blob", "--key", filepath.Join(dist, "cosign.pub"), "--insecure-ignore-tlog",
		"--bundle", filepath.Join(dist, "checksums.txt.sigstore.json"), filepath.Join(dist, "checksums.txt"))
}

func checkKrew(t *testing.T) {
	path := filepath.Join(dist, "krew", "awslogin.yaml")
	command(t, root+"/bin/tools/validate-krew-manifest", "-skip-install", "-manifest", path)
	var manifest struct {
		Spec struct {
			Version   string
			Platforms []struct{ URI, SHA256, Bin string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, path)), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Spec.Version != "v0.0.1" || len(manifest.Spec.Platforms) != len(platforms) {
		t.Errorf("version %s for %d platforms", manifest.Spec.Version, len(manifest.Spec.Platforms))
	}
	for _, platform := range manifest.Spec.Platforms {
		name := filepath.Base(platform.URI)
		if want := "https://github.com/awslogin-dev/aws-login-operator/releases/download/v0.0.1/" + name; platform.URI != want {
			t.Errorf("downloads %s, want %s", platform.URI, want)
		}
		if got := sum([]byte(read(t, filepath.Join(dist, name)))); got != platform.SHA256 {
			t.Errorf("the checksum of %s is %s, not %s", name, got, platform.SHA256)
		}
		_, files := archive(t, "kubectl-awslogin", strings.Split(strings.TrimPrefix(name, "kubectl-awslogin_0.0.1_"), ".")[0])
		if _, ok := files[platform.Bin]; !ok {
			t.Errorf("%s has no %s", name, platform.Bin)
		}
	}
}

func unzip(t *testing.T, path string, files map[string]file) {
	t.Helper()
	content := read(t, path)
	opened, err := zip.NewReader(strings.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range opened.File {
		reader, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name] = file{mode: int64(entry.Mode()), content: content}
	}
}
