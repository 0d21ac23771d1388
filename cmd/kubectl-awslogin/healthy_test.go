package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/controlplane"
)

// A false alarm costs a person more than a doctor is worth.
func TestDoctorFindsNothingWrongWithWhatWorks(t *testing.T) {
	withRegion := func(session *v1alpha1.LoginSession) { session.Spec.Region = "us-east-1" }
	for name, tt := range map[string]struct {
		session func(*v1alpha1.LoginSession)
		prepare func(*shell)
		pod     *patient
	}{
		"CredentialProcess":                         {pod: healthy()},
		"LoginCache":                                {pod: healthy(loginCacheFormat)},
		"LoginCache in a distroless image":          {pod: healthy(loginCacheFormat, image("gcr.io/distroless/nodejs22"))},
		"a distroless image for people who debug":   {pod: healthy(image("gcr.io/distroless/python3:debug"))},
		"a Chainguard image with a shell":           {pod: healthy(image("cgr.dev/chainguard/python:latest-dev"))},
		"an image whose name has scratch in a word": {pod: healthy(image("example.com/scratchpad:1"))},
		"SharedCredentials":                         {session: every, pod: healthy(set("AWS_CONFIG_FILE", "/dev/null"), set("AWS_SHARED_CREDENTIALS_FILE", mountPath+"/credentials"))},
		"the other file is empty":                   {pod: healthy(set("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"))},
		"no region, but the LoginSession has one":   {session: withRegion, pod: healthy(unset("AWS_REGION"))},
		"no region, but the program is told one":    {pod: healthy(unset("AWS_REGION"), func(p *patient) { p.app.Args = []string{"--region", "us-east-1"} })},
		"a region for boto3":                        {pod: healthy(unset("AWS_REGION"), set("AWS_DEFAULT_REGION", "us-east-1"))},
		"the profile default":                       {pod: healthy(set("AWS_PROFILE", "default"))},
		"an empty access key":                       {pod: healthy(set("AWS_ACCESS_KEY_ID", ""))},
		"a token without a role":                    {pod: healthy(set("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"))},
		"a path by another variable":                {pod: healthy(unset("AWS_CONFIG_FILE"), set("DIR", mountPath), set("AWS_CONFIG_FILE", "$(DIR)/config"))},
		"a path with two slashes":                   {pod: healthy(set("AWS_CONFIG_FILE", mountPath+"//config"))},
		"a login cache folder without a slash":      {pod: healthy(loginCacheFormat, set("AWS_LOGIN_CACHE_DIRECTORY", mountPath))},
		"mounted where SDKs look":                   {session: mountedAt("/root/.aws"), pod: healthy(at("/root/.aws"), unset("AWS_CONFIG_FILE"))},
		"another mount path that config knows":      {session: mountedAt("/aws"), pod: healthy(at("/aws"), set("AWS_CONFIG_FILE", "/aws/config"))},
		"another mount path with LoginCache":        {pod: healthy(at("/aws"), set("AWS_CONFIG_FILE", "/aws/login-config"), set("AWS_LOGIN_CACHE_DIRECTORY", "/aws/"))},
		"the command names the files":               {pod: healthy(unset("AWS_CONFIG_FILE"), func(p *patient) { p.app.Command = []string{"sh", "-c", "AWS_CONFIG_FILE=" + mountPath + "/config app"} })},
		"a file of one's own":                       {session: templated, pod: healthy(unset("AWS_CONFIG_FILE"), unset("AWS_REGION"))},
		"all keys that are needed":                  {pod: healthy(items("config", "credentials.json"))},
		"a login cache among the items":             {pod: healthy(loginCacheFormat, items("login-config", strings.Repeat("0a", 32)+".json"))},
		"an optional volume, and credentials":       {pod: healthy(volume(func(v *corev1.SecretVolumeSource) { v.Optional = ptr.To(true) }), runningFor(-time.Minute))},
		"a projected volume":                        {pod: healthy(projected)},
		"a job with variables":                      {session: every, pod: healthy(variablesOnly, ofKind("Job", "nightly-1"), runningFor(time.Minute))},
		"a job with subPath":                        {pod: healthy(ofKind("Job", "nightly-1"), func(p *patient) { p.app.VolumeMounts[0].SubPath = "config" })},
		"a sidecar that has nothing to do with AWS": {pod: healthy(beside(corev1.Container{Name: "proxy", Image: "envoy", Env: []corev1.EnvVar{{Name: "MODE", Value: "x"}}}))},
		"a sidecar with credentials of its own":     {pod: healthy(beside(corev1.Container{Name: "shipper", Image: "x", Env: []corev1.EnvVar{{Name: "AWS_ACCESS_KEY_ID", Value: "AKIA"}}}))},
		"a sidecar that is kept out":                {pod: healthy(beside(corev1.Container{Name: "shipper", Image: "x", Env: []corev1.EnvVar{{Name: "AWS_CONFIG_FILE", Value: "/dev/null"}}}))},
		"a pod that is over":                        {pod: healthy(set("AWS_PROFILE", "prod"), runningFor(time.Hour), over)},
		"a pod with AWS keys that is none of ours":  {pod: healthy(volume(func(v *corev1.SecretVolumeSource) { v.SecretName = "keys" }), at("/keys"), set("AWS_CONFIG_FILE", "/keys/config"), set("AWS_ACCESS_KEY_ID", "AKIA"))},
		"a container beside it that mounts another target at the same path": {prepare: another, pod: healthy(beside(corev1.Container{
			Name: "worker", Image: "python", Env: healthy().app.Env, VolumeMounts: []corev1.VolumeMount{{Name: "more", MountPath: mountPath}},
		}), mountsMore)},
		"two targets, of which config is of the other": {prepare: another, pod: healthy(func(p *patient) {
			mountsMore(p)
			p.app.VolumeMounts = append(p.app.VolumeMounts, corev1.VolumeMount{Name: "more", MountPath: "/more"})
			set("AWS_CONFIG_FILE", "/more/login-config")(p)
			set("AWS_LOGIN_CACHE_DIRECTORY", "/more/")(p)
		})},
	} {
		t.Run(name, func(t *testing.T) {
			expectDiagnosisOf(t, tt.session, tt.prepare, tt.pod)
		})
	}
}

