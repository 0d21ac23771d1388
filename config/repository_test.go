package config_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
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
