// Package faultproxy stands between a program and an HTTP server (the Kubernetes
// API server, AWS) and lets go wrong what can go wrong on the way: a request that
// never arrives, a reply that is lost, an error in its place, a wait, or anything
// else that happens at that very moment. It is for tests.
package faultproxy

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Fault is what happens to one request. The zero value is nothing; the fields
// combine, in their order.
type Fault struct {
	// Before runs when the request has arrived and is not passed on yet.
	Before func()
	// Refuse closes the connection before the request is passed on.
	Refuse bool
	// Status is answered instead of passing the request on, with Header and Body.
	Status int
	Header http.Header
	Body   []byte
	// After runs when the server has done its work and the reply is not passed on yet.
	After func()
	// Lose closes the connection in place of the reply.
	Lose bool
}

// Answer is the fault that the API server would answer with this error.
func Answer(err *apierrors.StatusError) Fault {
	status := err.Status()
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"} // or no client reads it
	body, _ := json.Marshal(status)                                     // plain data
	return Fault{Status: int(status.Code), Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// Proxy passes requests on as far as its judge lets it.
type Proxy struct {
	next http.Handler

	mutex sync.Mutex
	judge func(*http.Request) Fault
}

// New stands in front of a handler in the same process.
func New(next http.Handler) *Proxy { return &Proxy{next: next} }

// NewKubernetes stands in front of an API server and speaks to it as the user of
// the config, whoever asks.
func NewKubernetes(config *rest.Config) (*Proxy, error) {
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	return New(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}), nil
}

// Judge sets who decides about requests from now on; nil lets all pass.
func (p *Proxy) Judge(judge func(*http.Request) Fault) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.judge = judge
}

func (p *Proxy) faultOf(r *http.Request) Fault {
	p.mutex.Lock()
	judge := p.judge
	p.mutex.Unlock()
	if judge == nil {
		return Fault{}
	}
	return judge(r)
}

// ServeHTTP implements http.Handler. A watch is passed on as it comes: After and
// Lose are not for it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := p.faultOf(r)
	if fault.Before != nil {
		fault.Before()
	}
	switch {
	case fault.Refuse:
		panic(http.ErrAbortHandler) // how a handler asks net/http to close the connection
	case fault.Status != 0:
		reply(w, fault.Header, fault.Status, fault.Body)
		return
	case fault.After == nil && !fault.Lose:
		p.next.ServeHTTP(w, r)
		return
	}
	recorded := httptest.NewRecorder()
	p.next.ServeHTTP(recorded, r)
	if fault.After != nil {
		fault.After()
	}
	if fault.Lose {
		panic(http.ErrAbortHandler)
	}
	reply(w, recorded.Header(), recorded.Code, recorded.Body.Bytes())
}

func reply(w http.ResponseWriter, header http.Header, status int, body []byte) {
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	w.Write(body) // a client that has gone away cannot be told
}

var namespaced = regexp.MustCompile(`^/apis?/.*?/namespaces/[^/]+/|^/apis?/([^/]+/)?v1/|^/`)

// Step names a request as tables of faults do: "PUT secrets/login", for a watch
// "WATCH secrets", for AWS "POST v1/token".
func Step(r *http.Request) string {
	verb := r.Method
	if r.URL.Query().Get("watch") != "" {
		verb = "WATCH"
	}
	return verb + " " + namespaced.ReplaceAllString(r.URL.Path, "")
}
