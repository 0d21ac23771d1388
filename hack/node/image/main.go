// Command image makes the archive of a container image out of files, without
// Docker: image -name REFERENCE -o ARCHIVE [flags] FILE:PATH-IN-THE-IMAGE...
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	reference := flags.String("name", "", "the image's name, such as example.com/it:dev")
	archive := flags.String("o", "", "the file to write")
	tree := flags.String("tree", "", "a tar archive of a file system to begin with")
	entrypoint := flags.String("entrypoint", "", "what the image runs; by default the first file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 && *tree == "" {
		return errors.New("no files, and no -tree")
	}
	tag, err := name.NewTag(*reference)
	if err != nil {
		return fmt.Errorf("reading the image's name: %w", err)
	}
	image, err := assemble(*tree, flags.Args(), *entrypoint)
	if err != nil {
		return err
	}
	if err := tarball.WriteToFile(*archive, tag, image); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	return nil
}

func assemble(tree string, files []string, entrypoint string) (v1.Image, error) {
	var layers []v1.Layer
	if tree != "" {
		layer, err := tarball.LayerFromFile(tree)
		if err != nil {
			return nil, fmt.Errorf("reading the tree: %w", err)
		}
		layers = append(layers, layer)
	}
	if len(files) > 0 {
		layer, err := layerOf(files)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
		if entrypoint == "" {
			_, entrypoint, _ = strings.Cut(files[0], ":")
		}
	}
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return nil, fmt.Errorf("putting layers together: %w", err)
	}
	return configure(image, entrypoint)
}

// configure has the image run as the operator's does: not as root.
func configure(image v1.Image, entrypoint string) (v1.Image, error) {
	file, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the image's configuration: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config = v1.Config{
		User:       "65532:65532",
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
		Entrypoint: strings.Fields(entrypoint),
	}
	return mutate.ConfigFile(image, file)
}

// layerOf packs files that are given as FILE:PATH-IN-THE-IMAGE.
func layerOf(files []string) (v1.Layer, error) {
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	for _, file := range files {
		if err := add(archive, file); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("packing files: %w", err)
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	})
}

// add takes over content and mode alone, so that the same files make the same image.
func add(archive *tar.Writer, file string) error {
	from, to, found := strings.Cut(file, ":")
	if !found || !path.IsAbs(to) {
		return fmt.Errorf("%q is not FILE:/PATH", file)
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("packing a file: %w", err)
	}
	info, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("packing a file: %w", err)
	}
	header := &tar.Header{Name: to[1:], Size: int64(len(content)), Mode: int64(info.Mode().Perm()) | 0o444}
	if err := archive.WriteHeader(header); err != nil {
		return fmt.Errorf("packing %s: %w", from, err)
	}
	if _, err := archive.Write(content); err != nil {
		return fmt.Errorf("packing %s: %w", from, err)
	}
	return nil
}
