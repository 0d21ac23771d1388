package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/scheme"
)

// floorArgument makes this program the bare client, a process of its own as the operator is.
const floorArgument = "floor"

// floorRun is what the bare client tells of itself, in seconds.
type floorRun struct{ Took, CPU float64 }

// measureFloor has the bare client rotate every LoginSession, without AWS.
func (s *stage) measureFloor(ctx context.Context) error {
	if s.operator != nil {
		if err := s.stopOperator(); err != nil {
			return err
		}
	}
	s.Say("the bare client makes the calls of %d rotations ...", s.Sessions)
	before, err := s.askAPIServer(ctx)
	if err != nil {
		return err
	}
	run, err := s.runFloor(ctx)
	if err != nil {
		return fmt.Errorf("run the bare client: %w", err)
	}
	const idle = 2 * time.Second // as after the operator's rotations
	if err := show.Sleep(ctx, idle); err != nil {
		return err
	}
	after, err := s.askAPIServer(ctx)
	if err != nil {
		return err
	}
	n := float64(s.Sessions)
	s.Floors = append(s.Floors, Cost{
		PerSecond: n / run.Took, CPU: run.CPU / n, APIServerCPU: (after.cpu - before.cpu) / n,
		Requests: after.requests.since(before.requests).per(s.Sessions),
	})
	s.Say("  %.0f a second", n/run.Took)
	return nil
}

func (s *stage) runFloor(ctx context.Context) (run floorRun, err error) {
	command := exec.CommandContext(ctx, s.program, floorArgument, s.kubeconfig, strconv.Itoa(s.concurrency))
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return run, err
	}
	return run, json.NewDecoder(bytes.NewReader(output)).Decode(&run)
}

// playFloor is the bare client.
func playFloor(ctx context.Context, args []string) error {
	concurrency, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", args[1])
	if err != nil {
		return err
	}
	config.QPS = -1 // as the operator's
	api, err := client.New(config, client.Options{Scheme: scheme.New()})
	if err != nil {
		return err
	}
	return rotateAll(ctx, api, concurrency, os.Stdout)
}

func rotateAll(ctx context.Context, api client.Client, concurrency int, out io.Writer) error {
	sessions, targets := v1alpha1.LoginSessionList{}, map[types.NamespacedName]*corev1.Secret{}
	if err := api.List(ctx, &sessions); err != nil {
		return err
	}
	var secrets corev1.SecretList
	if err := api.List(ctx, &secrets, client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}); err != nil {
		return err
	}
	for i := range secrets.Items {
		targets[client.ObjectKeyFromObject(&secrets.Items[i])] = &secrets.Items[i]
	}
	began, cpu := time.Now(), ownCPU()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range sessions.Items {
		session := &sessions.Items[i]
		group.Go(func() error { return rotate(ctx, api, session, targets[client.ObjectKeyFromObject(session)]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(floorRun{time.Since(began).Seconds(), ownCPU() - cpu})
}

// rotate makes the calls that no rotation can do without. Something changes in each
// object: the API server does not store what is as it was.
func rotate(ctx context.Context, api client.Client, session *v1alpha1.LoginSession, target *corev1.Secret) error {
	cache := &corev1.Secret{}
	name := types.NamespacedName{Namespace: session.Namespace, Name: session.Spec.LoginCacheSecretRef.Name}
	if err := api.Get(ctx, name, cache); err != nil {
		return err
	}
	for _, secret := range []*corev1.Secret{cache, target} {
		if secret.Annotations == nil {
			secret.Annotations = map[string]string{}
		}
		secret.Annotations["awslogin.dev/bench"] = time.Now().Format(time.RFC3339Nano)
		if err := api.Update(ctx, secret); err != nil {
			return err
		}
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{
		"credentials":   session.Status.Credentials,
		"nextRefreshAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		"session":       session.Status.Session,
	}})
	if err != nil {
		return err
	}
	return api.Status().Patch(ctx, session, client.RawPatch(types.MergePatchType, patch))
}

// ownCPU is the user and system time of this process, in seconds.
func ownCPU() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // fails for wrong arguments only
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
