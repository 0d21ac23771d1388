package main

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"awslogin.dev/operator/api/v1alpha1"
)

// mountPath is the default of spec.target.mountPath.
const mountPath = "/var/run/secrets/awslogin.dev"

// patient is a pod, and what has to be true of it.
type patient struct {
	pod     *corev1.Pod
	app     *corev1.Container // the first
	started time.Time         // zero where no kubelet has seen it
	ended   bool
}

// change makes a healthy pod ill, or another kind of healthy one.
type change func(*patient)

// healthy has the format CredentialProcess, as config/samples.
func healthy(changes ...change) *patient {
	p := &patient{pod: &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "app", Image: "python:3.13-slim",
				Env:          []corev1.EnvVar{{Name: "AWS_CONFIG_FILE", Value: mountPath + "/config"}, {Name: "AWS_REGION", Value: "us-east-1"}},
				VolumeMounts: []corev1.VolumeMount{{Name: "aws", MountPath: mountPath, ReadOnly: true}},
			}},
			Volumes: []corev1.Volume{{Name: "aws", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "dev"}}}},
		},
	}}
	p.app = &p.pod.Spec.Containers[0]
	for _, change := range changes {
		change(p)
	}
	return p
}

func set(name, value string) change {
	return func(p *patient) {
		p.app.Env = append(slices.DeleteFunc(p.app.Env, func(v corev1.EnvVar) bool { return v.Name == name }), corev1.EnvVar{Name: name, Value: value})
	}
}

func unset(name string) change {
	return func(p *patient) {
		p.app.Env = slices.DeleteFunc(p.app.Env, func(v corev1.EnvVar) bool { return v.Name == name })
	}
}

func volume(edit func(*corev1.SecretVolumeSource)) change {
	return func(p *patient) { edit(p.pod.Spec.Volumes[0].Secret) }
}

func items(keys ...string) change {
	return volume(func(secret *corev1.SecretVolumeSource) {
		for _, key := range keys {
			secret.Items = append(secret.Items, corev1.KeyToPath{Key: key, Path: key})
		}
	})
}

func at(path string) change {
	return func(p *patient) { p.app.VolumeMounts[0].MountPath = path }
}

func image(name string) change { return func(p *patient) { p.app.Image = name } }

func ofKind(kind, name string) change {
	return func(p *patient) {
		p.pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: name, UID: "1", Controller: ptr.To(true)}}
		p.pod.Labels = map[string]string{"pod-template-hash": "7d9f"}
		if kind == "Job" {
			p.pod.Spec.RestartPolicy = corev1.RestartPolicyNever
		}
	}
}

// variablesOnly takes variables, and mounts nothing.
func variablesOnly(p *patient) {
	p.app.VolumeMounts, p.pod.Spec.Volumes = nil, nil
	p.app.Env = []corev1.EnvVar{{Name: "AWS_REGION", Value: "us-east-1"}}
	p.app.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "dev"}}}}
}

func runningFor(since time.Duration) change {
	return func(p *patient) { p.started = time.Now().Add(-since) }
}

// beside adds a container.
func beside(container corev1.Container) change {
	return func(p *patient) {
		p.pod.Spec.Containers = append(p.pod.Spec.Containers, container)
		p.app = &p.pod.Spec.Containers[0]
	}
}

// loginCacheFormat is as config/samples/distroless.yaml.
func loginCacheFormat(p *patient) {
	set("AWS_CONFIG_FILE", mountPath+"/login-config")(p)
	set("AWS_LOGIN_CACHE_DIRECTORY", mountPath+"/")(p)
}

func formats(names ...v1alpha1.TargetFormat) func(*v1alpha1.LoginSession) {
	return func(session *v1alpha1.LoginSession) { session.Spec.Target.Formats = names }
}

var every = formats(v1alpha1.CredentialProcess, v1alpha1.LoginCache, v1alpha1.Environment, v1alpha1.SharedCredentials)

// admit creates the pod and says what a kubelet would.
func (s *shell) admit(p *patient) {
	s.Helper()
	p.pod.Namespace = s.namespace
	if !p.started.IsZero() {
		p.pod.Spec.NodeName = "node"
	}
	s.must(api.Create(s.Context(), p.pod))
	if p.started.IsZero() {
		return
	}
	p.pod.Status.Phase = corev1.PodRunning
	if p.ended {
		p.pod.Status.Phase = corev1.PodSucceeded
	}
	for _, container := range p.pod.Spec.Containers {
		p.pod.Status.ContainerStatuses = append(p.pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(p.started)}},
		})
	}
	s.must(api.Status().Update(s.Context(), p.pod))
}

// expectDiagnosisOf has the doctor look at a pod; session and prepare, which change what
// it finds there, may be nil.
func expectDiagnosisOf(t *testing.T, session func(*v1alpha1.LoginSession), prepare func(*shell), pod *patient, want ...string) {
	t.Helper()
	s := signedIn(t, func(created *v1alpha1.LoginSession) {
		if session != nil {
			session(created)
		}
	})
	if prepare != nil {
		prepare(s)
	}
	s.admit(pod)
	s.expectDiagnosis(want...)
}
