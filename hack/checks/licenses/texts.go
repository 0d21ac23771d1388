package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying)([.-].*)?$`)
	notice  = regexp.MustCompile(`(?i)^notice(\..*)?$`)
)

// users are the modules that a text came with.
type users map[string]bool

// collect has the licences and notices of all parts, with equal texts once. It
// names everything that is refused, not only the first.
func collect(parts []part) (map[string]users, error) {
	texts := map[string]users{}
	var refused []error
	for _, part := range parts {
		licences, err := part.licences()
		if err != nil {
			return nil, err
		}
		if len(licences) == 0 {
			refused = append(refused, fmt.Errorf("%s: no licence in %s", part.module, part.folder))
		}
		for _, file := range licences {
			if err := add(texts, part.module, file, check); err != nil {
				refused = append(refused, err)
			}
		}
		notices, err := matching(part.root, notice)
		if err != nil {
			return nil, err
		}
		for _, file := range notices {
			if err := add(texts, part.module, file, anything); err != nil {
				return nil, err
			}
		}
	}
	return texts, errors.Join(unique(refused)...)
}

func anything([]byte) error { return nil }

func add(texts map[string]users, module, file string, check func([]byte) error) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read a licence: %w", err)
	}
	if err := check(text); err != nil {
		return fmt.Errorf("%s: %s: %w", module, file, err)
	}
	text = bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	if texts[string(text)] == nil {
		texts[string(text)] = users{}
	}
	texts[string(text)][module] = true
	return nil
}

// licences are those nearest to the code: in its folder, or in one above within the
// module. Copied code has its own beside it.
func (p part) licences() ([]string, error) {
	for folder := p.folder; ; folder = filepath.Dir(folder) {
		found, err := matching(folder, licence)
		if err != nil || len(found) > 0 || folder == p.root {
			return found, err
		}
	}
}

func matching(folder string, name *regexp.Regexp) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("look for licences: %w", err)
	}
	var found []string
	for _, entry := range entries {
		if entry.Type().IsRegular() && name.MatchString(entry.Name()) && filepath.Ext(entry.Name()) != ".go" {
			found = append(found, filepath.Join(folder, entry.Name()))
		}
	}
	return found, nil
}

// unique drops what the same file was refused for again.
func unique(refused []error) []error {
	slices.SortFunc(refused, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return slices.CompactFunc(refused, func(a, b error) bool { return a.Error() == b.Error() })
}

const (
	preface = "The programs of the AWS Login Operator contain code of these projects, under these licences.\n"
	rule    = "--------------------------------------------------------------------------------"
)

// notices names no versions, so that the file changes only when a licence does.
func notices(texts map[string]users) []byte {
	var sections []string
	for text, users := range texts {
		names := strings.Join(slices.Sorted(maps.Keys(users)), "\n")
		sections = append(sections, fmt.Sprintf("\n%s\n%s\n\n%s\n", rule, names, text))
	}
	slices.Sort(sections)
	return []byte(preface + strings.Join(sections, ""))
}
