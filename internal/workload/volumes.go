// Package workload knows how pods take credentials from a target Secret.
package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// Source is a Secret in a volume.
type Source struct {
	Secret   string
	Items    []corev1.KeyToPath // empty for all keys
	Optional bool
}

// Sources are the Secrets of a volume, of which a projected one may have several.
func Sources(volume corev1.Volume) []Source {
	if secret := volume.Secret; secret != nil {
		return []Source{{secret.SecretName, secret.Items, ptr.Deref(secret.Optional, false)}}
	}
	if volume.Projected == nil {
		return nil
	}
	var sources []Source
	for _, projection := range volume.Projected.Sources {
		if secret := projection.Secret; secret != nil {
			sources = append(sources, Source{secret.Name, secret.Items, ptr.Deref(secret.Optional, false)})
		}
	}
	return sources
}

// Mounts says whether a pod with these volumes mounts a Secret.
func Mounts(volumes []corev1.Volume, secret string) bool {
	return slices.ContainsFunc(volumes, func(volume corev1.Volume) bool {
		return slices.ContainsFunc(Sources(volume), func(source Source) bool { return source.Secret == secret })
	})
}

// Lives says whether a pod is neither over nor being deleted.
func Lives(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp.IsZero() && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}
