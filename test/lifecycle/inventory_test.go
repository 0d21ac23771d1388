package lifecycle

import (
	"context"
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

func takeInventory(ctx context.Context) (inventory, error) {
	lists, err := known.ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("list the kinds: %w", err)
	}
	found := inventory{}
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") {
				continue
			}
			if err := found.addAll(ctx, group.WithResource(resource.Name)); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func (i inventory) addAll(ctx context.Context, resource schema.GroupVersionResource) error {
	objects, err := dynamics.Resource(resource).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil // the kind has gone meanwhile
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", resource.Resource, err)
	}
	for _, object := range objects.Items {
		i.add(resource.Resource, object)
	}
	return nil
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

// remember what is in the cluster, once all of it can be listed: that a kind has gone
// becomes known little by little.
func (s *stage) remember() {
	s.Helper()
	s.await("an inventory", func() (done bool) {
		found, err := takeInventory(s.ctx)
		if err != nil {
			s.Log(err)
		}
		s.before = found
		return err == nil
	})
}

// expectChanges in the cluster since the stage began; those that Kubernetes makes are
// waited for.
func (s *stage) expectChanges(want ...string) {
	s.Helper()
	slices.Sort(want)
	var got []string
	for range 100 {
		found, err := takeInventory(s.ctx)
		if err != nil {
			got = []string{err.Error()}
			continue
		}
		if got = found.changesSince(s.before); slices.Equal(got, want) {
			return
		}
	}
	s.Errorf("changed in the cluster has\n%s\nand should have\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
}
