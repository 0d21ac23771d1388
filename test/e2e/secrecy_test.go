package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/faultproxy"
)

// canary begins and ends every secret of these tests.
const canary = "CANARY7xQ2"

// formsOf are the ways in which a text may appear in another: as it is, in hex,
// and in base64, where it depends on what stands before it.
func formsOf(text string) []string {
	forms := []string{text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text)))}
	for offset := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", offset) + text))
		forms = append(forms, encoded[4:len(encoded)-4])
	}
	return forms
}

var secrets = schema.GroupResource{Resource: "secrets"}

// indiscreet are answers, by step, of the API server, of admission webhooks and of
// what stands in between that quote what they were sent.
func indiscreet() map[string][]faultproxy.Fault {
	quoted := errors.New("I was sent " + canary)
	invalid := field.ErrorList{field.Invalid(field.NewPath("data").Key("login.json"), canary, "must be "+canary)}
	answers := map[string][]faultproxy.Fault{
		"GET secrets/dev": {
			faultproxy.Answer(apierrors.NewInternalError(quoted)),
			{Status: http.StatusOK, Body: []byte(`{"data": "` + canary + `"`)},
		},
		"GET secrets/login": {
			{Status: http.StatusOK, Body: []byte(`{"data": {"login.json": "` + canary + `"}}`)},
			{Status: http.StatusOK, Body: []byte(canary)},
			{Status: http.StatusBadGateway, Body: []byte("<html>" + canary)},
		},
		"PUT secrets/login": {
			faultproxy.Answer(apierrors.NewForbidden(secrets, "x", quoted)),
			faultproxy.Answer(apierrors.NewForbidden(secrets, "x", errors.New(`admission webhook "w" denied the request: exceeded quota `+canary))),
			faultproxy.Answer(apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "x", invalid)),
		},
		"PUT secrets/dev": {
			faultproxy.Answer(apierrors.NewTooManyRequestsError(quoted.Error())),
			faultproxy.Answer(apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "x", invalid)),
			{Status: http.StatusOK, Body: []byte(`{"data": "` + canary + `"`)},
		},
		"PATCH loginsessions/dev/status": {
			faultproxy.Answer(apierrors.NewForbidden(secrets, canary, quoted)),
			faultproxy.Answer(apierrors.NewConflict(secrets, canary, quoted)),
			{Refuse: true},
		},
	}
	for _, faults := range answers {
		for i := range faults {
			header := http.Header{"Warning": {`299 - "` + canary + `"`}, "Content-Type": {"application/json"}}
			maps.Copy(header, faults[i].Header)
			faults[i].Header = header
		}
	}
	return answers
}

// everyOther lets a step go wrong every other time, so that waits stay short.
func everyOther(step string, faults []faultproxy.Fault) func(string) faultproxy.Fault {
	seen := 0
	return func(next string) faultproxy.Fault {
		if next != step {
			return faultproxy.Fault{}
		}
		if seen++; seen%2 == 0 || seen/2 >= len(faults) {
			return faultproxy.Fault{}
		}
		return faults[seen/2]
	}
}

// unkind are AWS's faults, and answers that quote what was sent.
func unkind() []fakeaws.Fault {
	quoted := []byte(`{"error": "` + canary + `", "message": "` + canary + `", "accessToken": "` + canary + `"}`)
	header := http.Header{"X-Canary": {canary}, "X-Amzn-Requestid": {canary}, "Retry-After": {canary}, "Location": {"http://127.0.0.1:1/" + canary}}
	return []fakeaws.Fault{
		{Status: 400, Type: "ValidationException", Body: quoted, Header: header},
		{Status: 401, Type: canary, Body: quoted, Header: header},
		{Status: 403, Type: "AccessDeniedException", Code: canary, Header: header},
		{Status: 307, Body: quoted, Header: header},
		{Status: 429, Type: "TooManyRequestsError", Body: quoted},
		{Status: 500, Type: "InternalServerException", Body: quoted, Header: header},
		{Status: 200, Body: quoted, Header: header},
		{Status: 200, Body: []byte(canary), Header: http.Header{"Content-Length": {"1000"}}},
		fakeaws.LostReply(), fakeaws.LostRequest(), fakeaws.ServerError(), fakeaws.Rejected(), fakeaws.ExpiresIn(0), fakeaws.ExpiresIn(1),
	}
}

// unkindSTS is the same of AWS STS.
func unkindSTS() []fakeaws.Fault {
	quoted := []byte("<ErrorResponse><Error><Code>" + canary + "</Code><Message>" + canary + "</Message></Error></ErrorResponse>")
	header := http.Header{"X-Amzn-Requestid": {canary}, "Retry-After": {canary}}
	return []fakeaws.Fault{
		{Status: 403, Code: "AccessDenied", Message: "not authorized to perform: sts:AssumeRole on " + canary, Header: header},
		{Status: 400, Code: "ValidationError", Message: canary, Header: header},
		{Status: 400, Code: canary, Message: canary},
		{Status: 503, Body: quoted, Header: header},
		{Status: 200, Body: quoted},
		{Status: 200, Body: []byte(canary), Header: http.Header{"Content-Length": {"1000"}}},
		fakeaws.LostReply(), fakeaws.ExpiresIn(0),
	}
}

