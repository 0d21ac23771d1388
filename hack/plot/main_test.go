package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFiguresOfSeveralRunsAreDrawn(t *testing.T) {
	folder := t.TempDir()
	var paths []string
	for name, sessions := range map[string]string{"a": "100", "b": "10000"} {
		path := filepath.Join(folder, name+".json")
		text := `{"results": [{"sessions": ` + sessions + `, "ratios": {"perSecond": 0.8, "cpu": 4, "requests": 1.7, "bytesPerSession": 20000}}]}`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	out := filepath.Join(folder, "performance.svg")
	if err := run(out, paths); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "memory per session, KiB", ">100<", ">10000<"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the SVG has no %q", want)
		}
	}
}

func TestWithoutFiguresNothingIsDrawn(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(empty, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, paths := range map[string][]string{"no file": nil, "no results": {empty}, "a missing file": {"no-such-file"}} {
		if err := run(filepath.Join(t.TempDir(), "performance.svg"), paths); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
