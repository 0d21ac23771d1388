package main

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"awslogin.dev/operator/api/v1alpha1"
)

func TestDoctorFindsWhatIsWrongWithAPod(t *testing.T) {
	for name, tt := range map[string]struct {
		session func(*v1alpha1.LoginSession)
		prepare func(*shell)
		pod     *patient
		want    []string
	}{
		"one file is mounted with subPath": {
			pod: healthy(func(p *patient) {
				p.app.VolumeMounts[0].SubPath = "config"
				p.app.VolumeMounts[0].MountPath = mountPath + "/config"
			}),
			want: []string{"pod/web: container app mounts config of Secret dev with subPath, so that it never changes: mount the whole Secret at " + mountPath + " without subPath"},
		},
		"envFrom in what runs for long": {
			session: every, pod: healthy(variablesOnly, ofKind("ReplicaSet", "web-7d9f")),
			want: []string{"deployment/web: container app takes variables from Secret dev with envFrom, which expire while it runs: mount the Secret at " + mountPath + " instead"},
		},
		"envFrom in a job that has run for too long": {
			session: every, pod: healthy(variablesOnly, ofKind("Job", "nightly-1"), runningFor(20*time.Minute)),
			want: []string{"job/nightly-1: container app takes variables from Secret dev with envFrom, which expire while it runs: mount the Secret at " + mountPath + " instead"},
		},
		"envFrom without the format": {
			pod:  healthy(variablesOnly, ofKind("Job", "nightly-1")),
			want: []string{"job/nightly-1: container app takes its variables from Secret dev, which has none of an AWS SDK: mount it, or add Environment to spec.target.formats of LoginSession dev"},
		},
		"secretKeyRef": {
			session: every, pod: healthy(variablesOnly, func(p *patient) {
				p.app.EnvFrom = nil
				p.app.Env = append(p.app.Env, corev1.EnvVar{Name: "AWS_ACCESS_KEY_ID", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: "dev"}, Key: "AWS_ACCESS_KEY_ID"}}})
			}),
			want: []string{"pod/web: container app takes variables from Secret dev with secretKeyRef, which expire while it runs: mount the Secret at " + mountPath + " instead"},
		},
		"secretKeyRef beside the mounted files": {
			session: every, pod: healthy(func(p *patient) {
				p.app.Env = append(p.app.Env, corev1.EnvVar{Name: "AWS_ACCESS_KEY_ID", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: "dev"}, Key: "AWS_ACCESS_KEY_ID"}}})
			}),
			want: []string{"pod/web: container app takes variables from Secret dev with secretKeyRef, which expire while it runs: mount the Secret at " + mountPath + " instead"},
		},
		"an access key": {
			pod:  healthy(set("AWS_ACCESS_KEY_ID", "AKIA")),
			want: []string{"pod/web: container app has AWS_ACCESS_KEY_ID, which goes before the mounted files: remove it"},
		},
		"an access key from a ConfigMap": {
			prepare: func(s *shell) {
				s.must(api.Create(s.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "settings"}, Data: map[string]string{"AWS_ACCESS_KEY_ID": "AKIA"}}))
			},
			pod: healthy(func(p *patient) {
				p.app.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
			}),
			want: []string{"pod/web: container app has AWS_ACCESS_KEY_ID (from ConfigMap settings), which goes before the mounted files: remove it"},
		},
		"an access key from another Secret": {
			prepare: func(s *shell) { s.createSecret("keys", map[string][]byte{"ACCESS_KEY_ID": []byte(canary)}) },
			pod: healthy(func(p *patient) {
				p.app.EnvFrom = []corev1.EnvFromSource{{Prefix: "AWS_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "keys"}}}}
			}),
			want: []string{"pod/web: container app has AWS_ACCESS_KEY_ID (from Secret keys), which goes before the mounted files: remove it"},
		},
		"a profile": {
			pod:  healthy(set("AWS_PROFILE", "prod")),
			want: []string{"pod/web: container app has AWS_PROFILE, and the mounted files have no profile but default: remove it"},
		},
		"IAM Roles for Service Accounts": {
			pod:  healthy(set("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), set("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/x")),
			want: []string{"pod/web: container app has AWS_WEB_IDENTITY_TOKEN_FILE, which goes before the mounted files: remove it"},
		},
		"EKS Pod Identity": {
			pod:  healthy(set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")),
			want: []string{"pod/web: container app has AWS_CONTAINER_CREDENTIALS_FULL_URI, and SDKs act as that identity when the mounted files fail: remove it"},
		},
		"nothing names the files": {
			pod:  healthy(unset("AWS_CONFIG_FILE")),
			want: []string{"pod/web: container app mounts Secret dev at " + mountPath + ", and nothing in the pod tells SDKs to look there: set AWS_CONFIG_FILE to " + mountPath + "/config"},
		},
		"AWS_CONFIG_FILE is elsewhere": {
			pod:  healthy(set("AWS_CONFIG_FILE", "/etc/aws/config")),
			want: []string{"pod/web: container app has AWS_CONFIG_FILE=/etc/aws/config, and Secret dev is mounted at " + mountPath + ": set AWS_CONFIG_FILE to " + mountPath + "/config"},
		},
		"AWS_CONFIG_FILE by another variable is elsewhere": {
			pod:  healthy(unset("AWS_CONFIG_FILE"), set("DIR", "/aws"), set("AWS_CONFIG_FILE", "$(DIR)/config")),
			want: []string{"pod/web: container app has AWS_CONFIG_FILE=/aws/config, and Secret dev is mounted at " + mountPath + ": set AWS_CONFIG_FILE to " + mountPath + "/config"},
		},
		"AWS_CONFIG_FILE is a folder": {
			pod:  healthy(set("AWS_CONFIG_FILE", mountPath+"/conf")),
			want: []string{"pod/web: container app has AWS_CONFIG_FILE=" + mountPath + "/conf, a file that Secret dev does not have: set AWS_CONFIG_FILE to " + mountPath + "/config"},
		},
		"AWS_CONFIG_FILE is of a format that is not published": {
			session: formats(v1alpha1.CredentialProcess), pod: healthy(loginCacheFormat),
			want: []string{"pod/web: container app has AWS_CONFIG_FILE=" + mountPath + "/login-config, a file that Secret dev does not have: set AWS_CONFIG_FILE to " + mountPath + "/config"},
		},
		"AWS_SHARED_CREDENTIALS_FILE is elsewhere": {
			pod:  healthy(set("AWS_SHARED_CREDENTIALS_FILE", "/etc/aws/credentials")),
			want: []string{"pod/web: container app has AWS_SHARED_CREDENTIALS_FILE=/etc/aws/credentials, and SDKs prefer keys of that file to those of Secret dev: set it to /dev/null"},
		},
		"AWS_SHARED_CREDENTIALS_FILE is of a format that is not published": {
			pod: healthy(set("AWS_SHARED_CREDENTIALS_FILE", mountPath+"/credentials")),
			want: []string{"pod/web: container app has AWS_SHARED_CREDENTIALS_FILE=" + mountPath + "/credentials, a file that Secret dev does not have: " +
				"set it to /dev/null, or add SharedCredentials to spec.target.formats of LoginSession dev"},
		},
		"two formats": {
			session: every, pod: healthy(set("AWS_SHARED_CREDENTIALS_FILE", mountPath+"/credentials")),
			want: []string{"pod/web: container app has AWS_SHARED_CREDENTIALS_FILE=" + mountPath + "/credentials beside AWS_CONFIG_FILE, and SDKs prefer that file, which most read only once: set it to /dev/null"},
		},
		"LoginCache without its folder": {
			pod:  healthy(loginCacheFormat, unset("AWS_LOGIN_CACHE_DIRECTORY")),
			want: []string{"pod/web: container app has AWS_CONFIG_FILE for the format LoginCache, and not AWS_LOGIN_CACHE_DIRECTORY: set AWS_LOGIN_CACHE_DIRECTORY to " + mountPath + "/"},
		},
		"LoginCache with another folder": {
			pod:  healthy(loginCacheFormat, set("AWS_LOGIN_CACHE_DIRECTORY", "/cache/")),
			want: []string{"pod/web: container app has AWS_LOGIN_CACHE_DIRECTORY=/cache/, and Secret dev is mounted at " + mountPath + ": set AWS_LOGIN_CACHE_DIRECTORY to " + mountPath + "/"},
		},
		"mounted at another path than config says": {
			pod: healthy(at("/aws"), set("AWS_CONFIG_FILE", "/aws/config")),
			want: []string{"pod/web: container app mounts Secret dev at /aws, and config in it names " + mountPath + "/credentials.json: " +
				"mount it at " + mountPath + ", or set spec.target.mountPath of LoginSession dev to /aws"},
		},
		"config is mounted without what it names": {
			pod:  healthy(items("config")),
			want: []string{"pod/web: container app mounts config of Secret dev without credentials.json, which it names: take both keys, or remove items from the volume"},
		},
		"a distroless image": {
			pod: healthy(image("gcr.io/distroless/python3:latest")),
			want: []string{"pod/web: container app uses the format CredentialProcess, and its image gcr.io/distroless/python3:latest may have no cat: " +
				"use the file login-config of the format LoginCache"},
		},
		"a Chainguard image, and no other format": {
			session: formats(v1alpha1.CredentialProcess), pod: healthy(image("cgr.dev/chainguard/python")),
			want: []string{"pod/web: container app uses the format CredentialProcess, and its image cgr.dev/chainguard/python may have no cat: " +
				"use the file login-config of the format LoginCache, which spec.target.formats of LoginSession dev lacks"},
		},
		"no region": {
			pod: healthy(unset("AWS_REGION")),
			want: []string{"pod/web: container app has neither AWS_REGION nor AWS_DEFAULT_REGION, and the LoginSession no spec.region: " +
				"set AWS_REGION and AWS_DEFAULT_REGION, or spec.region of LoginSession dev"},
		},
		"another Secret is mounted": {
			prepare: func(s *shell) { s.createSecret("other", nil) },
			pod:     healthy(volume(func(v *corev1.SecretVolumeSource) { v.SecretName = "other" })),
			want:    []string{"pod/web: it mounts Secret other at " + mountPath + ", which is no LoginSession's target: mount Secret dev"},
		},
		"a Secret that is not there is mounted": {
			pod:  healthy(volume(func(v *corev1.SecretVolumeSource) { v.SecretName = "dve" })),
			want: []string{"pod/web: it mounts Secret dve at " + mountPath + ", which does not exist and is no LoginSession's target: mount Secret dev"},
		},
		"the target from before it was renamed is mounted": {
			prepare: func(s *shell) {
				s.createSecret("old", nil, func(secret *corev1.Secret) {
					secret.Labels = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy, v1alpha1.LoginSessionLabel: "dev"}
				})
			},
			pod:  healthy(volume(func(v *corev1.SecretVolumeSource) { v.SecretName = "old" }), at("/aws"), set("AWS_CONFIG_FILE", "/aws/config")),
			want: []string{"pod/web: it mounts Secret old, in which LoginSession dev publishes no more: mount Secret dev"},
		},
		"the login itself is mounted": {
			pod:  healthy(volume(func(v *corev1.SecretVolumeSource) { v.SecretName = "dev-login" })),
			want: []string{"pod/web: it mounts Secret dev-login, the login itself, which only the operator can refresh: mount Secret dev"},
		},
		"a key is taken that is not published": {
			session: formats(v1alpha1.CredentialProcess), pod: healthy(items("config", "credentials.json", "login-config")),
			want: []string{"pod/web: volume aws takes key login-config, which Secret dev does not have: remove items from the volume, or add the format to spec.target.formats of LoginSession dev"},
		},
		"it started before there were credentials": {
			pod: healthy(volume(func(v *corev1.SecretVolumeSource) { v.Optional = ptr.To(true) }), runningFor(time.Hour)),
			want: []string{"pod/web: pod web started before Secret dev was there, because volume aws is optional: " +
				"remove optional, so that pods wait for it, and restart the pod"},
		},
		"a container beside it names files that it does not mount": {
			pod:  healthy(beside(corev1.Container{Name: "worker", Image: "python", Env: []corev1.EnvVar{{Name: "AWS_CONFIG_FILE", Value: mountPath + "/config"}}})),
			want: []string{"pod/web: container worker has AWS_CONFIG_FILE=" + mountPath + "/config, and does not mount Secret dev: mount it there too, at " + mountPath},
		},
		"a container beside it uses AWS and mounts nothing": {
			pod:  healthy(beside(corev1.Container{Name: "worker", Image: "python", Env: []corev1.EnvVar{{Name: "AWS_REGION", Value: "us-east-1"}}})),
			want: []string{"pod/web: container worker has AWS variables, and does not mount Secret dev as another container of the pod does: mount it there too, at " + mountPath},
		},
		"a label, and nothing that follows it": {
			pod: healthy(func(p *patient) {
				p.pod.Labels = map[string]string{"awslogin.dev/inject": "dev"}
				p.app.VolumeMounts, p.app.Env, p.pod.Spec.Volumes = nil, nil, nil
			}),
			want: []string{"pod/web: nothing was added for its label awslogin.dev/inject, since the cluster had no policy for that when it was created: " +
				"have config/injection installed, and create the pod again"},
		},
		"a label that names no LoginSession": {
			pod: healthy(func(p *patient) {
				p.pod.Labels = map[string]string{"awslogin.dev/inject": "dve"}
				p.app.VolumeMounts, p.app.Env, p.pod.Spec.Volumes = nil, nil, nil
			}),
			want: []string{"pod/web: label awslogin.dev/inject names LoginSession dve, which does not exist: " +
				"correct the label, or sign in with `kubectl awslogin login dve -n NAMESPACE`"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expectDiagnosisOf(t, tt.session, tt.prepare, tt.pod, tt.want...)
		})
	}
}

func TestDoctorFindsWhyAPodDoesNotStart(t *testing.T) {
	s := newShell(t)
	s.createSession("dev")
	s.await("it is reported", func() bool { return trouble(s.session("dev")) != nil })
	p := healthy()
	p.pod.Spec.NodeName = "node"
	s.admit(p)
	s.expectDiagnosis(
		"loginsession/dev: LoginCacheNotFound, Secret NAMESPACE/dev-login does not exist: "+login,
		"pod/web: it waits for Secret dev, in which LoginSession dev has published nothing yet: it starts when that has happened, see `kubectl awslogin status dev -n NAMESPACE`",
	)
}

func TestDoctorSaysOnceWhatIsWrongWithAllPodsOfADeployment(t *testing.T) {
	s := signedIn(t)
	for _, name := range []string{"web-7d9f-a", "web-7d9f-b"} {
		p := healthy(set("AWS_PROFILE", "prod"), ofKind("ReplicaSet", "web-7d9f"))
		p.pod.Name = name
		s.admit(p)
	}
	s.expectDiagnosis("deployment/web: container app has AWS_PROFILE, and the mounted files have no profile but default: remove it")
}

func TestDoctorOfOneLoginSessionIsAboutItsPods(t *testing.T) {
	s := signedIn(t)
	s.createSession("other", func(session *v1alpha1.LoginSession) { session.Spec.LoginCacheSecretRef.Name = "dev-login" })
	s.awaitReady("other")
	s.admit(healthy(set("AWS_PROFILE", "prod")))
	if got, _ := s.diagnosis("other"); len(got) > 0 {
		t.Errorf("found %q", got)
	}
	if got, _ := s.diagnosis("dev"); len(got) != 1 || !strings.Contains(got[0], "AWS_PROFILE") {
		t.Errorf("found %q", got)
	}
}
