package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/controlplane"
)

// operator is one run of the operator.
type operator struct {
	*show.Process
	startedAt time.Time
	profiles  string // URL
}

// startOperator returns when the operator says that it knows the LoginSessions.
func (s *stage) startOperator(ctx context.Context) error {
	probes, err := controlplane.FreeAddress()
	if err != nil {
		return err
	}
	profiles, err := controlplane.FreeAddress()
	if err != nil {
		return err
	}
	command := exec.Command(s.bench.operator,
		"--metrics-bind-address=0", "--health-probe-bind-address="+probes, "--pprof-bind-address="+profiles, "--sign-in-qps=0",
		fmt.Sprint("--max-concurrent-reconciles=", s.concurrency))
	command.Env = []string{ // nothing of the person's
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "KUBECONFIG=" + s.kubeconfig,
		"AWS_ENDPOINT_URL_SIGNIN=" + s.awsURL, "AWS_ENDPOINT_URL_STS=" + s.awsURL,
	}
	startedAt := time.Now()
	process, err := s.Start("operator", filepath.Join(s.dir, "operator.log"), command)
	if err != nil {
		return err
	}
	s.operator = &operator{Process: process, startedAt: startedAt, profiles: "http://" + profiles + "/debug/pprof/"}
	return show.WaitUntilOK(ctx, "http://"+probes+"/readyz")
}

func (s *stage) stopOperator() error {
	defer func() { s.operator = nil }()
	return s.operator.Stop()
}

func (o *operator) signal(signal syscall.Signal) error {
	if err := o.Process.Process.Signal(signal); err != nil {
		return fmt.Errorf("send %s to the operator: %w", signal, err)
	}
	return nil
}

// cpu is the user and system time that the process has used, in seconds.
func (o *operator) cpu() (float64, error) {
	process, err := procfs.NewProc(o.Process.Process.Pid)
	if err != nil {
		return 0, err
	}
	stat, err := process.Stat()
	return stat.CPUTime(), err
}

// allocated is how many bytes the process has allocated so far, as its heap profile
// says in the end (runtime.MemStats).
func (o *operator) allocated(ctx context.Context) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.profiles+"heap?debug=1", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	profile, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	_, text, _ := strings.Cut(string(profile), "# TotalAlloc = ")
	text, _, _ = strings.Cut(text, "\n")
	bytes, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("read the operator's heap profile: %w", err)
	}
	return bytes, nil
}

// awaitIdle waits until the process uses next to no CPU: after the rotations it looks once
// more at what it wrote.
func (o *operator) awaitIdle(ctx context.Context) error {
	const idle = 0.03 // seconds of CPU in a second; the clock of /proc has hundredths
	for idleFor := 0; idleFor < 2; idleFor++ {
		before, err := o.cpu()
		if err != nil {
			return err
		}
		if err := show.Sleep(ctx, time.Second); err != nil {
			return err
		}
		after, err := o.cpu()
		if err != nil {
			return err
		}
		if after-before > idle {
			idleFor = -1
		}
	}
	return nil
}

// memory is what the process has resident now, and the most that it had, in bytes.
func (o *operator) memory() (now, most uint64, err error) {
	process, err := procfs.NewProc(o.Process.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	status, err := process.NewStatus()
	return status.VmRSS, status.VmHWM, err
}

func describeMachine() Machine {
	return Machine{Cores: runtime.NumCPU(), LoadBefore: loadAverage()}
}

// loadAverage of the last minute; 0 where the system does not say.
func loadAverage() float64 {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0
	}
	load, err := fs.LoadAvg()
	if err != nil {
		return 0
	}
	return load.Load1
}
