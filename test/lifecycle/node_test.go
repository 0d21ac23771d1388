package lifecycle

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/controlplane"
)

// Both are of this version.
const (
	currentImage = "registry.example.com/aws-login-operator:dev"
	nextImage    = "registry.example.com/aws-login-operator:next"
)

// node runs the operator's pods: each as a process with the arguments and the service
// account of the pod, from a binary by its image. A pod that is to end gets SIGTERM,
// and is gone when its process is.
type node struct {
	awsURL  string
	images  sync.Map // of binaries
	running map[string]*containerProcess
}

// provide a binary for an image.
func (n *node) provide(image, binary string) { n.images.Store(image, binary) }

type containerProcess struct {
	*exec.Cmd
	pod    corev1.Pod
	probes string
	exited chan struct{}
	ready  bool
	ending bool
}

func (n *node) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := n.sync(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "node:", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, process := range n.running {
		_ = process.Process.Kill()
		<-process.exited
	}
}

func (n *node) sync(ctx context.Context) error {
	var pods corev1.PodList
	if err := api.List(ctx, &pods, client.MatchingLabels{"app.kubernetes.io/name": "aws-login-operator"}); err != nil {
		return err
	}
	for _, pod := range pods.Items {
		process := n.running[string(pod.UID)]
		var err error
		switch {
		case process == nil && pod.DeletionTimestamp == nil:
			err = n.start(ctx, pod)
		case process != nil && pod.DeletionTimestamp != nil:
			err = n.end(ctx, process)
		case process != nil && !process.ready:
			err = process.reportReady(ctx)
		}
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("pod %s: %w", pod.Name, err)
		}
	}
	return nil
}

func (n *node) start(ctx context.Context, pod corev1.Pod) error {
	container := pod.Spec.Containers[0]
	binary, ok := n.images.Load(container.Image)
	if !ok {
		return nil // cannot be pulled
	}
	kubeconfig, err := n.kubeconfigOf(ctx, pod)
	if err != nil {
		return err
	}
	probes, err := controlplane.FreeAddress()
	if err != nil {
		return err
	}
	binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: "node"}}
	if err := clientset.CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{}); err != nil {
		return err
	}
	process := &containerProcess{pod: pod, probes: probes, exited: make(chan struct{})}
	arguments := []string{"--metrics-bind-address=0", "--health-probe-bind-address=" + probes, "--leader-election-namespace=" + pod.Namespace}
	for _, argument := range container.Args {
		arguments = append(arguments, strings.ReplaceAll(argument, "$(POD_NAMESPACE)", pod.Namespace))
	}
	process.Cmd = exec.Command(binary.(string), arguments...)
	process.Env = []string{"HOME=/nonexistent", "KUBECONFIG=" + kubeconfig, "AWS_ENDPOINT_URL_SIGNIN=" + n.awsURL, "AWS_ENDPOINT_URL_STS=" + n.awsURL}
	log, err := os.Create(filepath.Join(folder, pod.Name+".log"))
	if err != nil {
		return err
	}
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return err
	}
	go func() {
		_ = process.Wait()
		_ = log.Close()
		close(process.exited)
	}()
	n.running[string(pod.UID)] = process
	return nil
}

// kubeconfigOf has a token that ends with the pod, as mounted ones do.
func (n *node) kubeconfigOf(ctx context.Context, pod corev1.Pod) (path string, err error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	token, err := clientset.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, pod.Name+".kubeconfig")
	return path, os.WriteFile(path, fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: pod,
contexts: [{name: pod, context: {cluster: pod, user: pod}}], users: [{name: pod, user: {token: %q}}],
clusters: [{name: pod, cluster: {server: "https://%s", certificate-authority: %q}}]}`,
		token.Status.Token, strings.Trim(strings.TrimPrefix(cluster.Config.Host, "https://"), "/"), filepath.Join(folder, "ca.crt")), 0o600)
}

func (c *containerProcess) reportReady(ctx context.Context) error {
	response, err := http.Get("http://" + c.probes + "/readyz")
	if err != nil {
		return nil // not yet
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil
	}
	c.ready = true
	patch := []byte(`{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}]}}`)
	return api.Status().Patch(ctx, c.pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, patch))
}

func (n *node) end(ctx context.Context, c *containerProcess) error {
	if !c.ending { // a second signal would end it at once
		c.ending = true
		_ = c.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-c.exited:
	default:
		return nil
	}
	delete(n.running, string(c.pod.UID))
	return api.Delete(ctx, &c.pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &c.pod.UID})
}
