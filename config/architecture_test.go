package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/controlplane"
)

const module = "awslogin.dev/operator/"

// goPackage is a package of the module as `go list` tells of it, without its tests.
type goPackage struct {
	ImportPath    string
	GoFiles       []string
	Imports, Deps []string
}

func (p goPackage) path() string { return strings.TrimPrefix(p.ImportPath, module) }

// packages are those of the module that have more than tests.
func packages(t *testing.T) (found []goPackage) {
	t.Helper()
	list, _ := run(t, nil, "go", "list", "-C", controlplane.Root(), "-json=ImportPath,GoFiles,Imports,Deps", "./...")
	decoder := json.NewDecoder(bytes.NewReader(list))
	for {
		var next goPackage
		if err := decoder.Decode(&next); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if len(next.GoFiles) > 0 {
			found = append(found, next)
		}
	}
}

// diagram is that of docs/architecture.md. A box stands for packages, by their paths or
// by a pattern, and may be in a frame.
type diagram struct {
	boxes  map[string]string   // by what they stand for
	frames map[string][]string // what the boxes in them stand for
	arrows []string
}

var (
	mermaid    = regexp.MustCompile("(?s)```mermaid\n(.*?)```")
	drawnBox   = regexp.MustCompile(`(?m)^ *(\w+)\["(.*)"\]$`)
	drawnFrame = regexp.MustCompile(`(?ms)^ *subgraph (\w+)\["[^\n]*\n(.*?)^ *end$`)
	drawnArrow = regexp.MustCompile(`(?m)^ *(\w+) --> (.*)$`)
	packageRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
)

func architecture(t *testing.T) (page string, drawn diagram) {
	t.Helper()
	page = read(t, filepath.Join(controlplane.Root(), "docs", "architecture.md"))
	text := mermaid.FindStringSubmatch(page)[1]
	drawn = diagram{boxes: boxes(text), frames: map[string][]string{}}
	for _, found := range drawnFrame.FindAllStringSubmatch(text, -1) {
		drawn.frames[found[1]] = slices.Collect(maps.Keys(boxes(found[2])))
	}
	for _, found := range drawnArrow.FindAllStringSubmatch(text, -1) {
		for to := range strings.SplitSeq(found[2], " & ") {
			drawn.arrows = append(drawn.arrows, found[1]+" --> "+to)
		}
	}
	return page, drawn
}

func boxes(text string) map[string]string {
	names := map[string]string{}
	for _, found := range drawnBox.FindAllStringSubmatch(text, -1) {
		for pattern := range strings.SplitSeq(found[2], "<br/>") {
			names[pattern] = found[1]
		}
	}
	return names
}

// standsFor says whether a package is meant by its path or by a pattern such as hack/...
func standsFor(pattern, path string) bool {
	folder, isPattern := strings.CutSuffix(pattern, "...")
	return pattern == path || isPattern && strings.HasPrefix(path, folder)
}

func (d diagram) box(path string) string {
	for pattern, name := range d.boxes {
		if standsFor(pattern, path) {
			return name
		}
	}
	return ""
}

func (d diagram) isIn(frame, path string) bool {
	return slices.ContainsFunc(d.frames[frame], func(pattern string) bool { return standsFor(pattern, path) })
}

func TestArchitectureDiagramShowsEveryPackage(t *testing.T) {
	page, drawn := architecture(t)
	existing := packages(t)
	for _, p := range existing {
		if drawn.box(p.path()) == "" {
			t.Errorf("%s is not in the diagram", p.path())
		}
	}
	for pattern := range drawn.boxes {
		if !slices.ContainsFunc(existing, func(p goPackage) bool { return standsFor(pattern, p.path()) }) {
			t.Errorf("%s is in the diagram and does not exist", pattern)
		}
	}
	var described []string
	for _, found := range packageRow.FindAllStringSubmatch(page, -1) {
		described = append(described, found[1])
	}
	slices.Sort(described)
	if want := slices.Sorted(maps.Keys(drawn.boxes)); !slices.Equal(described, want) {
		t.Errorf("the table has\n%v, and the diagram\n%v", described, want)
	}
}

func TestArchitectureDiagramShowsEveryImport(t *testing.T) {
	_, drawn := architecture(t)
	var imports []string
	for _, p := range packages(t) {
		from := drawn.box(p.path())
		for _, imported := range p.Imports {
			path, ours := strings.CutPrefix(imported, module)
			if to := drawn.box(path); ours && to != from {
				imports = append(imports, from+" --> "+to)
			}
		}
	}
	for _, imported := range slices.Compact(slices.Sorted(slices.Values(imports))) {
		if !slices.Contains(drawn.arrows, imported) {
			t.Errorf("the diagram lacks %s", imported)
		}
	}
	for _, shown := range drawn.arrows {
		if !slices.Contains(imports, shown) {
			t.Errorf("there is no import for %s", shown)
		}
	}
}

func TestImportsRunOneWay(t *testing.T) {
	_, drawn := architecture(t)
	if len(drawn.frames["withoutKubernetes"]) == 0 || len(drawn.frames["testsOnly"]) == 0 {
		t.Fatalf("the diagram has not both frames: %v", drawn.frames)
	}
	for _, p := range packages(t) {
		for _, path := range p.Deps {
			ours := strings.TrimPrefix(path, module)
			switch {
			case drawn.isIn("withoutKubernetes", p.path()) && ofKubernetes.MatchString(path):
				t.Errorf("%s is to know nothing of Kubernetes, and depends on %s", p.path(), path)
			case drawn.isIn("testsOnly", ours) && !drawn.isIn("testsOnly", p.path()):
				t.Errorf("%s is for tests, and %s depends on it", ours, p.path())
			case ours == "controllers" && p.path() != "cmd/aws-login-operator":
				t.Errorf("%s depends on controllers", p.path())
			}
		}
	}
}

var (
	ofKubernetes = regexp.MustCompile(`^(sigs\.)?k8s\.io/`)
	ofOthers     = regexp.MustCompile(`^[^/]+\.`)
)

func TestAPIImportsApimachineryOnly(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if strings.HasPrefix(p.path(), "api/") && ofOthers.MatchString(imported) && !strings.HasPrefix(imported, "k8s.io/apimachinery/") {
				t.Errorf("%s imports %s", p.path(), imported)
			}
		}
	}
}
