package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
	"awslogin.dev/operator/internal/workload"
)

// cachesAreThere looks for itself where the operator has not.
func cachesAreThere(e *examination) []Finding {
	if !e.secretsRead {
		return nil
	}
	var findings []Finding
	for i := range e.sessions {
		session := &e.sessions[i]
		if says(session, v1alpha1.ReasonLoginCacheNotFound, v1alpha1.ReasonLoginCacheInvalid, v1alpha1.ReasonWriteBackImpossible) {
			continue
		}
		name := session.Spec.LoginCacheSecretRef.Name
		secret, there := e.caches[name]
		if !there {
			findings = append(findings, one("secret/"+name, e.login(session.Name), "it does not exist, and LoginSession %s has its login there", session.Name)...)
			continue
		}
		if problem := cacheProblem(secret, session.Spec.LoginCacheSecretRef.Key); problem != "" {
			findings = append(findings, one("secret/"+name, e.login(session.Name), "%s", problem)...)
		}
	}
	return findings
}

// cacheProblem quotes nothing of the Secret.
func cacheProblem(secret *corev1.Secret, key string) string {
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(secret.Data)), func(k string) bool { return !strings.HasSuffix(k, ".json") })
	switch {
	case ptr.Deref(secret.Immutable, false):
		return "it is immutable, so that the login in it cannot be refreshed"
	case key == "" && len(keys) != 1:
		return fmt.Sprintf("it has %d keys that end in .json, and spec.loginCacheSecretRef.key is empty", len(keys))
	case key == "":
		key = keys[0]
	}
	if _, there := secret.Data[key]; !there {
		return "it has no key " + key
	}
	if _, err := loginrefresh.Parse(secret.Data[key]); err != nil {
		return "it cannot be used, " + err.Error()
	}
	return ""
}

// targetsAreThere: the operator sees at once where one is deleted, if it works.
func targetsAreThere(e *examination) []Finding {
	if !e.secretsRead {
		return nil
	}
	var findings []Finding
	for i := range e.sessions {
		session := &e.sessions[i]
		name := session.TargetSecretName()
		if _, there := e.secrets[name]; !there && session.Status.Credentials != nil {
			findings = append(findings, one("secret/"+name, e.operatorRemedy(), "it does not exist, and LoginSession %s publishes there", session.Name)...)
		}
	}
	return findings
}

// targetOf is the LoginSession that publishes in a Secret, nil where none does.
func (e *examination) targetOf(secret string) *v1alpha1.LoginSession {
	for i := range e.all {
		if e.all[i].TargetSecretName() == secret {
			return &e.all[i]
		}
	}
	return nil
}

// mountedSecretsAreTargets looks at what is mounted where the credentials should be, and
// at Secrets that LoginSessions once published in.
func mountedSecretsAreTargets(e *examination) []Finding {
	var findings []Finding
	for i := range e.pods {
		for _, m := range allMounts(&e.pods[i]) {
			if e.targetOf(m.Secret) == nil {
				findings = append(findings, e.strayMount(&e.pods[i], m.path, m.Secret)...)
			}
		}
	}
	return findings
}

func (e *examination) strayMount(pod *corev1.Pod, at, secret string) []Finding {
	for _, session := range e.sessions {
		remedy := fmt.Sprintf("mount Secret %s", session.TargetSecretName())
		_, there := e.secrets[secret]
		switch {
		case e.secrets[secret].Labels[v1alpha1.LoginSessionLabel] == session.Name:
			return one(object(pod), remedy, "it mounts Secret %s, in which LoginSession %s publishes no more", secret, session.Name)
		case session.Spec.LoginCacheSecretRef.Name == secret || at != session.Spec.Target.MountPath:
		case e.secretsRead && !there:
			return one(object(pod), remedy, "it mounts Secret %s at %s, which does not exist and is no LoginSession's target", secret, at)
		default:
			return one(object(pod), remedy, "it mounts Secret %s at %s, which is no LoginSession's target", secret, at)
		}
	}
	return nil
}

func cachesAreNotMounted(e *examination) (findings []Finding) {
	for session, pod := range e.pairs() {
		if workload.Mounts(pod.Spec.Volumes, session.Spec.LoginCacheSecretRef.Name) {
			findings = append(findings, one(object(pod), fmt.Sprintf("mount Secret %s", session.TargetSecretName()),
				"it mounts Secret %s, the login itself, which only the operator can refresh", session.Spec.LoginCacheSecretRef.Name)...)
		}
	}
	return findings
}
