package main

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// block is constants that are declared together.
type block struct {
	comment   string
	constants []constant
}

type constant struct{ name, value, comment string }

// blocks are those of a package's constants that have no type.
func blocks(folder string) ([]block, error) {
	pkg, err := parse(folder)
	if err != nil {
		return nil, err
	}
	var found []block
	for _, declared := range pkg.Consts {
		b := block{comment: flat(declared.Doc)}
		for _, spec := range declared.Decl.Specs {
			c, err := read(spec.(*ast.ValueSpec))
			if err != nil {
				return nil, err
			}
			b.constants = append(b.constants, c)
		}
		found = append(found, b)
	}
	return found, nil
}

func parse(folder string) (*doc.Package, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	positions := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(positions, path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return doc.NewFromFiles(positions, files, folder)
}

func read(spec *ast.ValueSpec) (constant, error) {
	name := spec.Names[0].Name
	literal, ok := spec.Values[0].(*ast.BasicLit)
	if !ok {
		return constant{}, fmt.Errorf("%s is no literal", name)
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		return constant{}, fmt.Errorf("%s is no text: %w", name, err)
	}
	return constant{name, value, flat(spec.Doc.Text())}, nil
}

var word = regexp.MustCompile(`\w+`)

// markdown has a heading for each block, the first sentence of its comment, and a line
// for each constant: its comment with values in place of names.
func markdown(all []block) string {
	values := map[string]string{}
	for _, b := range all {
		for _, c := range b.constants {
			values[c.name] = "`" + c.value + "`"
		}
	}
	var page strings.Builder
	for _, b := range all {
		title, text, _ := strings.Cut(b.comment, ". ")
		fmt.Fprintf(&page, "\n## %s\n\n", strings.TrimSuffix(title, "."))
		if text != "" {
			fmt.Fprintf(&page, "%s\n\n", text)
		}
		for _, c := range b.constants {
			fmt.Fprintf(&page, "- %s\n", word.ReplaceAllStringFunc(c.comment, func(name string) string {
				if value, ok := values[name]; ok {
					return value
				}
				return name
			}))
		}
	}
	return page.String()
}

// flat is a comment as one line of Markdown.
func flat(comment string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(comment), " "), "<", "&lt;")
}
