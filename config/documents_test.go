package config_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/controlplane"
)

// dryRun makes the API server check everything and keep nothing.
var dryRun = []string{"--dry-run=server", "--namespace", "examples"}

func TestSamplesApply(t *testing.T) {
	samples, err := filepath.Glob("samples/*.yaml")
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, sample := range samples {
		t.Run(filepath.Base(sample), func(t *testing.T) {
			manifest := read(t, sample)
			apply(t, []byte(manifest), dryRun...)
			admitPods(t, []byte(manifest), "examples")
		})
	}
}

var (
	yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	link      = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	fragment  = regexp.MustCompile(`\]\(([^)#:]*)#([^)]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	flagName  = regexp.MustCompile("`--([a-z-]+)")
	// others are kinds of other projects, which this API server does not know.
	// hack/recipes reads those of Flux with its own types.
	others = regexp.MustCompile(`(?m)^apiVersion: (aws\.upbound\.io|external-secrets\.io|kustomize\.toolkit\.fluxcd\.io)/`)
)

func TestDocumentedManifestsApply(t *testing.T) {
	for _, document := range documents(t) {
		for _, block := range yamlBlock.FindAllStringSubmatch(read(t, document), -1) {
			if !strings.Contains(block[1], "apiVersion:") || others.MatchString(block[1]) {
				continue // a part of a manifest, or none of ours
			}
			t.Run(filepath.Base(document), func(t *testing.T) {
				apply(t, []byte(block[1]), dryRun...)
				admitPods(t, []byte(block[1]), "examples")
			})
		}
	}
}

func TestDocumentsLinkToFilesThatExist(t *testing.T) {
	for _, document := range documents(t) {
		for _, target := range link.FindAllStringSubmatch(read(t, document), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), target[1])); err != nil {
				t.Errorf("%s: %v", filepath.Base(document), err)
			}
		}
	}
}

// slug is a heading as GitHub names it in links.
func slug(heading string) string {
	kept := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(kept, " ", "-")
}

func TestDocumentsLinkToHeadingsThatExist(t *testing.T) {
	for _, document := range documents(t) {
		for _, target := range fragment.FindAllStringSubmatch(read(t, document), -1) {
			page := document
			if target[1] != "" {
				page = filepath.Join(filepath.Dir(document), target[1])
			}
			known := slices.ContainsFunc(heading.FindAllStringSubmatch(read(t, page), -1), func(found []string) bool {
				return slug(found[1]) == target[2]
			})
			if !known {
				t.Errorf("%s: %s has no heading #%s", filepath.Base(document), filepath.Base(page), target[2])
			}
		}
	}
}

func TestDocumentedFlagsAreThoseOfTheOperator(t *testing.T) {
	documented := map[string]bool{}
	for _, match := range flagName.FindAllStringSubmatch(read(t, filepath.Join(controlplane.Root(), "docs", "how-it-works.md")), -1) {
		documented[match[1]] = true
	}
	_, help := run(t, nil, filepath.Join(controlplane.Root(), "bin", "aws-login-operator"), "--help")
	existing := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^ +-([a-z-]+)`).FindAllStringSubmatch(help, -1) {
		existing[match[1]] = true
	}
	if len(existing) == 0 {
		t.Fatalf("no flags in:\n%s", help)
	}
	for name := range existing {
		if !documented[name] {
			t.Errorf("--%s is not documented", name)
		}
	}
	for name := range documented {
		if !existing[name] {
			t.Errorf("--%s is documented and does not exist", name)
		}
	}
}

func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*.md", "docs/*.md", "charts/*/*.md"} {
		pages, err := filepath.Glob(filepath.Join(controlplane.Root(), pattern))
		if err != nil || len(pages) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		found = append(found, pages...)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

var testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)`")

// TestDocumentedTestsExist: a row of a table that names no test proves nothing.
func TestDocumentedTestsExist(t *testing.T) {
	existing := strings.Builder{}
	err := filepath.WalkDir(controlplane.Root(), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			existing.WriteString(read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, document := range documents(t) {
		for _, name := range testName.FindAllStringSubmatch(read(t, document), -1) {
			if found++; !strings.Contains(existing.String(), "func "+name[1]+"(") {
				t.Errorf("%s: there is no test %s", filepath.Base(document), name[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d tests are named", found)
	}
}
