package kubeletvolume

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWriteLaysOutASecretVolume(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"config": []byte("1"), "credentials.json": []byte("2")})

	if got := read(t, dir, "config"); got != "1" {
		t.Errorf("config = %q", got)
	}
	if target, _ := os.Readlink(filepath.Join(dir, "config")); target != "..data/config" {
		t.Errorf("config is a link to %q", target)
	}
	version, _ := os.Readlink(filepath.Join(dir, "..data"))
	want := []string{version, "..data", "config", "credentials.json"}
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("the volume has %q, want %q", got, want)
	}
}

func TestWriteReplacesTheFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"gone": []byte("1"), "stays": []byte("1")})
	write(t, dir, map[string][]byte{"new": []byte("2"), "stays": []byte("2")})

	if got := names(t, dir); len(got) != 4 || !slices.Equal(got[1:], []string{"..data", "new", "stays"}) {
		t.Errorf("the volume has %q", got)
	}
	if got := read(t, dir, "stays"); got != "2" {
		t.Errorf("stays = %q", got)
	}
}

func TestWriteOfTheSameFilesChangesNothing(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]byte{"config": []byte("1")}
	write(t, dir, files)
	before := names(t, dir)
	write(t, dir, files)
	if after := names(t, dir); !slices.Equal(before, after) {
		t.Errorf("the volume had %q and has %q", before, after)
	}
}

func TestWriteRefusesWhatIsNoKeyOfASecret(t *testing.T) {
	for _, name := range []string{"", "..", "..data", "../up", "a/b"} {
		if err := Write(t.TempDir(), map[string][]byte{name: nil}); err == nil {
			t.Errorf("Write accepted the name %q", name)
		}
	}
}

func TestReadersSeeOnlyCompleteVersions(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, versionOf(0))
	done := make(chan error, 1)
	go func() {
		for i := 1; i < 300; i++ {
			if err := Write(dir, versionOf(i)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
			checkComplete(t, dir)
		}
	}
}

// versionOf returns two files that tell by themselves whether they are whole and
// belong together.
func versionOf(i int) map[string][]byte {
	line := fmt.Appendf(nil, "%06d\n", i)
	content := bytes.Repeat(line, 10_000)
	return map[string][]byte{"first": content, "second": content}
}

// checkComplete reads both files through one opened version, which can be removed
// meanwhile, as the kubelet does: missing is then right, mixed or short is not.
func checkComplete(t *testing.T, dir string) {
	t.Helper()
	version, err := os.OpenRoot(filepath.Join(dir, "..data"))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = version.Close() }()
	first, err1 := version.ReadFile("first")
	second, err2 := version.ReadFile("second")
	if errors.Is(errors.Join(err1, err2), fs.ErrNotExist) {
		return
	}
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if len(first) != 70_000 || !bytes.Equal(first, second) || !bytes.Equal(first, bytes.Repeat(first[:7], 10_000)) {
		t.Fatalf("read %d and %d bytes that are not one version", len(first), len(second))
	}
}

func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	if err := Write(dir, files); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}
