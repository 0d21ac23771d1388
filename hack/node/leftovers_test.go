package node

import (
	"bufio"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// trace is what shows that there is a node, from outside.
type trace struct {
	folder  string // of the node
	process string // its first one's PID namespace
}

// busy starts a node that runs pods, and then does what the shell is told to.
func busy(t *testing.T, image, folder, then string) (*exec.Cmd, trace) {
	t.Helper()
	command := exec.Command("./node.sh", "run", "--image", image, "--", "sh", "-c", `
		kubectl apply -f testdata/pods.yaml && kubectl rollout status deployment/reader --timeout=60s || exit 3
		readlink /proc/self/ns/pid
		`+then)
	command.Env = append(os.Environ(), "TMPDIR="+folder)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "pid:") {
			found, _ := filepath.Glob(filepath.Join(folder, "awslogin-node-*"))
			return command, trace{folder: strings.Join(found, ""), process: lines.Text()}
		}
	}
	t.Fatal("the node did not get that far")
	return nil, trace{}
}

// left lists what there still is of a node.
func (n trace) left() []string {
	found, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	found = slices.DeleteFunc(found, func(link string) bool {
		namespace, err := os.Readlink(link)
		return err != nil || namespace != n.process
	})
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, _ fs.DirEntry, _ error) error {
		if strings.Contains(path, filepath.Base(n.folder)) {
			found = append(found, path)
		}
		return nil
	})
	if _, err := os.Stat(n.folder); err == nil {
		found = append(found, n.folder)
	}
	return found
}

// machine is what would be seen of a node outside of it, and not what others mount.
func machine(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var state strings.Builder
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, "awslogin-node-") || strings.Contains(line, "/run/node") {
			state.WriteString(line)
		}
	}
	for _, one := range interfaces {
		if one.Name == "outside" { // as cluster.sh names it
			state.WriteString(one.Name + "\n")
		}
	}
	return state.String()
}

func TestNothingIsLeft(t *testing.T) {
	image := probeImage(t)
	before := machine(t)
	for name, test := range map[string]struct {
		then string
		end  func(node *exec.Cmd) error
	}{
		"when the command has ended": {then: "exit 0"},
		"when node.sh is ended": {"sleep 600", func(node *exec.Cmd) error {
			return node.Process.Signal(syscall.SIGTERM)
		}},
		"when node.sh is killed": {"sleep 600", func(node *exec.Cmd) error {
			return node.Process.Kill()
		}},
		"when its whole group is killed": {"sleep 600", func(node *exec.Cmd) error {
			return syscall.Kill(-node.Process.Pid, syscall.SIGKILL)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node, trace := busy(t, image, t.TempDir(), test.then)
			if test.end == nil {
				test.end = func(*exec.Cmd) error { return nil }
			} else if len(trace.left()) < 3 {
				t.Fatalf("only %q is there before the end", trace.left())
			}
			if err := test.end(node); err != nil {
				t.Fatal(err)
			}
			_ = node.Wait()
			for end := time.Now().Add(time.Minute); len(trace.left()) > 0 && time.Now().Before(end); {
				time.Sleep(50 * time.Millisecond)
			}
			if left := trace.left(); len(left) > 0 {
				t.Errorf("there still is %q", left)
			}
			if now := machine(t); now != before {
				t.Errorf("the machine was\n%s\nand is\n%s", before, now)
			}
		})
	}
}

func TestLogsOfAFailureStay(t *testing.T) {
	folder := t.TempDir()
	node, trace := busy(t, probeImage(t), folder, "exit 5")
	if err := node.Wait(); node.ProcessState.ExitCode() != 5 {
		t.Errorf("node.sh ended with %v, want the command's 5", err)
	}
	left, _ := filepath.Glob(filepath.Join(trace.folder, "*"))
	if want := []string{filepath.Join(trace.folder, "log")}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
	if _, err := os.Stat(filepath.Join(trace.folder, "log", "kubelet.log")); err != nil {
		t.Error(err)
	}
}
