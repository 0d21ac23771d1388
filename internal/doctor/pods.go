package doctor

import (
	"iter"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/workload"
)

// Labels of config/injection.
const injectLabel, injectedVolume = "awslogin.dev/inject", "awslogin"

// object is what a person has to change: the workload that a pod is of.
func object(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return "pod/" + pod.Name
	}
	if hash := pod.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && strings.HasSuffix(owner.Name, "-"+hash) && hash != "" {
		return "deployment/" + strings.TrimSuffix(owner.Name, "-"+hash)
	}
	return strings.ToLower(owner.Kind) + "/" + owner.Name
}

func containers(pod *corev1.Pod) []corev1.Container {
	return slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
}

// mount of a Secret in a container; with a subPath it is one file.
type mount struct {
	path, subPath string
	volumeSource
}

// volumeSource is a Secret in a volume of a pod.
type volumeSource struct {
	volume string
	workload.Source
}

func volumeSources(pod *corev1.Pod) (found []volumeSource) {
	for _, volume := range pod.Spec.Volumes {
		for _, source := range workload.Sources(volume) {
			found = append(found, volumeSource{volume.Name, source})
		}
	}
	return found
}

// mountsOf a container are of Secrets only.
func mountsOf(pod *corev1.Pod, container *corev1.Container) (found []mount) {
	for _, source := range volumeSources(pod) {
		for _, m := range container.VolumeMounts {
			if m.Name == source.volume {
				found = append(found, mount{path.Clean(m.MountPath), m.SubPath + m.SubPathExpr, source})
			}
		}
	}
	return found
}

// allMounts are those of all containers.
func allMounts(pod *corev1.Pod) (found []mount) {
	for _, container := range containers(pod) {
		found = append(found, mountsOf(pod, &container)...)
	}
	return found
}

// pairs are each LoginSession with each pod.
func (e *examination) pairs() iter.Seq2[*v1alpha1.LoginSession, *corev1.Pod] {
	return func(yield func(*v1alpha1.LoginSession, *corev1.Pod) bool) {
		for i := range len(e.sessions) * len(e.pods) {
			if !yield(&e.sessions[i/len(e.pods)], &e.pods[i%len(e.pods)]) {
				return
			}
		}
	}
}

func labelsAreFollowed(e *examination) []Finding {
	var findings []Finding
	for i := range e.pods {
		pod := &e.pods[i]
		name, labelled := pod.Labels[injectLabel]
		if !labelled || (e.Name != "" && e.Name != name) || slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == injectedVolume }) {
			continue
		}
		session := slices.IndexFunc(e.all, func(s v1alpha1.LoginSession) bool { return s.Name == name })
		switch {
		case session < 0:
			findings = append(findings, one(object(pod), "correct the label, or "+e.login(name), "label %s names LoginSession %s, which does not exist", injectLabel, name)...)
		case !workload.Mounts(pod.Spec.Volumes, e.all[session].TargetSecretName()):
			findings = append(findings, one(object(pod), "have config/injection installed, and create the pod again",
				"nothing was added for its label %s, since the cluster had no policy for that when it was created", injectLabel)...)
		}
	}
	return findings
}

// eachTarget makes a check of volumes that are a LoginSession's target one of everything.
func eachTarget(find func(e *examination, session *v1alpha1.LoginSession, pod *corev1.Pod, source volumeSource) []Finding) func(*examination) []Finding {
	return func(e *examination) (findings []Finding) {
		for session, pod := range e.pairs() {
			for _, source := range volumeSources(pod) {
				if source.Secret == session.TargetSecretName() {
					findings = append(findings, find(e, session, pod, source)...)
				}
			}
		}
		return findings
	}
}

// secretIsThere: without, a pod does not start.
func secretIsThere(e *examination, session *v1alpha1.LoginSession, pod *corev1.Pod, source volumeSource) []Finding {
	_, there := e.secrets[source.Secret]
	if !e.secretsRead || there || source.Optional || pod.Spec.NodeName == "" || pod.Status.Phase != corev1.PodPending {
		return nil
	}
	return one(object(pod), "it starts when that has happened, see `kubectl awslogin status "+session.Name+" -n "+e.Namespace+"`",
		"it waits for Secret %s, in which LoginSession %s has published nothing yet", source.Secret, session.Name)
}

// keysAreThere: without, a pod does not start, or starts without the file.
func keysAreThere(_ *examination, session *v1alpha1.LoginSession, pod *corev1.Pod, source volumeSource) (findings []Finding) {
	keys := keysOf(session)
	for _, item := range source.Items {
		if !keys.has(item.Key) {
			findings = append(findings, one(object(pod), "remove items from the volume, or add the format to spec.target.formats of LoginSession "+session.Name,
				"volume %s takes key %s, which Secret %s does not have", source.volume, item.Key, source.Secret)...)
		}
	}
	return findings
}

// podSawIt: most SDKs look once whether there are credentials.
func podSawIt(e *examination, _ *v1alpha1.LoginSession, pod *corev1.Pod, source volumeSource) []Finding {
	secret, there := e.secrets[source.Secret]
	began := startedAt(pod)
	if !e.secretsRead || !source.Optional || began == nil || (there && !began.Before(&secret.CreationTimestamp)) {
		return nil
	}
	return one(object(pod), "remove optional, so that pods wait for it, and restart the pod",
		"pod %s started before Secret %s was there, because volume %s is optional", pod.Name, source.Secret, source.volume)
}

// startedAt is when the first of the containers started that run, nil where none does.
func startedAt(pod *corev1.Pod) *metav1.Time {
	var first *metav1.Time
	for _, status := range pod.Status.ContainerStatuses {
		if running := status.State.Running; running != nil && (first == nil || running.StartedAt.Before(first)) {
			first = &running.StartedAt
		}
	}
	return first
}