func TestNoSecretLeavesItsSecret(t *testing.T) {
	s := newStageWith(t, fakeaws.Options{CredentialLifetime: lifetime, RoleLifetime: lifetime, Canary: canary})
	s.aws.AddRole(fakeaws.Role{ARN: role, AllowSourceIdentity: true})
	l := s.newLine()
	metrics := freeAddress(t)
	p := s.start([]string{"--zap-log-level=9", "--zap-devel", "--metrics-bind-address=" + metrics}, l.environment...)
	s.signIn()
	const formats = "formats: [CredentialProcess, LoginCache, Environment, SharedCredentials]"
	for _, prying := range []string{"{{range .SecretAccessKey}}{{end}}", "{{.SessionToken.X}}", strings.Repeat("{{.SessionToken}}", 450)} {
		s.applySession("dev", "target: {"+formats+`, template: {data: {a.txt: "{{.SessionToken}}", b.txt: "`+prying+`"}}}`)
		s.awaitReady("dev", metav1.ConditionFalse, "TemplateInvalid")
		s.applySession("dev", `target: {`+formats+`, template: {data: {a.txt: "{{.SessionToken}}"}}}`)
		s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	}

	for i, fault := range unkindSTS() {
		s.aws.InjectSTS(fault)
		s.applySession("role", fmt.Sprintf("assumeRole: {roleARN: %q, sessionName: another-%d}", role, i)) // is asked for at once
		s.await("AWS STS has been unkind", func() bool { return s.aws.Stats().STSFaults == i+1 })
	}
	s.awaitReady("role", metav1.ConditionTrue, "Refreshed")
	s.aws.Inject(unkind()...)
	s.await("AWS has been unkind", func() bool { return s.aws.Stats().Faults == len(unkind()) })
	for step, faults := range indiscreet() {
		l.Forget()
		l.Judge(everyOther(step, faults))
		s.await("every answer to "+step+" was indiscreet", func() bool {
			s.touch("dev") // so that it is read
			return l.saw(step) >= 2*len(faults)
		})
	}
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	for _, broken := range []string{canary, `{"accessToken": {"secretAccessKey": "` + canary, `{"refreshToken": "` + canary + `"}`} {
		s.store("login", map[string][]byte{"a.json": []byte(broken)})
		s.awaitReady("dev", metav1.ConditionFalse, "LoginCacheInvalid")
	}
	s.must(api.Delete(s.ctx, s.secret("login")))
	s.signIn()
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	s.aws.EndSession(alice)
	s.awaitReady("dev", metav1.ConditionFalse, "ReloginRequired")
	s.expectDiscretion(p, metrics)
}

// touch changes something of a Secret that is nobody's business.
func (s *stage) touch(name string) {
	s.Helper()
	patch := fmt.Appendf(nil, `{"metadata": {"annotations": {"touched": "%d"}}}`, time.Now().UnixNano())
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	s.must(api.Patch(s.ctx, secret, client.RawPatch(types.MergePatchType, patch)))
}

// expectDiscretion searches all that the operator tells, and crashes it for that.
func (s *stage) expectDiscretion(p *process, metrics string) {
	s.Helper()
	told := map[string]string{}
	for _, url := range []string{metrics + "/metrics", metrics + "/nothing", metrics + "/debug/pprof/heap", p.probes + "/healthz?verbose", p.probes + "/readyz?verbose"} {
		told[url] = get(s.T, "http://"+url)
	}
	p.stop(syscall.SIGQUIT) // prints every goroutine
	told["log"] = p.output.String()
	var sessions v1alpha1.LoginSessionList
	var events eventsv1.EventList
	s.must(api.List(s.ctx, &sessions, client.InNamespace(s.namespace)))
	s.must(api.List(s.ctx, &events, client.InNamespace(s.namespace)))
	told["status"], told["events"] = asJSON(s.T, sessions), asJSON(s.T, events)
	told["metadata of Secrets"] = asJSON(s.T, []metav1.ObjectMeta{s.secret("login").ObjectMeta, s.secret("dev").ObjectMeta, s.secret("role").ObjectMeta})
	if !strings.Contains(told["log"], "refreshing") || !strings.Contains(told["log"], "goroutine ") || !strings.Contains(told["events"], "ReloginRequired") ||
		!strings.Contains(told["events"], "RoleDenied") {
		s.Fatalf("the test sees too little: log of %d bytes", len(told["log"]))
	}
	if strings.Contains(told["log"], `"body"`) {
		s.Error("the log has bodies of requests, which are Secrets'")
	}
	for place, text := range told {
		for _, form := range formsOf(canary) {
			if i := strings.Index(text, form); i >= 0 {
				s.Errorf("a secret is told in the %s: ...%s", place, text[max(0, i-200):i+len(form)])
			}
		}
	}
}

func TestSecretsOfTheseTestsCanBeFound(t *testing.T) {
	login := fakeaws.New(fakeaws.Options{Canary: canary}).Login(alice)
	found := 0
	for _, form := range formsOf(canary) {
		found += strings.Count(string(login.Cache())+asJSON(t, corev1.Secret{Data: map[string][]byte{"a": login.Cache()}}), form)
	}
	if found < 12 {
		t.Errorf("only %d traces of the secrets in a login cache were found", found)
	}
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
