package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/previous"
)

// crd is a CustomResourceDefinition as a map, so that any version of it can be had.
type crd map[string]any

func readCRD(t *testing.T, path string) (found crd) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, &found)
	}
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func currentCRD(t *testing.T) crd {
	t.Helper()
	return readCRD(t, filepath.Join(controlplane.Root(), "config/crd/bases/awslogin.dev_loginsessions.yaml"))
}

func previousCRD(t *testing.T) crd {
	t.Helper()
	return readCRD(t, filepath.Join(previous.Version(t), "crd.yaml"))
}

// at is a part of the only version.
func (c crd) at(path ...string) map[string]any {
	version := c["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	for _, step := range path {
		version = version[step].(map[string]any)
	}
	return version
}

// without a field, as a version is that does not have it yet.
func (c crd) without(field string) crd {
	path := []string{"schema", "openAPIV3Schema", "properties"}
	steps := strings.Split(field, ".")
	for _, step := range steps[:len(steps)-1] {
		path = append(path, step, "properties")
	}
	delete(c.at(path...), steps[len(steps)-1])
	return c
}

// withoutRules of any kind: it takes whatever has the right types.
func (c crd) withoutRules() crd {
	var strip func(schema map[string]any)
	strip = func(schema map[string]any) {
		for _, rule := range []string{"x-kubernetes-validations", "enum", "pattern", "maxLength", "minItems", "maxItems", "maxProperties", "minimum", "maximum", "minLength"} {
			if _, isField := schema[rule].(map[string]any); !isField {
				delete(schema, rule)
			}
		}
		for _, part := range schema {
			if part, ok := part.(map[string]any); ok {
				strip(part)
			}
		}
	}
	strip(c.at("schema", "openAPIV3Schema"))
	return c
}

// install replaces the CRD until the end of the test, which is no parallel one.
func (c crd) install(t *testing.T) {
	t.Helper()
	c.replace(t)
	t.Cleanup(func() { currentCRD(t).replace(t) })
}

// replace returns when the API server works by it: a column of it is shown by then.
func (c crd) replace(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	marker := fmt.Sprint("Since-", time.Now().UnixNano())
	version := c.at()
	version["additionalPrinterColumns"] = append(version["additionalPrinterColumns"].([]any),
		map[string]any{"name": marker, "type": "string", "jsonPath": ".metadata.name"})
	s := &stage{T: t, ctx: ctx}
	installed := &unstructured.Unstructured{}
	installed.SetGroupVersionKind(schema.FromAPIVersionAndKind("apiextensions.k8s.io/v1", "CustomResourceDefinition"))
	s.must(api.Get(ctx, client.ObjectKey{Name: "loginsessions.awslogin.dev"}, installed))
	installed.Object["spec"] = c["spec"]
	s.must(api.Update(ctx, installed))
	s.await("the CRD is in effect", func() bool { return strings.Contains(s.table(), marker) })
}

// table is what `kubectl get loginsessions` is answered.
func (s *stage) table() string {
	s.Helper()
	web, err := rest.HTTPClientFor(admin)
	s.must(err)
	address, err := url.JoinPath(admin.Host, "apis/awslogin.dev/v1alpha1/loginsessions")
	s.must(err)
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, address, nil)
	s.must(err)
	request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	response, err := web.Do(request)
	s.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	s.must(err)
	return string(text)
}

// TestOperatorWorksWithACRDThatLacksFields: an operator that is newer than the CRD
// writes a status of which the API server keeps a part, and that is no reason to
// write it again.
func TestOperatorWorksWithACRDThatLacksFields(t *testing.T) {
	older := currentCRD(t)
	for _, field := range []string{"spec.assumeRole", "spec.target.template", "status.assumedRole", "status.refresh",
		"status.nextRefreshAt", "status.session", "status.credentials", "status.identity"} {
		older.without(field)
	}
	older.install(t)
	s := newStageWith(t, fakeaws.Options{})
	l := s.newLine()
	s.start(nil, l.environment...)
	s.signIn()
	s.applySession("dev")
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	before := s.stored().Fingerprint()
	s.request("dev")
	s.await("the requested refresh", func() bool { return s.stored().Fingerprint() != before })
	time.Sleep(2 * time.Second) // for it to do what it should not
	if patches := l.saw("PATCH loginsessions/dev/status"); s.aws.Stats().Requests != 1 || patches > 3 {
		t.Errorf("AWS was asked %d times for one request, and the status written %d times", s.aws.Stats().Requests, patches)
	}
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
}

func TestOperatorWorksWithThePreviousCRD(t *testing.T) {
	previousCRD(t).install(t)
	s := newStage(t)
	s.start(nil)
	s.signIn()
	s.applySession("dev")
	s.awaitRotations(3)
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
}

// TestStoredLoginSessionsAreValidForTheOtherVersion: what one CRD has accepted, the
// other does not get in the way of.
func TestStoredLoginSessionsAreValidForTheOtherVersion(t *testing.T) {
	for name, crds := range map[string][2]crd{
		"upgrade":  {previousCRD(t), currentCRD(t)},
		"rollback": {currentCRD(t), previousCRD(t)},
	} {
		t.Run(name, func(t *testing.T) {
			crds[0].install(t)
			s := newStageWith(t, fakeaws.Options{})
			s.aws.AddRole(fakeaws.Role{ARN: role, AllowSourceIdentity: true})
			var names []string
			for _, state := range lasting {
				s.signInAs(person(state.name), state.name+"-login")
				s.applySessionOf(state.name+"-login", state.name, state.specs()...)
				names = append(names, state.name)
			}
			crds[1].replace(t)
			s.start(nil)
			for _, name := range names {
				s.await(name+" is reported", func() bool { return len(s.get(name).Status.Conditions) > 0 })
				s.request(name)
			}
		})
	}
}

// TestStoredLoginSessionsOutliveStricterRules: a rule that a CRD adds holds for what
// is written from then on. What was stored before can still be reported, edited
// elsewhere, suspended and deleted.
func TestStoredLoginSessionsOutliveStricterRules(t *testing.T) {
	currentCRD(t).withoutRules().install(t)
	s := newStageWith(t, fakeaws.Options{})
	s.signIn()
	stored := map[string]struct{ spec, ready string }{
		"region":         {"region: Frankfurt", "Refreshed"},
		"refresh-before": {"refreshBefore: 1h", "Refreshed"},
		"mount-path":     {"target: {mountPath: aws}", "Refreshed"},
		"format":         {"target: {formats: [CredentialProcess, Chiselled]}", "RefreshOverdue"},
		"policy":         {"target: {deletionPolicy: Forget}", "Refreshed"},
		"duration":       {fmt.Sprintf("assumeRole: {roleARN: %q, durationSeconds: 60}", role), "RoleRejected"},
		"role":           {"assumeRole: {roleARN: none}", "RoleRejected"},
		"file":           {"target: {template: {data: {PLAIN: text}}}", "Refreshed"},
	}
	for name, row := range stored {
		s.applySession(name, row.spec)
	}
	currentCRD(t).replace(t)
	s.start(nil)
	for name, row := range stored {
		s.awaitReason(name, "Ready", row.ready)
		for _, patch := range []string{`{"metadata": {"labels": {"a": "b"}}}`, `{"spec": {"suspend": true}}`} {
			s.must(api.Patch(s.ctx, s.get(name), client.RawPatch(types.MergePatchType, []byte(patch))))
		}
		s.must(api.Delete(s.ctx, s.get(name)))
	}
}
