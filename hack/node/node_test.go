package node

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var full = flag.Bool("full", false, "also measure how late the kubelet is by itself, which takes minutes")

// kubeconfig is where node.sh puts it.
const kubeconfig = "/run/node/admin.kubeconfig"

// output runs a program of this folder and gives what it prints. It skips the test
// where the program says that no node can run.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	var said, wrong bytes.Buffer
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	command.Stdout, command.Stderr = &said, &wrong
	err := command.Run()
	if command.ProcessState != nil && command.ProcessState.ExitCode() == 77 {
		t.Skip(wrong.String())
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, wrong.String())
	}
	return strings.TrimSpace(said.String())
}

// probeImage is the archive of an image of the probe.
func probeImage(t *testing.T) string {
	t.Helper()
	output(t, "./node.sh", "check")
	probe := filepath.Join(t.TempDir(), "probe")
	output(t, "go", "build", "-o", probe, "./probe")
	return output(t, "./images.sh", "program", "probe", probe)
}

// TestNode runs in a node those tests of this package that are for the inside.
func TestNode(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "--image", probeImage(t), "--", self, "-test.run", "^TestInside", "-test.v", "-test.timeout", "14m"}
	if *full {
		args = append(args, "-full")
	}
	command := exec.Command("./node.sh", args...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		t.Error(err)
	}
}

// inside skips a test that is not run by TestNode.
func inside(t *testing.T) {
	t.Helper()
	if os.Getenv("KUBECONFIG") != kubeconfig {
		t.Skip("TestNode runs it in a node")
	}
}
