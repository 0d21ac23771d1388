package doctor

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/awsfiles"
	"awslogin.dev/operator/internal/loginrefresh"
	"awslogin.dev/operator/internal/workload"
)

// use is a container, and what it has to do with one LoginSession's target.
type use struct {
	*examination
	session   *v1alpha1.LoginSession
	pod       *corev1.Pod
	container *corev1.Container
	env       map[string]variable
	mounts    []mount // of the target
	keys      keys    // of the target
}

// eachContainer makes a check of containers one of everything.
func eachContainer(find func(*use) []Finding) func(*examination) []Finding {
	return func(e *examination) (findings []Finding) {
		for _, u := range e.uses {
			findings = append(findings, find(u)...)
		}
		return findings
	}
}

// prepareUses is the part of the work that all checks of containers have in common.
func (e *examination) prepareUses() {
	for session, pod := range e.pairs() {
		for _, container := range containers(pod) {
			e.uses = append(e.uses, e.newUse(session, pod, &container))
		}
	}
}

func (e *examination) newUse(session *v1alpha1.LoginSession, pod *corev1.Pod, container *corev1.Container) *use {
	mounts := slices.DeleteFunc(mountsOf(pod, container), func(m mount) bool { return m.Secret != session.TargetSecretName() })
	return &use{e, session, pod, container, e.environment(container), mounts, keysOf(session)}
}

// found is a finding about the container.
func (u *use) found(remedy, problem string, args ...any) []Finding {
	return one(object(u.pod), remedy, "container "+u.container.Name+" "+problem, args...)
}

// folders are mounts of the target that follow its changes.
func (u *use) folders() []mount {
	return slices.DeleteFunc(slices.Clone(u.mounts), func(m mount) bool { return m.subPath != "" })
}

// set is the value of a variable; not known is one that the pod does not tell.
func (u *use) set(name string) (value string, known, set bool) {
	v, set := u.env[name]
	return v.value, v.known, set && (!v.known || v.value != "") // SDKs take an empty one for none
}

// lasts says whether the container runs for longer than credentials live: by its kind, or
// because it has done so.
func (u *use) lasts() bool {
	restarts := u.pod.Spec.RestartPolicy == corev1.RestartPolicyAlways
	if slices.ContainsFunc(u.pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == u.container.Name }) {
		restarts = u.container.RestartPolicy != nil && *u.container.RestartPolicy == corev1.ContainerRestartPolicyAlways
	}
	return restarts || u.runsFor() > lifeOf(u.session)
}

func (u *use) runsFor() time.Duration {
	for _, status := range slices.Concat(u.pod.Status.InitContainerStatuses, u.pod.Status.ContainerStatuses) {
		if status.Name == u.container.Name && status.State.Running != nil {
			return u.now.Sub(status.State.Running.StartedAt.Time)
		}
	}
	return 0
}

// lifeOf is the longest that the credentials of a LoginSession live.
func lifeOf(session *v1alpha1.LoginSession) time.Duration {
	if role := session.Spec.AssumeRole; role != nil {
		return time.Duration(role.DurationSeconds) * time.Second
	}
	return loginrefresh.MaxLifetime
}

// keys of a target.
type keys map[string]bool

// hashed is the one whose name depends on who is signed in.
var hashed = regexp.MustCompile(`^[0-9a-f]{64}\.json$`)

func (k keys) has(key string) bool { return k[key] || (k["login-config"] && hashed.MatchString(key)) }

// keysOf are those that the operator writes.
func keysOf(session *v1alpha1.LoginSession) keys {
	formats := make([]string, 0, len(session.Spec.Target.Formats))
	for _, format := range session.Spec.Target.Formats {
		formats = append(formats, string(format))
	}
	files, _ := awsfiles.Render(awsfiles.Input{ // what cannot be rendered the operator tells
		AccessKeyID: "-", SecretAccessKey: "-", SessionToken: "-", AccountID: "-", LoginSession: "-",
		ExpiresAt: time.Unix(0, 0), Region: session.Spec.Region, MountPath: session.Spec.Target.MountPath,
	}, formats)
	found := keys{}
	for key := range files {
		found[key] = true
	}
	if template := session.Spec.Target.Template; template != nil {
		for key := range template.Data {
			found[key] = true
		}
	}
	return found
}

// place of a file, seen from a container.
type place struct {
	key    string // of the target
	inside bool   // a folder that the target is mounted at
	theirs bool   // in the folder of another target
}

func (u *use) locate(file string) place {
	file = path.Clean(file)
	for _, m := range u.mounts {
		if m.subPath != "" && m.path == file {
			return place{key: m.subPath, inside: true}
		}
		below, inside := strings.CutPrefix(file, m.path+"/")
		if inside && m.subPath == "" {
			return place{key: m.keyAt(below, u.keys), inside: true}
		}
	}
	for _, m := range mountsOf(u.pod, u.container) {
		if strings.HasPrefix(file, m.path+"/") && u.targetOf(m.Secret) != nil {
			return place{theirs: true}
		}
	}
	return place{}
}

// keyAt is empty where there is no file.
func (m mount) keyAt(name string, keys keys) string {
	for _, item := range m.Items {
		if item.Path == name && keys.has(item.Key) {
			return item.Key
		}
	}
	if len(m.Items) == 0 && keys.has(name) {
		return name
	}
	return ""
}

// prefer is the value of a variable that finds the credentials, and its name.
func (u *use) prefer() (name, value string) {
	at := u.session.Spec.Target.MountPath
	if folders := u.folders(); len(folders) > 0 {
		at = folders[0].path
	}
	for _, setting := range workload.Settings {
		if slices.Contains(u.session.Spec.Target.Formats, setting.Format) {
			return setting.Env[0][0], at + setting.Env[0][1]
		}
	}
	return "", ""
}
