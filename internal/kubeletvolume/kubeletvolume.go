// Package kubeletvolume lays files out as the kubelet lays out a Secret volume,
// so that tests and the demo can show a workload what a pod sees when a Secret
// changes:
//
//	..2026_01_02_15_04_05.123456789/config  the content of one version
//	..data -> ..2026_01_02_15_04_05.123456789
//	config -> ..data/config                 what programs open
//
// A new version is written beside the old one and becomes visible by renaming a
// symlink over ..data: all files change at once, and none is ever half written.
// As in a pod, a program that opens two files can get them from two versions.
package kubeletvolume

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	dataDir    = "..data"
	newDataDir = "..data_tmp"
)

// Write makes the files the content of dir, which exists already. The names are
// keys of a Secret, without a path. Nothing changes on disk when dir has that
// content already. A directory has one writer at a time.
func Write(dir string, files map[string][]byte) error {
	for name := range files {
		if name == "" || strings.HasPrefix(name, "..") || filepath.Base(name) != name {
			return fmt.Errorf("write a volume: %q is not the key of a Secret", name)
		}
	}
	current, err := os.Readlink(filepath.Join(dir, dataDir))
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("write a volume: %w", err)
	}
	if current != "" && holds(filepath.Join(dir, current), files) {
		return nil
	}
	if err := replace(dir, current, files); err != nil {
		return fmt.Errorf("write a volume: %w", err)
	}
	return nil
}

// holds tells whether a version has these files and no others.
func holds(version string, files map[string][]byte) bool {
	entries, err := os.ReadDir(version)
	if err != nil || len(entries) != len(files) {
		return false
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(version, name))
		if err != nil || !bytes.Equal(got, want) {
			return false
		}
	}
	return true
}

// replace is the kubelet's sequence: the swap first, then the links of new files,
// then the removal of what is gone.
func replace(dir, current string, files map[string][]byte) error {
	next, err := newVersion(dir, files)
	if err != nil {
		return err
	}
	if err := swap(dir, filepath.Base(next)); err != nil {
		return err
	}
	if err := link(dir, files); err != nil {
		return err
	}
	if err := unlink(dir, files); err != nil {
		return err
	}
	if current == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(dir, current))
}

func newVersion(dir string, files map[string][]byte) (string, error) {
	version, err := os.MkdirTemp(dir, time.Now().UTC().Format("..2006_01_02_15_04_05."))
	if err != nil {
		return "", err
	}
	if err := os.Chmod(version, 0o755); err != nil {
		return "", err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(version, name), content, 0o644); err != nil {
			return "", err
		}
	}
	return version, nil
}

// swap makes a version the current one. rename(2) replaces a symlink atomically.
func swap(dir, version string) error {
	temporary := filepath.Join(dir, newDataDir)
	if err := os.Remove(temporary); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.Symlink(version, temporary); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(dir, dataDir))
}

func link(dir string, files map[string][]byte) error {
	for name := range files {
		err := os.Symlink(filepath.Join(dataDir, name), filepath.Join(dir, name))
		if err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}

// unlink removes what the current version no longer has.
func unlink(dir string, files map[string][]byte) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, wanted := files[entry.Name()]; wanted || entry.Type() != fs.ModeSymlink || entry.Name() == dataDir {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
