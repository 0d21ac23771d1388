// Package release has the tests of what is released: the image, built from the
// Dockerfile without Docker (make test-image), and the files of a release (make
// test-release).
package release
