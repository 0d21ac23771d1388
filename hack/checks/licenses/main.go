// licenses checks that everything compiled into the shipped programs has a licence
// on the list below, and writes the texts, which have to be shipped with them.
//
//	licenses ROOT FILE
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/google/licensecheck"
)

// allowed are licences, as SPDX names them, that ask for no more than their text.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// enough of a file has to be text of known licences, in per cent: the rest is names
// and years.
const enough = 75

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: licenses ROOT FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(root, file string) error {
	parts, err := shipped(root)
	if err != nil {
		return err
	}
	texts, err := collect(parts)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, notices(texts), 0o644); err != nil { //nolint:gosec // everybody may read it
		return fmt.Errorf("write the notices: %w", err)
	}
	return nil
}

// check says why a licence is refused.
func check(text []byte) error {
	coverage := licensecheck.Scan(text)
	if coverage.Percent < enough {
		return fmt.Errorf("%.0f %% of it is text of a known licence, want %d %%", coverage.Percent, enough)
	}
	for _, match := range coverage.Match {
		if !slices.Contains(allowed, match.ID) {
			return fmt.Errorf("%s is not on the list of licences", match.ID)
		}
	}
	return nil
}
