package config_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/internal/controlplane"
)

// updated are the folders whose Go modules Dependabot looks after.
func updated(t *testing.T) []string {
	t.Helper()
	var settings struct {
		Updates []struct {
			Ecosystem   string   `json:"package-ecosystem"`
			Directory   string   `json:"directory"`
			Directories []string `json:"directories"`
		} `json:"updates"`
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(controlplane.Root(), ".github", "dependabot.yml"))), &settings); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, update := range settings.Updates {
		if update.Ecosystem == "gomod" {
			found = append(found, append(update.Directories, update.Directory)...)
		}
	}
	return slices.DeleteFunc(found, func(folder string) bool { return folder == "" })
}

func TestDependabotKnowsEveryGoModule(t *testing.T) {
	var existing []string
	err := fs.WalkDir(os.DirFS(controlplane.Root()), ".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "go.mod" {
			existing = append(existing, path.Join("/", path.Dir(file)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	known := updated(t)
	slices.Sort(known)
	slices.Sort(existing)
	if !slices.Equal(known, existing) {
		t.Errorf("Dependabot knows\n%v, and there are\n%v", known, existing)
	}
}

// TestOneGoEverywhere: the version that go.mod names is the one that images and
// workflows use, or a release would have another Go's faults.
func TestOneGoEverywhere(t *testing.T) {
	read := func(file string) string { return read(t, filepath.Join(controlplane.Root(), file)) }
	toolchain := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindStringSubmatch(read("go.mod"))
	if toolchain == nil {
		t.Fatal("go.mod names no toolchain")
	}
	for _, file := range []string{"Dockerfile", ".github/workflows/ci.yaml"} {
		named := regexp.MustCompile(`\bgolang:([0-9.]+)`).FindStringSubmatch(read(file))
		if named == nil || named[1] != toolchain[1] {
			t.Errorf("%s uses %q, go.mod Go %s", file, named, toolchain[1])
		}
	}
}

// workflow is what is checked of one of GitHub's.
type workflow struct {
	Permissions map[string]string `json:"permissions"`
	Jobs        map[string]struct {
		Permissions map[string]string `json:"permissions"`
	} `json:"jobs"`
}

func TestWorkflowsGrantToJobsOnly(t *testing.T) {
	for name, content := range workflows(t) {
		var parsed workflow
		if err := yaml.Unmarshal([]byte(content), &parsed); err != nil {
			t.Fatal(err)
		}
		if parsed.Permissions == nil || len(parsed.Permissions) > 0 {
			t.Errorf("%s grants %v to all of its jobs, want {}", name, parsed.Permissions)
		}
		for job, settings := range parsed.Jobs {
			if settings.Permissions == nil {
				t.Errorf("%s: job %s does not say what it is allowed", name, job)
			}
		}
	}
}

// TestActionsArePinned: a tag can be moved to other code. Only GitHub's own actions
// are used; all other tools are Go modules.
func TestActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for name, content := range workflows(t) {
		for _, use := range regexp.MustCompile(`(?m)^.*\buses: (.*)$`).FindAllStringSubmatch(content, -1) {
			if !strings.HasPrefix(use[1], "./") && !pinned.MatchString(use[1]) {
				t.Errorf("%s uses %s", name, use[1])
			}
		}
		if found := regexp.MustCompile(`secrets\.\w+`).FindString(content); found != "" {
			t.Errorf("%s uses %s: github.token is enough", name, found)
		}
	}
}

// workflows are the contents of the files by their names.
func workflows(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(controlplane.Root(), ".github", "workflows", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	found := map[string]string{}
	for _, file := range files {
		found[filepath.Base(file)] = read(t, file)
	}
	return found
}
