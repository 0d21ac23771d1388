package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// systems are those that programs are released for: each has packages of its own.
var systems = []string{"linux", "darwin", "windows"}

// part is a folder of Go code that is shipped.
type part struct {
	module string // that the code belongs to
	root   string // of the module
	folder string
}

// listed is what `go list` tells of a package.
type listed struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Dir string
		Main      bool
	}
}

// shipped are the parts that the programs under cmd are made of, on any system. Go's
// own library is one of them.
func shipped(root string) ([]part, error) {
	goroot, err := command(root, "", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	golang := strings.TrimSpace(goroot)
	parts := []part{{module: "Go", root: golang, folder: golang}}
	for _, system := range systems {
		found, err := command(root, system, "list", "-deps", "-json=Dir,Standard,Module", "./cmd/...")
		if err != nil {
			return nil, err
		}
		more, err := decode(found)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
	}
	return parts, nil
}

func decode(found string) ([]part, error) {
	var parts []part
	decoder := json.NewDecoder(strings.NewReader(found))
	for {
		var one listed
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return parts, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the output of go list: %w", err)
		}
		if !one.Standard && !one.Module.Main {
			parts = append(parts, part{module: one.Module.Path, root: one.Module.Dir, folder: one.Dir})
		}
	}
}

func command(root, system string, arguments ...string) (string, error) {
	program := exec.Command("go", arguments...) //nolint:gosec // fixed words
	program.Dir = root
	program.Env = append(os.Environ(), "GOOS="+system)
	program.Stderr = os.Stderr
	out, err := program.Output()
	if err != nil {
		return "", fmt.Errorf("go %s in %s: %w", arguments[0], filepath.Clean(root), err)
	}
	return string(out), nil
}
