package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/controlplane"
)

// published is a LoginSession with the API server's defaults, but for these formats.
func published(formats ...v1alpha1.TargetFormat) *v1alpha1.LoginSession {
	session := &v1alpha1.LoginSession{}
	session.Name = "dev"
	session.Spec.Target = v1alpha1.Target{MountPath: "/var/run/secrets/awslogin.dev", Formats: formats}
	return session
}

func podOf(t *testing.T, session *v1alpha1.LoginSession) corev1.PodSpec {
	t.Helper()
	pod := corev1.PodSpec{}
	if err := yaml.UnmarshalStrict([]byte(snippet(session)), &pod); err != nil {
		t.Fatalf("%v:\n%s", err, snippet(session))
	}
	return pod
}

func TestSnippetMountsWhatTheSamplesMount(t *testing.T) {
	for sample, session := range map[string]*v1alpha1.LoginSession{
		"boto3.yaml":      published(v1alpha1.CredentialProcess, v1alpha1.LoginCache),
		"distroless.yaml": published(v1alpha1.LoginCache),
	} {
		t.Run(sample, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join(controlplane.Root(), "config", "samples", sample))
			if err != nil {
				t.Fatal(err)
			}
			deployment := &appsv1.Deployment{}
			if err := yaml.UnmarshalStrict(content, deployment); err != nil {
				t.Fatal(err)
			}
			got, want := podOf(t, session), deployment.Spec.Template.Spec
			if !reflect.DeepEqual(got.Volumes, want.Volumes) || !reflect.DeepEqual(got.Containers[0].VolumeMounts, want.Containers[0].VolumeMounts) {
				t.Errorf("mounts %v, %v", got.Volumes, got.Containers[0].VolumeMounts)
			}
			isRegion := func(v corev1.EnvVar) bool {
				return strings.Contains(v.Name, "REGION") || !strings.HasPrefix(v.Name, "AWS_")
			}
			env, wantEnv := slices.DeleteFunc(got.Containers[0].Env, isRegion), slices.DeleteFunc(want.Containers[0].Env, isRegion)
			if !reflect.DeepEqual(env, wantEnv) {
				t.Errorf("sets %v, want %v", env, wantEnv)
			}
		})
	}
}

func TestSnippetOfOtherFormats(t *testing.T) {
	shared := podOf(t, published(v1alpha1.Environment, v1alpha1.SharedCredentials))
	if env := shared.Containers[0].Env[0]; env.Name != "AWS_SHARED_CREDENTIALS_FILE" || env.Value != "/var/run/secrets/awslogin.dev/credentials" {
		t.Errorf("SharedCredentials: sets %v", env)
	}
	environment := podOf(t, published(v1alpha1.Environment))
	if from := environment.Containers[0].EnvFrom; len(from) != 1 || from[0].SecretRef.Name != "dev" || len(environment.Volumes) > 0 {
		t.Errorf("Environment: %+v", environment)
	}
}

func TestSnippetNamesARegionWhereTheLoginSessionHasNone(t *testing.T) {
	session := published(v1alpha1.CredentialProcess)
	if text := snippet(session); !strings.Contains(text, "name: AWS_REGION") {
		t.Errorf("without a region:\n%s", text)
	}
	session.Spec.Region = "eu-west-1"
	if text := snippet(session); strings.Contains(text, "AWS_REGION") {
		t.Errorf("with one:\n%s", text)
	}
}
