package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/scheme"
)

// awsLifetime is how long credentials of a login session live at AWS. Times of
// the demo stand for real ones in proportion to the lifetimes.
const awsLifetime = 15 * time.Minute

// demo is all that runs, and how to stop it.
type demo struct {
	settings
	*show.Show

	dir        string // temporary, for everything
	kubeconfig string
	kubectlBin string
	client     client.WithWatch

	aws    *fakeaws.Server
	awsURL string

	session  *session
	kubelet  *kubelet
	workload *workload
}

// run plays the demo, and stops and removes everything however it ends.
func run(parent context.Context, s settings) (err error) {
	running, ctx := show.Begin(parent)
	d := &demo{settings: s, Show: running, workload: newWorkload()}
	hush := context.AfterFunc(parent, func() { d.Say("interrupted: stopping and removing everything (a few seconds) ...") })
	defer func() {
		if err != nil && parent.Err() == nil {
			d.showLogs()
		}
		if hush() {
			d.Say("stopping and removing everything (about 2 s) ...")
		}
		d.Close()
	}()
	if err := d.play(ctx); err != nil || !d.keep {
		return err
	}
	if err := d.stay(ctx); parent.Err() == nil {
		return err
	}
	return nil // Ctrl-C is how this ends well
}

// play is the demo up to its summary.
func (d *demo) play(ctx context.Context) error {
	d.introduce()
	return d.Play(ctx,
		d.prepare, d.startControlPlane, d.startAWS, d.startOperator,
		d.signIn, d.applySession, d.mount, d.startWorkload, d.watchRotations, d.summarize,
	)
}

func (d *demo) prepare(context.Context) error {
	dir, err := os.MkdirTemp("", "awslogin-demo-")
	if err != nil {
		return err
	}
	d.CleanUp(func() error { return os.RemoveAll(dir) })
	d.dir, err = filepath.EvalSymlinks(dir)
	return err
}

func (d *demo) startControlPlane(context.Context) error {
	d.Say("starting kube-apiserver and etcd (about 5 s) ...")
	environment, err := controlplane.Start()
	if err != nil {
		return err
	}
	d.CleanUp(environment.Stop)
	d.kubeconfig = filepath.Join(d.dir, "kubeconfig")
	if err := os.WriteFile(d.kubeconfig, environment.KubeConfig, 0o600); err != nil {
		return err
	}
	d.kubectlBin = filepath.Join(binaries(), "kubectl")
	if d.client, err = client.NewWithWatch(environment.Config, client.Options{Scheme: scheme.New()}); err != nil {
		return err
	}
	version, err := discovery.NewDiscoveryClientForConfigOrDie(environment.Config).ServerVersion()
	if err != nil {
		return err
	}
	d.Say("Kubernetes %s is up, with the CRD of LoginSession", version.GitVersion)
	return nil
}

// binaries is the folder of kubectl, as an absolute path to be told to people.
func binaries() string {
	folder := os.Getenv("KUBEBUILDER_ASSETS")
	if folder == "" {
		folder = filepath.Join(controlplane.Root(), "bin", "controlplane")
	}
	if absolute, err := filepath.Abs(folder); err == nil {
		return absolute
	}
	return folder
}

func (d *demo) startAWS(context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.aws = fakeaws.New(fakeaws.Options{CredentialLifetime: d.lifetime, RoleLifetime: d.lifetime})
	d.aws.AddRole(fakeaws.Role{ARN: roleARN, AllowSourceIdentity: true})
	server := &http.Server{Handler: d.aws, ReadHeaderTimeout: time.Minute}
	d.CleanUp(server.Close)
	go func() { d.Fail(fmt.Errorf("serve the fake AWS: %w", server.Serve(listener))) }()
	d.awsURL = "http://" + listener.Addr().String()
	d.Say("fake AWS Sign-In and AWS STS are up; they verify every proof, signature and expiry")
	return nil
}

// showLogs prints the ends of what the processes wrote, before it is removed.
func (d *demo) showLogs() {
	for _, name := range []string{operatorLog, workloadLog} {
		text, err := os.ReadFile(filepath.Join(d.dir, name))
		if err != nil || len(text) == 0 {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Printf("\nThe end of %s:\n", name)
		for _, line := range lines[max(0, len(lines)-15):] {
			fmt.Println("  " + line)
		}
	}
}
