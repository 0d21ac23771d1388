package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/faultproxy"
)

// The lease's times are short so that a takeover fits into the time that a retry has.
// In proportion to the lifetime they are longer than the operator's own. The period is
// no shorter because the Kubernetes client compares renewals by the second: a standby
// misses the second of two in one, and takes a lease that was renewed.
const (
	leaseDuration = 3 * time.Second
	renewDeadline = 2 * time.Second
	retryPeriod   = time.Second
)

// replica is one of the operators, with a way to the API server of its own.
type replica struct {
	name       string
	gate       *gate
	kubeconfig string
	log        string

	mu        sync.Mutex
	process   *process
	renewedAt time.Time // when it last tried to renew the lease
	starts    int
	over      bool // it must not be started any more
}

// process is one run of a replica.
type process struct {
	*exec.Cmd
	ended    chan struct{}
	expected bool // that it ends; guarded by the replica's mutex
}

func (k *soak) startReplicas(ctx context.Context) error {
	for _, name := range []string{"a", "b"} {
		proxy, err := faultproxy.NewKubernetes(k.operatorUser)
		if err != nil {
			return fmt.Errorf("stand in front of the API server: %w", err)
		}
		r := &replica{name: name, gate: k.open(proxy), log: filepath.Join(k.dir, "operator-"+name+".log")}
		r.kubeconfig = filepath.Join(k.dir, "kubeconfig-"+name)
		text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x, clusters: [{name: x, cluster: {server: %q}}], `+
			`contexts: [{name: x, context: {cluster: x}}]}`, r.gate.server.URL)
		if err := os.WriteFile(r.kubeconfig, []byte(text), 0o600); err != nil {
			return err
		}
		r.judge(nil)
		k.replicas = append(k.replicas, r)
		k.CleanUp(r.remove)
		if err := k.start(r); err != nil {
			return err
		}
	}
	for _, r := range k.replicas {
		k.Say("replica %s of the operator runs, its log is %s", r.name, r.log)
	}
	return nil
}

// judge sets what goes wrong between this replica and the API server. On the way
// it sees who renews the lease, which only the leader does.
func (r *replica) judge(fault func(*http.Request) faultproxy.Fault) {
	r.gate.Judge(func(request *http.Request) faultproxy.Fault {
		if isRenewal(request) {
			r.mu.Lock()
			r.renewedAt = time.Now()
			r.mu.Unlock()
		}
		if fault == nil {
			return faultproxy.Fault{}
		}
		return fault(request)
	})
}

func isRenewal(request *http.Request) bool {
	return strings.HasPrefix(faultproxy.Step(request), "PUT leases/")
}

// command has nothing of the person's environment. The rate of requests to AWS and
// the number of workers scale as the lifetime does: as many sessions are refreshed
// in a minute here as in a quarter of an hour.
func (k *soak) command(r *replica, probes string) *exec.Cmd {
	scale := float64(awsLifetime) / float64(k.lifetime)
	command := exec.Command(k.operator,
		"--metrics-bind-address=0", "--health-probe-bind-address="+probes,
		"--leader-elect", "--leader-election-namespace="+ownNamespace,
		"--leader-election-lease-duration="+leaseDuration.String(),
		"--leader-election-renew-deadline="+renewDeadline.String(),
		"--leader-election-retry-period="+retryPeriod.String(),
		fmt.Sprintf("--sign-in-qps=%.0f", 10*scale), fmt.Sprintf("--max-concurrent-reconciles=%.0f", min(50, 10*scale)))
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + k.dir,
		"KUBECONFIG=" + r.kubeconfig,
		"AWS_ENDPOINT_URL_SIGNIN=" + k.awsGate.server.URL,
		"AWS_ENDPOINT_URL_STS=" + k.awsGate.server.URL,
	}
	// Ctrl-C reaches all of the terminal's foreground group; the soak alone acts on it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return command
}

func (k *soak) start(r *replica) error {
	probes, err := controlplane.FreeAddress()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	p := &process{Cmd: k.command(r, probes), ended: make(chan struct{})}
	p.Stdout, p.Stderr = file, file
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return file.Close()
	}
	if err := errors.Join(p.Start(), file.Close()); err != nil {
		return fmt.Errorf("start replica %s: %w", r.name, err)
	}
	r.process, r.starts = p, r.starts+1
	go k.attend(r, p)
	return nil
}

// remove ends the replica for good.
func (r *replica) remove() error {
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	return r.end(syscall.SIGKILL)
}

// attend waits for the end of a process; one that nobody asked to end is a fault of
// the operator's, and is started again as a kubelet would.
func (k *soak) attend(r *replica, p *process) {
	_ = p.Wait() // the state says more
	close(p.ended)
	r.mu.Lock()
	expected := p.expected
	r.mu.Unlock()
	if expected {
		return
	}
	k.findings.add(k.violation("replica "+r.name, "ended by itself: "+p.ProcessState.String()))
	time.Sleep(time.Second)
	if err := k.start(r); err != nil {
		k.Fail(err)
	}
}

// end sends a signal that ends the replica, and waits for that.
func (r *replica) end(signal syscall.Signal) error {
	r.mu.Lock()
	p := r.process
	if p != nil {
		p.expected = true
	}
	r.mu.Unlock()
	if p == nil {
		return nil
	}
	_ = p.Process.Signal(signal) // fails where nothing is left to end
	select {
	case <-p.ended:
		return nil
	case <-time.After(time.Minute): // what the manifests give a pod
		return fmt.Errorf("replica %s, process %d, does not end on %s", r.name, p.Process.Pid, signal)
	}
}

func (r *replica) signal(signal syscall.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.process.Process.Signal(signal); err != nil {
		return fmt.Errorf("send %s to replica %s: %w", signal, r.name, err)
	}
	return nil
}

// roles tells the leader from the standby.
func (k *soak) roles() (leader, standby *replica) {
	a, b := k.replicas[0], k.replicas[1]
	if a.lastRenewal().Before(b.lastRenewal()) {
		return b, a
	}
	return a, b
}

func (r *replica) lastRenewal() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.renewedAt
}

func (r *replica) startCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starts
}

// stopReplicas ends the soak's use of the operator, politely: what a replica still
// has to write back, it writes now.
func (k *soak) stopReplicas(context.Context) error {
	k.stopMeasuring()
	k.Say("stopping the replicas with SIGTERM ...")
	for _, r := range k.replicas {
		if err := r.end(syscall.SIGTERM); err != nil {
			return err
		}
	}
	return nil
}
