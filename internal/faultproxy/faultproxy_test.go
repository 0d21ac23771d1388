package faultproxy

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// try sends one request and tells what the server did and the client saw.
func try(t *testing.T, fault func(note func(string)) Fault) (story []string) {
	t.Helper()
	note := func(text string) { story = append(story, text) }
	proxy := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note("served")
		w.Header().Set("X-From", "server")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "hello")
	}))
	proxy.Judge(func(*http.Request) Fault { return fault(note) })
	front := httptest.NewServer(proxy)
	reply := replyOf(t, front.URL)
	front.Close() // when the server has done all it does
	return append(story, reply)
}

func replyOf(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Post(url, "text/plain", strings.NewReader("x")) // a POST is not sent again
	if err != nil {
		return "no reply"
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.Status + " " + response.Header.Get("X-From") + " " + string(body)
}

func TestFaults(t *testing.T) {
	for name, row := range map[string]struct {
		fault func(note func(string)) Fault
		want  []string
	}{
		"none": {
			func(func(string)) Fault { return Fault{} }, []string{"served", "201 Created server hello"},
		},
		"a request that never arrives": {
			func(func(string)) Fault { return Fault{Refuse: true} }, []string{"no reply"},
		},
		"a reply that is lost": {
			func(func(string)) Fault { return Fault{Lose: true} }, []string{"served", "no reply"},
		},
		"another answer": {
			func(func(string)) Fault {
				return Fault{Status: 429, Header: http.Header{"X-From": {"proxy"}}, Body: []byte("later")}
			}, []string{"429 Too Many Requests proxy later"},
		},
		"something in between": {
			func(note func(string)) Fault {
				return Fault{Before: func() { note("before") }, After: func() { note("after") }}
			}, []string{"before", "served", "after", "201 Created server hello"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := try(t, row.fault); !slices.Equal(got, row.want) {
				t.Errorf("what happened is %q, want %q", got, row.want)
			}
		})
	}
}

func TestAnswerIsTheAPIServers(t *testing.T) {
	fault := Answer(apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, "login", errors.New("changed")))
	body := string(fault.Body)
	if fault.Status != http.StatusConflict || !strings.Contains(body, `"reason":"Conflict"`) || !strings.Contains(body, `"kind":"Status","apiVersion":"v1"`) {
		t.Errorf("fault is %d %s", fault.Status, fault.Body)
	}
}

func TestStepsHaveShortNames(t *testing.T) {
	for request, want := range map[string]string{
		"PUT /api/v1/namespaces/a/secrets/login":                                  "PUT secrets/login",
		"PATCH /apis/awslogin.dev/v1alpha1/namespaces/a/loginsessions/dev/status": "PATCH loginsessions/dev/status",
		"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews":             "POST selfsubjectaccessreviews",
		"POST /apis/events.k8s.io/v1/namespaces/a/events":                         "POST events",
		"GET /api/v1/namespaces/a/secrets?watch=true":                             "WATCH secrets",
		"POST /v1/token": "POST v1/token",
		"POST /":         "POST ",
	} {
		method, url, _ := strings.Cut(request, " ")
		if got := Step(httptest.NewRequest(method, url, nil)); got != want {
			t.Errorf("%s is called %q, want %q", request, got, want)
		}
	}
}

func TestLineKnowsItsSteps(t *testing.T) {
	proxy := New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	line := &Line{}
	line.Lay(proxy)
	front := httptest.NewServer(proxy)
	defer front.Close()
	status := func() int {
		response, err := http.Post(front.URL+"/v1/token", "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	line.Judge(Once("POST v1/token", Fault{Status: 500}))
	if first, second := status(), status(); first != 500 || second != 200 {
		t.Errorf("the answers are %d and %d", first, second)
	}
	if steps := line.Steps(); !slices.Equal(steps, []string{"POST v1/token", "POST v1/token"}) {
		t.Errorf("steps are %q", steps)
	}
	if line.Forget(); len(line.Steps()) > 0 {
		t.Error("nothing is forgotten")
	}
}
