package previous

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/controlplane"
)

// repository is a history of commits, each of which changes a file that names it.
type repository struct {
	*testing.T
	folder string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t, filepath.Join(t.TempDir(), "r")}
	script, err := os.ReadFile(filepath.Join(controlplane.Root(), "hack", "previous.sh"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("hack/previous.sh", string(script))
	r.git("init", "--quiet")
	return r
}

// gitEnv keeps git from the person's configuration, and from the repository of a hook
// that runs the tests.
func gitEnv() []string {
	variables := slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "GIT_") })
	return append(variables, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
}

func (r *repository) write(path, text string) {
	r.Helper()
	path = filepath.Join(r.folder, path)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o700)
	}
	if err != nil {
		r.Fatal(err)
	}
}

func (r *repository) git(arguments ...string) {
	r.Helper()
	command := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-C", r.folder}, arguments...)...)
	command.Env = gitEnv()
	if out, err := command.CombinedOutput(); err != nil {
		r.Fatalf("git %q: %v\n%s", arguments, err, out)
	}
}

func (r *repository) commit(path string) {
	r.Helper()
	r.write(path, path)
	r.git("add", ".")
	r.git("commit", "--quiet", "--message", path)
}

// script runs it; with nothing to build here it fails after it has said what it would.
func (r *repository) script() (exitCode int, says string) {
	command := exec.Command(filepath.Join(r.folder, "hack", "previous.sh"), filepath.Join(r.TempDir(), "built"))
	command.Env = gitEnv()
	out, _ := command.CombinedOutput()
	return command.ProcessState.ExitCode(), string(out)
}

func TestPreviousVersionIs(t *testing.T) {
	for name, row := range map[string]struct {
		commits string // paths; TAG tags the last commit
		want    string // subject of the chosen commit
	}{
		"the commit before, if that is about the operator": {"api/a.go controllers/b.go internal/c.go", "controllers/b.go"},
		"the one before the last that is about it":         {"api/a.go controllers/b.go docs/c.md README.md", "api/a.go"},
		"not one that only tests differ from":              {"api/a.go controllers/b.go controllers/b_test.go internal/fakeaws/c.go", "api/a.go"},
		"one with other manifests":                         {"api/a.go config/b.yaml", "api/a.go"},
		"the last release, however much has come since":    {"api/a.go TAG controllers/b.go controllers/c.go", "api/a.go"},
		"the release before, if this one is a release":     {"api/a.go TAG controllers/b.go TAG", "api/a.go"},
		"the newest of several releases":                   {"api/a.go TAG controllers/b.go TAG controllers/c.go", "controllers/b.go"},
		"none where the history begins with this operator": {"api/a.go docs/b.md", ""},
		"none where nothing was committed":                 {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, tags := newRepository(t), 0
			for path := range strings.FieldsSeq(row.commits) {
				if path == "TAG" {
					tags++
					r.git("tag", "v0."+strings.Repeat("1", tags)+".0")
					continue
				}
				r.commit(path)
			}
			code, says := r.script()
			if row.want == "" {
				if code != 3 || !strings.Contains(says, "history") {
					t.Errorf("exit code %d, and says %s", code, says)
				}
				return
			}
			if !strings.Contains(says, "previous: building ") || !strings.Contains(says, ", "+row.want+"\n") {
				t.Errorf("says %s", says)
			}
		})
	}
}

func TestPreviousVersionIsFoundThroughALink(t *testing.T) {
	r := newRepository(t)
	r.commit("api/a.go")
	r.commit("api/b.go")
	if err := os.Symlink(r.folder, r.folder+"-link"); err != nil {
		t.Fatal(err)
	}
	r.folder += "-link"
	if _, says := r.script(); !strings.Contains(says, "previous: building ") {
		t.Errorf("says %s", says)
	}
}

func TestShallowCloneHasNoPreviousVersion(t *testing.T) {
	r := newRepository(t)
	r.commit("api/a.go")
	r.commit("api/b.go")
	r.git("clone", "--quiet", "--depth", "1", "file://"+r.folder, r.folder+"-shallow")
	r.folder += "-shallow"
	if code, says := r.script(); code != 3 || !strings.Contains(says, "git fetch --unshallow") {
		t.Errorf("exit code %d, and says %s", code, says)
	}
}
