package doctor

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

// variablesLast: those of a running container never change, and credentials do.
func variablesLast(u *use) []Finding {
	target := u.session.TargetSecretName()
	if from := u.variablesFrom(target); from != "" {
		switch {
		case from == "envFrom" && !slices.Contains(u.session.Spec.Target.Formats, v1alpha1.Environment):
			return u.found("mount it, or add Environment to spec.target.formats of LoginSession "+u.session.Name,
				"takes its variables from Secret %s, which has none of an AWS SDK", target)
		case u.lasts():
			return u.found("mount the Secret at "+u.session.Spec.Target.MountPath+" instead",
				"takes variables from Secret %s with %s, which expire while it runs", target, from)
		}
	}
	return nil
}

// variablesFrom is the field by which a container takes variables from a Secret.
func (u *use) variablesFrom(secret string) string {
	if slices.ContainsFunc(u.container.EnvFrom, func(from corev1.EnvFromSource) bool {
		return from.SecretRef != nil && from.SecretRef.Name == secret
	}) {
		return "envFrom"
	}
	if slices.ContainsFunc(u.container.Env, func(v corev1.EnvVar) bool {
		return v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil && v.ValueFrom.SecretKeyRef.Name == secret
	}) {
		return "secretKeyRef"
	}
	return ""
}

// rivals are variables of other credentials, and what SDKs do with them.
var rivals = []struct {
	name     string
	with     string // without which it does nothing
	harmless string // value
	effect   string
}{
	{name: "AWS_ACCESS_KEY_ID", effect: "which goes before the mounted files"},
	{name: "AWS_PROFILE", harmless: "default", effect: "and the mounted files have no profile but default"},
	{name: "AWS_DEFAULT_PROFILE", harmless: "default", effect: "and the mounted files have no profile but default"},
	{name: "AWS_WEB_IDENTITY_TOKEN_FILE", with: "AWS_ROLE_ARN", effect: "which goes before the mounted files"},
	{name: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", effect: "and SDKs act as that identity when the mounted files fail"},
	{name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", effect: "and SDKs act as that identity when the mounted files fail"},
}

func nothingShadows(u *use) (findings []Finding) {
	if len(u.mounts) == 0 {
		return nil
	}
	for _, rival := range rivals {
		value, known, set := u.set(rival.name)
		_, _, complete := u.set(cmp.Or(rival.with, rival.name))
		if set && complete && (!known || value != rival.harmless) {
			findings = append(findings, u.found("remove it", "has %s%s, %s", rival.name, u.env[rival.name].from, rival.effect)...)
		}
	}
	return findings
}

// filesAreMounted looks at containers beside those that mount the target. One that has
// nothing to do with AWS needs none, and one with credentials of its own neither.
func filesAreMounted(u *use) []Finding {
	target := u.session.TargetSecretName()
	if u.mountsAnyTarget() || u.variablesFrom(target) != "" || !u.isMountedBySibling() {
		return nil
	}
	remedy := "mount it there too, at " + u.session.Spec.Target.MountPath
	for _, name := range []string{configFile, credentialsFile, cacheDirectory} {
		if value, _, _ := u.set(name); strings.HasPrefix(value+"/", u.session.Spec.Target.MountPath+"/") {
			return u.found(remedy, "has %s=%s, and does not mount Secret %s", name, value, target)
		}
	}
	if u.isOfAWS() && !u.hasOwnCredentials() {
		return u.found(remedy, "has AWS variables, and does not mount Secret %s as another container of the pod does", target)
	}
	return nil
}

func (u *use) mountsAnyTarget() bool {
	return slices.ContainsFunc(mountsOf(u.pod, u.container), func(m mount) bool { return u.targetOf(m.Secret) != nil })
}

func (u *use) isMountedBySibling() bool {
	return slices.ContainsFunc(allMounts(u.pod), func(m mount) bool { return m.Secret == u.session.TargetSecretName() })
}

func (u *use) isOfAWS() bool {
	for name := range u.env {
		if strings.HasPrefix(name, "AWS_") {
			return true
		}
	}
	return false
}

// hasOwnCredentials: config/injection leaves such containers alone, too.
func (u *use) hasOwnCredentials() bool {
	names := []string{configFile, credentialsFile, cacheDirectory, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"}
	for _, rival := range rivals {
		names = append(names, rival.name)
	}
	return slices.ContainsFunc(names, func(name string) bool { _, set := u.env[name]; return set })
}

// regionIsKnown: SDKs guess none. A program may name one in its code, and who reads
// files of their own needs none.
func regionIsKnown(u *use) []Finding {
	_, config, _ := u.at(configFile)
	_, shared, _ := u.at(credentialsFile)
	uses := config.key != "" || shared.key != "" || u.variablesFrom(u.session.TargetSecretName()) != ""
	_, _, region := u.set("AWS_REGION")
	_, _, byDefault := u.set("AWS_DEFAULT_REGION")
	if !uses || region || byDefault || u.session.Spec.Region != "" || u.mentions("region") {
		return nil
	}
	return u.found("set AWS_REGION and AWS_DEFAULT_REGION, or spec.region of LoginSession "+u.session.Name,
		"has neither AWS_REGION nor AWS_DEFAULT_REGION, and the LoginSession no spec.region")
}