func mountedAt(path string) func(*v1alpha1.LoginSession) {
	return func(session *v1alpha1.LoginSession) { session.Spec.Target.MountPath = path }
}

func templated(session *v1alpha1.LoginSession) {
	session.Spec.Target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateText{".netrc": "password {{.SecretAccessKey}}"}}
}

func projected(p *patient) {
	p.pod.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "dev"}}},
	}}}
}

func mountsMore(p *patient) {
	p.pod.Spec.Volumes = append(p.pod.Spec.Volumes, corev1.Volume{Name: "more", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "other"}}})
}

func over(p *patient) { p.ended = true }

func another(s *shell) {
	s.createSession("other", func(session *v1alpha1.LoginSession) { session.Spec.LoginCacheSecretRef.Name = "dev-login" })
	s.awaitReady("other")
}

// All that the samples and the documents show works as it is.
func TestDoctorFindsNothingWrongWithSamplesAndDocuments(t *testing.T) {
	s := signedIn(t, func(session *v1alpha1.LoginSession) { session.Spec.Region = "us-east-1" })
	s.inject()
	count := 0
	for _, manifest := range manifests(t) {
		if template := podTemplate(t, manifest); template != nil {
			s.must(api.Create(t.Context(), &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, GenerateName: "sample-", Labels: template.Labels}, Spec: template.Spec,
			}))
			count++
		}
	}
	if count < 6 {
		t.Errorf("there were only %d", count)
	}
	for _, labels := range []map[string]string{
		{"awslogin.dev/inject": "dev", "awslogin.dev/inject-format": "LoginCache"},
		{"awslogin.dev/inject": "dev", "awslogin.dev/inject-format": "CredentialProcess"},
	} {
		s.must(api.Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, GenerateName: "injected-", Labels: labels},
			Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "app", Image: "example.com/app"},
					{Name: "own", Image: "example.com/own", Env: []corev1.EnvVar{{Name: "AWS_PROFILE", Value: "prod"}}}},
				InitContainers: []corev1.Container{{Name: "init", Image: "example.com/init"}},
			},
		}))
	}
	s.expectDiagnosis()
}

// manifests are those of config/samples, and those in the documents that are whole.
func manifests(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"config/samples/*.yaml", "docs/*.md", "README.md"} {
		paths, err := filepath.Glob(filepath.Join(controlplane.Root(), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(path, ".yaml") {
				found = append(found, string(content))
			}
			for _, block := range regexp.MustCompile("(?s)```yaml\n(apiVersion:.*?)```").FindAllStringSubmatch(string(content), -1) {
				found = append(found, strings.Split(block[1], "\n---\n")...)
			}
		}
	}
	return found
}

// decode is nil for another tool's kind.
func decode(t *testing.T, manifest string) runtime.Object {
	t.Helper()
	object, _, err := serializer.NewCodecFactory(api.Scheme()).UniversalDeserializer().Decode([]byte(manifest), nil, nil)
	if runtime.IsNotRegisteredError(err) {
		return nil
	}
	if err != nil {
		t.Fatalf("%v in\n%s", err, manifest)
	}
	return object
}

func podTemplate(t *testing.T, manifest string) *corev1.PodTemplateSpec {
	switch object := decode(t, manifest).(type) {
	case *appsv1.Deployment:
		return &object.Spec.Template
	case *batchv1.CronJob:
		return &object.Spec.JobTemplate.Spec.Template
	case *batchv1.Job:
		return &object.Spec.Template
	case *corev1.Pod:
		return &corev1.PodTemplateSpec{ObjectMeta: object.ObjectMeta, Spec: object.Spec}
	}
	return nil
}

// inject switches config/injection on, for this namespace alone.
func (s *shell) inject() {
	s.Helper()
	here := &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": s.namespace}}
	for _, name := range []string{"inject.yaml", "refuse.yaml"} {
		content, err := os.ReadFile(filepath.Join(controlplane.Root(), "config", "injection", name))
		s.must(err)
		for _, manifest := range strings.Split(string(content), "\n---\n") {
			object := decode(s.T, manifest).(client.Object)
			switch binding := object.(type) {
			case *admissionv1.MutatingAdmissionPolicyBinding:
				binding.Spec.MatchResources = &admissionv1.MatchResources{NamespaceSelector: here}
			case *admissionv1.ValidatingAdmissionPolicyBinding:
				binding.Spec.MatchResources = &admissionv1.MatchResources{NamespaceSelector: here}
			}
			s.must(api.Create(s.Context(), object))
			s.Cleanup(func() { _ = api.Delete(context.Background(), object) })
		}
	}
	s.await("injection works", func() bool {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "try", Labels: map[string]string{"awslogin.dev/inject": "dev"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example.com/app"}}}}
		return api.Create(s.Context(), pod, client.DryRunAll) == nil && len(pod.Spec.Volumes) > 0
	})
}
