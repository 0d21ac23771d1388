package injection_test

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// What is added for a LoginSession that sets nothing.
const (
	volume   = "volume awslogin: Secret dev, mode 644, optional false"
	mount    = "[awslogin at /var/run/secrets/awslogin.dev read-only]"
	process  = "AWS_CONFIG_FILE=/var/run/secrets/awslogin.dev/config AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_SDK_LOAD_CONFIG=1"
	cache    = "AWS_CONFIG_FILE=/var/run/secrets/awslogin.dev/login-config AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_LOGIN_CACHE_DIRECTORY=/var/run/secrets/awslogin.dev/"
	static   = "AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/var/run/secrets/awslogin.dev/credentials"
	isolated = "AWS_EC2_METADATA_DISABLED=true"
	all      = mount + " " + process + " " + isolated
	regions  = "AWS_REGION=ap-northeast-1 AWS_DEFAULT_REGION=ap-northeast-1"
	custom   = "AWS_CONFIG_FILE=/aws/config AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_SDK_LOAD_CONFIG=1 " + isolated
)

func TestPodGetsCredentials(t *testing.T) {
	for _, row := range []struct {
		name   string
		labels map[string]string
		spec   string
		want   []string
	}{
		{"every container gets mount and variables", labels("dev"),
			"containers: [{name: app}, {name: worker}]",
			[]string{volume, "app: " + all, "worker: " + all}},
		{"so does every init container, also one that stays", labels("dev"),
			"{initContainers: [{name: migrate}, {name: proxy, restartPolicy: Always}], containers: [{name: app}]}",
			[]string{volume, "migrate: " + all, "proxy: " + all, "app: " + all}},
		{"other volumes, mounts and variables stay", labels("dev"),
			"{volumes: [{name: tmp, emptyDir: {}}], containers: [{name: app, env: [{name: A, value: a}], volumeMounts: [{name: tmp, mountPath: /tmp}]}]}",
			[]string{"volume tmp", volume, "app: [tmp at /tmp writable] " + mount + " A=a " + process + " " + isolated}},
		{"a variable that is there twice, which Kubernetes allows, stays so", labels("dev"),
			"containers: [{name: app, env: [{name: A, value: a}, {name: A, value: b}]}]",
			[]string{volume, "app: " + mount + " A=a A=b " + process + " " + isolated}},
		{"a suspended LoginSession is injected too", labels("suspended"),
			"containers: [{name: app}]",
			[]string{"volume awslogin: Secret suspended, mode 644, optional false", "app: " + all}},

		{"Secret, path and region are the LoginSession's", labels("custom"),
			"containers: [{name: app}]",
			[]string{"volume awslogin: Secret aws, mode 644, optional false", "app: [awslogin at /aws read-only] " + custom + " " + regions}},
		{"a container that sets a region keeps it as its only one", labels("custom"),
			"containers: [{name: app, env: [{name: AWS_REGION, value: here}]}, {name: worker, env: [{name: AWS_DEFAULT_REGION, value: there}]}]",
			[]string{"volume awslogin: Secret aws, mode 644, optional false",
				"app: [awslogin at /aws read-only] AWS_REGION=here " + custom,
				"worker: [awslogin at /aws read-only] AWS_DEFAULT_REGION=there " + custom}},

		{"the format is the LoginSession's first", labels("distroless"),
			"containers: [{name: app}]",
			[]string{"volume awslogin: Secret distroless, mode 644, optional false", "app: " + mount + " " + cache + " " + isolated}},
		{"that can be injected", labels("static"),
			"containers: [{name: app}]",
			[]string{"volume awslogin: Secret static, mode 644, optional false", "app: " + mount + " " + static + " " + isolated}},
		{"or that of the label", labels("dev", "LoginCache"),
			"containers: [{name: app}]",
			[]string{volume, "app: " + mount + " " + cache + " " + isolated}},
		{"also CredentialProcess where it is not the first", labels("static", "CredentialProcess"),
			"containers: [{name: app}]",
			[]string{"volume awslogin: Secret static, mode 644, optional false", "app: " + all}},

		{"a container that sets how it gets credentials is left alone, the others are not", labels("dev"),
			"{initContainers: [{name: own, env: [{name: AWS_PROFILE, value: p}]}], containers: [{name: app}]}",
			[]string{volume, "own: AWS_PROFILE=p", "app: " + all}},
		{"a container that turns the metadata service on keeps it", labels("dev"),
			"containers: [{name: app, env: [{name: AWS_EC2_METADATA_DISABLED, value: 'false'}]}]",
			[]string{volume, "app: " + mount + " AWS_EC2_METADATA_DISABLED=false " + process}},
		{"a container that has something at the path already gets no second mount", labels("dev"),
			"{volumes: [{name: aws, secret: {secretName: dev}}], containers: [{name: app, volumeMounts: [{name: aws, mountPath: /var/run/secrets/awslogin.dev}]}]}",
			[]string{"volume aws: Secret dev, mode 644, optional false", volume,
				"app: [aws at /var/run/secrets/awslogin.dev writable] " + process + " " + isolated}},
		{"a volume that is the target Secret is used as it is", labels("dev"),
			"{volumes: [{name: awslogin, secret: {secretName: dev, defaultMode: 0440}}], containers: [{name: app}]}",
			[]string{"volume awslogin: Secret dev, mode 440, optional false", "app: " + all}},
	} {
		t.Run(row.name, func(t *testing.T) {
			pod := podOf(row.spec)
			pod.Labels = row.labels
			admitted := admit(t, pod)
			check(t, admitted, row.want...)
			injectedAgain(t, admitted)
		})
	}
}

