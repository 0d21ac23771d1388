// Apidocs writes docs/api.md: the fields of the types in api/, which crd-ref-docs finds,
// and the package's constants. It runs in the project's folder.
package main

import (
	"fmt"
	"os"

	"github.com/elastic/crd-ref-docs/config"
	"github.com/elastic/crd-ref-docs/processor"
	"github.com/elastic/crd-ref-docs/renderer"
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "apidocs:", err)
		os.Exit(1)
	}
}

func write() error {
	constants, err := blocks("api/v1alpha1")
	if err != nil {
		return fmt.Errorf("read the constants: %w", err)
	}
	settings := &config.Config{
		Processor: config.ProcessorConfig{IgnoreTypes: []string{"List$"}, IgnoreFields: []string{"TypeMeta$", "metadata$"}},
		Render:    config.RenderConfig{KubernetesVersion: "1.36"},
		Flags: config.Flags{
			SourcePath:        "api",
			TemplatesDir:      "hack/apidocs",
			OutputPath:        "docs/api.md",
			OutputMode:        config.OutputModeSingle,
			MaxDepth:          10,
			TemplateKeyValues: config.KeyValueFlags{{Key: "constants", Value: markdown(constants)}},
		},
	}
	types, err := processor.Process(settings)
	if err != nil {
		return fmt.Errorf("read the types: %w", err)
	}
	page, err := renderer.NewMarkdownRenderer(settings)
	if err != nil {
		return fmt.Errorf("make a renderer: %w", err)
	}
	if err := page.Render(types); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
