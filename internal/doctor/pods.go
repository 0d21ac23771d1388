package doctor

import (
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

func volumeSources(pod *corev1.Pod, name string) []workload.Source {
	for _, volume := range pod.Spec.Volumes {
		if volume.Name == name {
			return workload.Sources(volume)
		}
	}
	return nil
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

// targetVolumes runs over the volumes of all pods that are a target's.
func (e *examination) targetVolumes(look func(session *v1alpha1.LoginSession, pod *corev1.Pod, volume string, source workload.Source)) {
	for i := range e.sessions {
		for j := range e.pods {
			for _, volume := range e.pods[j].Spec.Volumes {
				for _, source := range workload.Sources(volume) {
					if source.Secret == e.sessions[i].TargetSecretName() {
						look(&e.sessions[i], &e.pods[j], volume.Name, source)
					}
				}
			}
		}
	}
}

// volumesAreComplete: without a Secret or a key a pod does not start, or starts without.
func volumesAreComplete(e *examination) (findings []Finding) {
	e.targetVolumes(func(session *v1alpha1.LoginSession, pod *corev1.Pod, volume string, source workload.Source) {
		if _, there := e.secrets[source.Secret]; e.secretsRead && !there && !source.Optional && pod.Spec.NodeName != "" && pod.Status.Phase == corev1.PodPending {
			findings = append(findings, one(object(pod), "it starts when that has happened, see `kubectl awslogin status "+session.Name+" -n "+e.Namespace+"`",
				"it waits for Secret %s, in which LoginSession %s has published nothing yet", source.Secret, session.Name)...)
		}
		for _, item := range source.Items {
			if !keysOf(session).has(item.Key) {
				findings = append(findings, one(object(pod), "remove items from the volume, or add the format to spec.target.formats of LoginSession "+session.Name,
					"volume %s takes key %s, which Secret %s does not have", volume, item.Key, source.Secret)...)
			}
		}
	})
	return findings
}

// podsSawTheirVolumes: most SDKs look once whether there are credentials.
func podsSawTheirVolumes(e *examination) (findings []Finding) {
	if !e.secretsRead {
		return nil
	}
	e.targetVolumes(func(_ *v1alpha1.LoginSession, pod *corev1.Pod, volume string, source workload.Source) {
		secret, there := e.secrets[source.Secret]
		began := startedAt(pod)
		if source.Optional && began != nil && (!there || began.Before(&secret.CreationTimestamp)) {
			findings = append(findings, one(object(pod), "remove optional, so that pods wait for it, and restart the pod",
				"pod %s started before Secret %s was there, because volume %s is optional", pod.Name, source.Secret, volume)...)
		}
	})
	return findings
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