func check(t *testing.T, pod *corev1.Pod, want ...string) {
	t.Helper()
	if got := describe(pod); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// injectedAgain checks that a pod that was exported and is created again stays as
// it is.
func injectedAgain(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	again := admit(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: pod.Namespace, GenerateName: pod.GenerateName, Labels: pod.Labels, Annotations: pod.Annotations,
	}, Spec: pod.Spec})
	if first, second := asJSON(t, pod.Spec), asJSON(t, again.Spec); first != second {
		t.Errorf("injected once:\n%s\ntwice:\n%s", first, second)
	}
	if len(again.Annotations) > 0 {
		t.Errorf("annotations %v", again.Annotations)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestContainerThatSetsHowItGetsCredentialsIsLeftAlone(t *testing.T) {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_LOGIN_CACHE_DIRECTORY", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		pod := podOf("containers: [{name: app, env: [{name: " + name + ", value: own}]}]")
		pod.Labels = labels("custom")
		check(t, admit(t, pod), "volume awslogin: Secret aws, mode 644, optional false", "app: "+name+"=own")
	}
}

func TestPodWithoutTheLabelIsUntouched(t *testing.T) {
	pod := podOf("{initContainers: [{name: migrate}], containers: [{name: app}]}")
	pod.Labels = map[string]string{formatLabel: "nonsense"}
	check(t, admit(t, pod), "migrate:", "app:")
}

// TestPodOfADeployment creates the pod of a documented Deployment as the ReplicaSet
// controller would, and with no right but the one to create pods.
func TestPodOfADeployment(t *testing.T) {
	pod := podOfDeployment(t, read(t, "../samples/injected.yaml"))
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "injected-5d89f", UID: "1"}}
	config := rest.CopyConfig(environment.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "creator"}
	creator, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	var created *corev1.Pod
	if timeout := poll(func(ctx context.Context) bool { // the API server may not know of the right yet
		created, err = creator.CoreV1().Pods("data").Create(ctx, pod, metav1.CreateOptions{})
		return err == nil
	}); timeout != nil {
		t.Fatal(err)
	}
	check(t, created, volume, "aws-cli: "+all)
}

// TestLabelAddsWhatIsDocumented takes from the documented Deployment what the label
// is to add.
func TestLabelAddsWhatIsDocumented(t *testing.T) {
	block := regexp.MustCompile("(?s)```yaml\n(apiVersion:.*?)```").FindStringSubmatch(read(t, "../../docs/injection.md"))
	if block == nil {
		t.Fatal("no Deployment is documented")
	}
	pod := podOfDeployment(t, block[1])
	pod.Namespace = "elsewhere"
	want := describe(admit(t, pod))
	pod.Labels = labels("dev")
	pod.Spec.Volumes = nil
	container := &pod.Spec.Containers[0]
	container.VolumeMounts = nil
	container.Env = slices.DeleteFunc(container.Env, func(v corev1.EnvVar) bool { return strings.HasPrefix(v.Name, "AWS_") })
	check(t, admit(t, pod), want)
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func podOfDeployment(t *testing.T, manifest string) *corev1.Pod {
	t.Helper()
	var deployment appsv1.Deployment
	if err := yaml.UnmarshalStrict([]byte(manifest), &deployment); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: deployment.Spec.Template.ObjectMeta, Spec: deployment.Spec.Template.Spec}
	pod.GenerateName = deployment.Name + "-"
	return pod
}

func TestPodThatExistsIsLeftAlone(t *testing.T) {
	pods := clientset.CoreV1().Pods("data")
	pod, err := pods.Create(t.Context(), podOf("containers: [{name: app}]"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, session := range []string{"dev", "nobody"} {
		patch := `{"metadata": {"labels": {"` + injectLabel + `": "` + session + `"}}}`
		if pod, err = pods.Patch(t.Context(), pod.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: "debugger", Image: "example.com/debugger", SecurityContext: pod.Spec.Containers[0].SecurityContext,
	}}}
	if pod, err = pods.UpdateEphemeralContainers(t.Context(), pod.Name, pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	check(t, pod, "app:")
	if got := describeContainer(corev1.Container(pod.Spec.EphemeralContainers[0].EphemeralContainerCommon)); got != "" {
		t.Errorf("the ephemeral container got %s", got)
	}
}
