package recipes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// read decodes a file of the repository and refuses what its type does not have.
func read(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	if err == nil {
		err = yaml.UnmarshalStrict(content, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// documentedKustomization is the one of docs/recipes.md.
func documentedKustomization(t *testing.T) *kustomizev1.Kustomization {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "recipes.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```yaml\napiVersion: kustomize.toolkit.fluxcd.io/v1\n")
	block, _, _ = strings.Cut(block, "```")
	kustomization := &kustomizev1.Kustomization{}
	if err := yaml.UnmarshalStrict([]byte("apiVersion: kustomize.toolkit.fluxcd.io/v1\n"+block), kustomization); err != nil {
		t.Fatal(err)
	}
	return kustomization
}
