package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
)

// secretsOf collects what may not leave a Secret: long strings of its JSON files.
func secretsOf(secret *corev1.Secret) []string {
	var found []string
	for _, data := range secret.Data {
		var file map[string]any
		if json.Unmarshal(data, &file) != nil {
			continue
		}
		if token, ok := file["accessToken"].(map[string]any); ok {
			found = append(found, token["secretAccessKey"].(string), token["sessionToken"].(string))
		}
		for _, field := range []string{"refreshToken", "idToken"} {
			if text, ok := file[field].(string); ok {
				found = append(found, text)
			}
		}
		if key, ok := file["dpopKey"].(string); ok {
			found = append(found, strings.Split(key, "\n")[1])
		}
	}
	return found
}

func TestNoSecretLeavesItsSecret(t *testing.T) {
	s := newStage(t)
	metrics := freeAddress(t)
	p := s.start([]string{"--zap-log-level=9", "--metrics-bind-address=" + metrics})
	s.signIn()
	s.applySession("dev", "target: {formats: [CredentialProcess, LoginCache, Environment, SharedCredentials]}")
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	secrets := map[string]bool{}
	remember := func() {
		for _, text := range append(secretsOf(s.secret("login")), secretsOf(s.secret("dev"))...) {
			secrets[text] = true
		}
	}
	remember()
	// Faults whose answers quote what was sent.
	quoted := []byte(fmt.Sprintf(`{"error": "INVALID_REQUEST", "message": %q}`, secretsOf(s.secret("login"))))
	s.aws.Inject(
		fakeaws.Fault{Status: 400, Type: "ValidationException", Body: quoted}, fakeaws.Fault{Status: 500, Body: quoted},
		fakeaws.Fault{Status: 200, Body: quoted}, fakeaws.LostReply(), fakeaws.ServerError())
	s.await("all faults happened", func() bool { remember(); return s.aws.Stats().Faults == 5 })
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	s.aws.EndSession(alice)
	s.awaitReady("dev", metav1.ConditionFalse, "ReloginRequired")
	remember()

	told := map[string]string{"metrics": get(t, "http://"+metrics+"/metrics")}
	p.stop(syscall.SIGQUIT) // a crash prints every goroutine
	told["log"] = p.output.String()
	var sessions v1alpha1.LoginSessionList
	var events eventsv1.EventList
	s.must(api.List(s.ctx, &sessions, client.InNamespace(s.namespace)))
	s.must(api.List(s.ctx, &events, client.InNamespace(s.namespace)))
	told["status"], told["events"] = asJSON(t, sessions), asJSON(t, events)
	told["metadata of Secrets"] = asJSON(t, []metav1.ObjectMeta{s.secret("login").ObjectMeta, s.secret("dev").ObjectMeta})
	if len(secrets) < 10 || !strings.Contains(told["log"], "refreshing") || !strings.Contains(told["events"], "ReloginRequired") {
		t.Fatalf("the test sees too little: %d secrets, log of %d bytes", len(secrets), len(told["log"]))
	}
	if strings.Contains(told["log"], `"body"`) {
		t.Error("the log has bodies of requests, which are Secrets'")
	}
	for place, text := range told {
		for secret := range secrets {
			for _, form := range formsOf(secret) {
				if strings.Contains(text, form) {
					t.Errorf("the %s tell a secret: %s...", place, form[:12])
				}
			}
		}
	}
}

// formsOf are a secret's beginning and end as they are, and as they look in the
// base64 of something longer, which depends on where in it they stand.
func formsOf(secret string) []string {
	var forms []string
	for _, part := range []string{secret[:min(len(secret), 32)], secret[max(0, len(secret)-32):]} {
		forms = append(forms, part)
		for offset := range 3 {
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", offset) + part))
			forms = append(forms, encoded[4:len(encoded)-4])
		}
	}
	return forms
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
