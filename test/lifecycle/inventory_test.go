package lifecycle

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// inventory is every object in the cluster, by its kind, namespace and name, with a
// digest of its content.
type inventory map[string]string

// passing kinds come and go by themselves: Events, and what Kubernetes keeps for its
// own components.
var passing = []string{"events", "leases kube-system/", "componentstatuses", "apiservices", "ipaddresses", "endpointslices", "endpoints"}

func (s *stage) takeInventory() inventory {
	s.Helper()
	lists, err := known.ServerPreferredResources()
	s.must(err)
	found := inventory{}
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		s.must(err)
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") {
				continue
			}
			objects, err := dynamics.Resource(group.WithResource(resource.Name)).List(s.ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) {
				continue // the kind has gone meanwhile
			}
			s.must(err)
			for _, object := range objects.Items {
				found.add(resource.Name, object)
			}
		}
	}
	return found
}

func (i inventory) add(resource string, object unstructured.Unstructured) {
	name := fmt.Sprintf("%s %s/%s", resource, object.GetNamespace(), object.GetName())
	if slices.ContainsFunc(passing, func(kind string) bool { return strings.HasPrefix(name, kind) }) {
		return
	}
	object.SetResourceVersion("")
	object.SetManagedFields(nil)
	delete(object.Object, "status")
	content, _ := json.Marshal(object.Object)
	i[name] = fmt.Sprintf("%x", sha256.Sum256(content))
}

// changesSince are the objects that are new, gone or different.
func (i inventory) changesSince(before inventory) (changes []string) {
	for name, content := range i {
		switch old, ok := before[name]; {
		case !ok:
			changes = append(changes, "new: "+name)
		case old != content:
			changes = append(changes, "different: "+name)
		}
	}
	for name := range before {
		if _, ok := i[name]; !ok {
			changes = append(changes, "gone: "+name)
		}
	}
	slices.Sort(changes)
	return changes
}

// expectChanges in the cluster since the stage began; those that Kubernetes makes are
// waited for.
func (s *stage) expectChanges(want ...string) {
	s.Helper()
	slices.Sort(want)
	var got []string
	for range 100 {
		if got = s.takeInventory().changesSince(s.before); slices.Equal(got, want) {
			return
		}
	}
	s.Errorf("changed in the cluster has\n%s\nand should have\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
}
