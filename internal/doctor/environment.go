package doctor

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// variable of a container.
type variable struct {
	value string
	known bool // the value is: it is in the pod or in a ConfigMap
	from  string
}

// sources are ConfigMaps and Secrets that containers take variables from: the values
// of the ones, and of the others only the keys.
type sources struct {
	configMaps map[string]map[string]string
	secrets    map[string][]string
}

// gatherSources reads as much as the caller may.
func (e *examination) gatherSources(ctx context.Context) error {
	e.sources = sources{map[string]map[string]string{}, map[string][]string{}}
	var forbidden error
	for i := range e.pods {
		for _, container := range containers(&e.pods[i]) {
			for _, from := range container.EnvFrom {
				err := e.gatherSource(ctx, from)
				if apierrors.IsForbidden(err) {
					forbidden = err
				} else if err != nil {
					return err
				}
			}
		}
	}
	return forbidden
}

// gatherSource reads one, once. Of targets everything is known.
func (e *examination) gatherSource(ctx context.Context, from corev1.EnvFromSource) error {
	if ref := from.ConfigMapRef; ref != nil && e.sources.configMaps[ref.Name] == nil {
		configMap := &corev1.ConfigMap{}
		err := e.API.Get(ctx, e.key(ref.Name), configMap)
		e.sources.configMaps[ref.Name] = maps.Clone(configMap.Data)
		return client.IgnoreNotFound(err)
	}
	if ref := from.SecretRef; ref != nil && e.sources.secrets[ref.Name] == nil && e.targetOf(ref.Name) == nil {
		secret := &corev1.Secret{}
		err := e.API.Get(ctx, e.key(ref.Name), secret)
		e.sources.secrets[ref.Name] = slices.Sorted(maps.Keys(secret.Data))
		return client.IgnoreNotFound(err)
	}
	return nil
}

// environment is what a container sets; what the image sets is not known. What it takes
// from targets is left out.
func (e *examination) environment(container *corev1.Container) map[string]variable {
	env := map[string]variable{}
	for _, from := range container.EnvFrom {
		if ref := from.ConfigMapRef; ref != nil {
			for key, value := range e.sources.configMaps[ref.Name] {
				env[from.Prefix+key] = variable{value, true, " (from ConfigMap " + ref.Name + ")"}
			}
		}
		if ref := from.SecretRef; ref != nil {
			for _, key := range e.sources.secrets[ref.Name] {
				env[from.Prefix+key] = variable{from: " (from Secret " + ref.Name + ")"}
			}
		}
	}
	for _, own := range container.Env {
		switch ref := own.ValueFrom; {
		case ref == nil:
			value, err := expand(own.Value, env)
			env[own.Name] = variable{value: value, known: err == nil}
		case ref.SecretKeyRef == nil || e.targetOf(ref.SecretKeyRef.Name) == nil:
			env[own.Name] = variable{}
		}
	}
	return env
}

var (
	reference  = regexp.MustCompile(`\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)`)
	errUnknown = errors.New("it refers to a value that is not known")
)

// expand replaces $(NAME), as a kubelet does.
func expand(value string, env map[string]variable) (string, error) {
	var err error
	value = reference.ReplaceAllStringFunc(value, func(match string) string {
		referred, there := env[match[2:len(match)-1]]
		if there && !referred.known {
			err = errUnknown
		}
		if !there {
			return match
		}
		return referred.value
	})
	return value, err
}
