package release_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// image is what a folder in OCI's layout holds.
type image struct {
	digest     string
	compressed int64 // size of its layers
	settings   settings
	files      map[string]file
}

type settings struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Config       struct {
		User       string
		Entrypoint []string
		Labels     map[string]string
	} `json:"config"`
}

type file struct {
	mode    int64
	content []byte
}

func (i image) size() int64 {
	var sum int64
	for _, file := range i.files {
		sum += int64(len(file.content))
	}
	return sum
}

type descriptor struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

func readImage(t *testing.T, folder string) image {
	t.Helper()
	var index struct{ Manifests []descriptor }
	decode(t, filepath.Join(folder, "index.json"), &index)
	blob := func(d descriptor) string {
		return filepath.Join(folder, "blobs", strings.Replace(d.Digest, ":", "/", 1))
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	decode(t, blob(index.Manifests[0]), &manifest)
	found := image{digest: index.Manifests[0].Digest, files: map[string]file{}}
	decode(t, blob(manifest.Config), &found.settings)
	for _, layer := range manifest.Layers {
		found.compressed += layer.Size
		unpack(t, blob(layer), found.files)
	}
	return found
}

func decode(t *testing.T, file string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, file)), into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// unpack adds the files of a compressed tar archive. Folders do not count.
func unpack(t *testing.T, archive string, files map[string]file) {
	t.Helper()
	plain, err := gzip.NewReader(strings.NewReader(read(t, archive)))
	if err != nil {
		t.Fatalf("%s: %v", archive, err)
	}
	entries := tar.NewReader(plain)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", archive, err)
		}
		content, err := io.ReadAll(entries)
		if err != nil {
			t.Fatalf("%s: %v", archive, err)
		}
		if header.Typeflag != tar.TypeDir {
			files[header.Name] = file{mode: header.Mode, content: content}
		}
	}
}
