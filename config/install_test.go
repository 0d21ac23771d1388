package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/internal/controlplane"
)

// overlay is a kustomization of one's own upon a folder here.
func overlay(t *testing.T, folder, namespace string) string {
	t.Helper()
	own := t.TempDir()
	base, err := filepath.Rel(realPath(t, own), realPath(t, folder))
	if err != nil {
		t.Fatal(err)
	}
	content := "namespace: " + namespace + "\nresources:\n- " + base + "\n"
	if err := os.WriteFile(filepath.Join(own, "kustomization.yaml"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return own
}

func realPath(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInstallation(t *testing.T) {
	for _, namespace := range []string{"team", "granted"} {
		if err := makeNamespace(namespace); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, kustomize(t, "namespaced/access"), "--namespace", "granted")
	t.Run("nothing but access", func(t *testing.T) {
		checkGrants(t, "awslogin-system", "granted", []grants{works})
		checkGrants(t, "awslogin-system", "examples", nil)
	})
	for _, variant := range []struct {
		name, folder, namespace string
	}{
		{"for all namespaces", "default", "awslogin-system"},
		{"for the namespace it was made for", "namespaced", "awslogin-system"},
		{"for a namespace of one's choice", overlay(t, "namespaced", "team"), "team"},
	} {
		t.Run(variant.name, func(t *testing.T) {
			manifest := kustomize(t, variant.folder)
			apply(t, manifest)
			apply(t, manifest) // an upgrade is one more apply
			admitPods(t, manifest, variant.namespace)
			checkArguments(t, manifest)
		})
	}
	t.Run("rights", checkRights)
}

// checkArguments has the operator itself read the arguments it is given.
func checkArguments(t *testing.T, manifest []byte) {
	t.Helper()
	found := deployments(t, manifest)
	if len(found) != 1 {
		t.Fatalf("%d Deployments, want the operator's only", len(found))
	}
	arguments := []string{"--version"}
	for _, argument := range found[0].Spec.Template.Spec.Containers[0].Args {
		arguments = append(arguments, strings.ReplaceAll(argument, "$(POD_NAMESPACE)", "team"))
	}
	run(t, nil, filepath.Join(controlplane.Root(), "bin", "aws-login-operator"), arguments...)
}

const everyVerb = "get list watch create update patch delete deletecollection"

// grants are verbs by resource; what is not named is not granted.
type grants map[string]string

var (
	works = grants{
		"secrets":                           "get list watch create update",
		"loginsessions.awslogin.dev":        "get list watch",
		"loginsessions.awslogin.dev/status": "patch",
		"events.events.k8s.io":              "create patch",
	}
	leads = grants{"leases.coordination.k8s.io": "get create update", "events": "create patch"}
)

// TestNudgeAddsTheFlagAndRightsToPods follows the comments in config/: nudge is
// installed in place of default, or added to namespaced.
func TestNudgeAddsTheFlagAndRightsToPods(t *testing.T) {
	nudges := grants{"pods": "list patch"}
	check := func(t *testing.T, manifest []byte, namespace string) {
		t.Helper()
		apply(t, manifest)
		admitPods(t, manifest, namespace)
		checkArguments(t, manifest)
		if arguments := deployments(t, manifest)[0].Spec.Template.Spec.Containers[0].Args; !slices.Contains(arguments, "--nudge-pods") {
			t.Errorf("the operator has the arguments %q", arguments)
		}
	}
	t.Run("for all namespaces", func(t *testing.T) {
		check(t, kustomize(t, "nudge"), "awslogin-system")
		checkGrants(t, "awslogin-system", "examples", []grants{works, nudges})
	})
	t.Run("no more once default is applied again", func(t *testing.T) {
		apply(t, kustomize(t, "default"))
		checkGrants(t, "awslogin-system", "examples", []grants{works})
	})
	t.Run("for chosen namespaces", func(t *testing.T) {
		for _, namespace := range []string{"nudged", "further"} {
			if err := makeNamespace(namespace); err != nil {
				t.Fatal(err)
			}
		}
		own := withNudge(t)
		check(t, kustomize(t, overlay(t, filepath.Join(own, "namespaced"), "nudged")), "nudged")
		checkGrants(t, "nudged", "nudged", []grants{works, leads, nudges})
		checkGrants(t, "nudged", "examples", nil)
		apply(t, kustomize(t, filepath.Join(own, "namespaced", "access")), "--namespace", "further")
		checkGrants(t, "awslogin-system", "further", []grants{works, nudges})
	})
}

// withNudge is a copy of this folder whose namespaced has the component added, as
// the comments there say.
func withNudge(t *testing.T) string {
	t.Helper()
	own := t.TempDir()
	if err := os.CopyFS(own, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	for file, component := range map[string]string{
		"namespaced/kustomization.yaml":        "- ../nudge/component",
		"namespaced/access/kustomization.yaml": "- ../../nudge/component",
	} {
		path := filepath.Join(own, file)
		content := read(t, path)
		edited := strings.Replace(content, "# "+component, component, 1)
		if edited == content {
			t.Fatalf("%s has no line to uncomment", file)
		}
		if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return own
}

func checkRights(t *testing.T) {
	for _, row := range []struct {
		name, operatorIn, namespace string
		want                        []grants
	}{
		{"an operator for all namespaces works in any", "awslogin-system", "examples", []grants{works}},
		{"and reads all namespaces at once", "awslogin-system", metav1.NamespaceAll, []grants{works}},
		{"and elects its leader in its own", "awslogin-system", "awslogin-system", []grants{works, leads}},
		{"an operator for its own namespace works and elects there", "team", "team", []grants{works, leads}},
		{"and has no right in another", "team", "examples", nil},
		{"and none in all namespaces at once", "team", metav1.NamespaceAll, nil},
	} {
		t.Run(row.name, func(t *testing.T) { checkGrants(t, row.operatorIn, row.namespace, row.want) })
	}
}

func checkGrants(t *testing.T, operatorIn, namespace string, want []grants) {
	for _, resource := range []string{
		"secrets", "events", "pods", "pods/exec", "configmaps", "namespaces", "nodes", "serviceaccounts/token",
		"loginsessions.awslogin.dev", "loginsessions.awslogin.dev/status", "loginsessions.awslogin.dev/finalizers",
		"events.events.k8s.io", "leases.coordination.k8s.io", "deployments.apps",
		"clusterroles.rbac.authorization.k8s.io", "customresourcedefinitions.apiextensions.k8s.io",
	} {
		granted := ""
		for _, each := range want {
			granted += each[resource] + " "
		}
		for verb := range strings.FieldsSeq(everyVerb) {
			wanted := strings.Contains(" "+granted, " "+verb+" ")
			if got := allowed(t, operatorIn, namespace, verb, resource); got != wanted {
				t.Errorf("%s %s: allowed %t, want %t", verb, resource, got, wanted)
			}
		}
	}
}

// allowed asks the API server about a resource in the form of kubectl: name, and
// where they exist .group and /subresource.
func allowed(t *testing.T, operatorIn, namespace, verb, resource string) bool {
	t.Helper()
	resource, subresource, _ := strings.Cut(resource, "/")
	resource, group, _ := strings.Cut(resource, ".")
	review, err := clientset.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User:   "system:serviceaccount:" + operatorIn + ":awslogin-operator",
			Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + operatorIn, "system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource,
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}
