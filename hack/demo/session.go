package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/controlplane"
)

const (
	namespace = "default"
	// person is who signs in; the account is one of AWS's documentation.
	person = "arn:aws:iam::111122223333:user/alice"
	// roleARN is what the person may assume, and assumed what the workload is then.
	roleARN = "arn:aws:iam::111122223333:role/workload"
	assumed = "arn:aws:sts::111122223333:assumed-role/workload/" + namespace + "." + sessionName
	// sample is the LoginSession that people are shown, and loginCacheSecret the
	// Secret that it names.
	sample           = "config/samples/loginsession.yaml"
	sessionName      = "dev"
	loginCacheSecret = "dev-login"

	owner = client.FieldOwner("demo")
)

// signIn is `aws login`, and the Secret that people make of the file it wrote; or the
// kubectl plugin's one command for both.
func (d *demo) signIn(ctx context.Context) error {
	if d.plugin != "" {
		return d.login(ctx)
	}
	login := d.aws.Login(person)
	secret := applycorev1.Secret(loginCacheSecret, namespace).
		WithData(map[string][]byte{"login.json": login.Cache()})
	if err := d.client.Apply(ctx, secret, owner, client.ForceOwnership); err != nil {
		return fmt.Errorf("store the login cache: %w", err)
	}
	d.Say("`aws login` as %s; Secret %s has the login cache", person, loginCacheSecret)
	return nil
}

// applySession applies the sample, changed in one field: a pod's mount path
// cannot be mounted here. With a role it has another. Of a LoginSession that is there
// already this is the only change. It returns when the operator says that all is well.
func (d *demo) applySession(ctx context.Context) error {
	object, err := readSample()
	if err != nil {
		return fmt.Errorf("read %s: %w", sample, err)
	}
	mountPath := filepath.Join(d.dir, "mount")
	if err := unstructured.SetNestedField(object.Object, mountPath, "spec", "target", "mountPath"); err != nil {
		return err
	}
	changes := "spec.target.mountPath set to " + mountPath
	if d.role {
		changes += "\n         and spec.assumeRole.roleARN to " + roleARN
		if err := unstructured.SetNestedField(object.Object, roleARN, "spec", "assumeRole", "roleARN"); err != nil {
			return err
		}
	}
	if err := d.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), owner, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply %s: %w", sample, err)
	}
	if d.plugin == "" {
		d.Say("applied %s, with %s", sample, changes)
	} else {
		d.Say("changed the LoginSession for this machine, which has no pods: %s", changes)
	}
	d.session = &session{ready: make(chan struct{}), show: d.Show}
	go d.watch(ctx, &v1alpha1.LoginSessionList{}, sessionName, d.session.observe)
	if err := d.session.waitReady(ctx); err != nil {
		return err
	}
	return d.kubectl(ctx, "get", "loginsession", sessionName)
}

func readSample() (*unstructured.Unstructured, error) {
	text, err := os.ReadFile(filepath.Join(controlplane.Root(), filepath.FromSlash(sample)))
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &object.Object); err != nil {
		return nil, err
	}
	if object.GetName() != sessionName {
		return nil, fmt.Errorf("is about %q, and the demo about %q", object.GetName(), sessionName)
	}
	object.SetNamespace(namespace)
	return object, nil
}

// kubectl shows a command and what it prints.
func (d *demo) kubectl(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, d.kubectlBin, args...)
	command.Env = []string{"HOME=" + d.dir, "KUBECONFIG=" + d.kubeconfig}
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, output)
	}
	text := "$ kubectl"
	for _, arg := range args {
		text += " " + arg
	}
	d.Below("\n" + text + "\n" + string(output) + "\n")
	return nil
}

// watch calls observe for an object as it is and for each change, until the demo
// ends. A watch that the server ends is begun anew, with the object as it is then.
func (d *demo) watch(ctx context.Context, kind client.ObjectList, name string, observe func(client.Object)) {
	for ctx.Err() == nil {
		watch, err := d.client.Watch(ctx, kind, client.InNamespace(namespace), client.MatchingFields{"metadata.name": name})
		if err != nil {
			d.Fail(fmt.Errorf("watch %s: %w", name, err))
			return
		}
		for event := range watch.ResultChan() {
			if object, ok := event.Object.(client.Object); ok {
				observe(object)
			}
		}
	}
}

// session tells what the LoginSession's status says.
type session struct {
	show *show.Show

	mu    sync.Mutex
	known metav1.Condition
	once  sync.Once
	ready chan struct{}
}

// observe says so when the condition Ready changes; its message may change more often.
// What is said about an earlier spec does not count.
func (s *session) observe(object client.Object) {
	status := object.(*v1alpha1.LoginSession).Status
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ReadyCondition)
	if ready == nil || status.ObservedGeneration != object.GetGeneration() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.known.Status != ready.Status || s.known.Reason != ready.Reason
	s.known = *ready
	if changed {
		s.show.Say("LoginSession %s: Ready=%s, %s", object.GetName(), ready.Status, ready.Reason)
		s.show.Below(ready.Message)
	}
	if ready.Status == metav1.ConditionTrue {
		s.once.Do(func() { close(s.ready) })
	}
}

func (s *session) waitReady(ctx context.Context) error {
	const patience = 20 * time.Second
	select {
	case <-s.ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(patience):
		return fmt.Errorf("LoginSession %s is not ready after %s: %s", sessionName, seconds(patience), s.condition())
	}
}

func (s *session) condition() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known.Type == "" {
		return "the operator has not reported anything"
	}
	return fmt.Sprintf("Ready=%s, %s: %s", s.known.Status, s.known.Reason, s.known.Message)
}
