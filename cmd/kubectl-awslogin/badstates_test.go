package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/faultproxy"
)

// badState is what can be wrong with a login. It ends with a message, and leaves
// everything in the cluster as it was.
type badState struct {
	prepare func(*shell)
	args    []string
	input   string
	browse  func(s *shell, page string) // nil: no page may be opened
	want    string
}

func TestNothingIsOpenedThatCannotBeStored(t *testing.T) {
	testBadStates(t, map[string]badState{
		"the operator is not installed": {
			prepare: func(s *shell) { s.behindProxy(notInstalled) },
			want:    "the cluster does not know LoginSession: install the operator first",
		},
		"the cluster is not there": {
			prepare: func(s *shell) { s.useCluster("http://127.0.0.1:1") },
			want:    "the cluster cannot be reached: ",
		},
		"the namespace does not exist": {
			prepare: func(s *shell) { s.namespace = "nowhere" },
			want:    `namespaces "nowhere" not found`,
		},
		"the person may not read in the namespace": {
			prepare: func(s *shell) { s.becomeUser() },
			want:    "cannot list resource \"loginsessions\" in API group \"awslogin.dev\" in the namespace",
		},
		"the person may not create Secrets": {
			prepare: func(s *shell) { s.becomeUser(mayRead, mayCreate("awslogin.dev", "loginsessions")) },
			want:    "cannot create resource \"secrets\" in API group \"\" in the namespace",
		},
		"the person may not create LoginSessions": {
			prepare: func(s *shell) { s.becomeUser(mayRead, mayCreate("", "secrets")) },
			want:    "cannot create resource \"loginsessions\" in API group \"awslogin.dev\" in the namespace",
		},
		"the name is none of a LoginSession": {
			args: []string{strings.Repeat("a", 64)},
			want: "metadata.name must be at most 63 characters",
		},
		"several LoginSessions to choose from": {
			prepare: func(s *shell) { s.createSession("dev"); s.createSession("prod") },
			want:    ": name one of dev, prod",
		},
		"the Secret for the login has something else": {
			prepare: func(s *shell) { s.createSecret("aws-login", map[string][]byte{"password": []byte("x")}) },
			want:    "error: what is in Secret aws-login is not replaced: it exists and holds something else than a login cache: choose another with --secret",
		},
		"the Secret for the login has another type": {
			prepare: func(s *shell) {
				s.createSecret("aws-login", map[string][]byte{".dockercfg": []byte("{}")}, func(secret *corev1.Secret) { secret.Type = corev1.SecretTypeDockercfg })
			},
			want: "it is of type kubernetes.io/dockercfg",
		},
		"the Secret for the login is a target": {
			args: []string{"--secret", "dev"},
			prepare: func(s *shell) {
				s.createSecret("dev", nil, func(secret *corev1.Secret) {
					secret.Labels = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}
				})
			},
			want: "it is the target Secret of a LoginSession",
		},
		"the Secret for the login is immutable": {
			prepare: func(s *shell) {
				s.createSecret("aws-login", nil, func(secret *corev1.Secret) { secret.Immutable = ptr.To(true) })
			},
			want: "it is immutable",
		},
		"the Secret for the login belongs to a controller": {
			prepare: func(s *shell) {
				s.createSecret("aws-login", nil, func(secret *corev1.Secret) {
					secret.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "SealedSecret", Name: "x", UID: "u", Controller: ptr.To(true)}}
				})
			},
			want: "it belongs to SealedSecret x",
		},
		"the Secret has several logins": {
			prepare: func(s *shell) {
				s.createSecret("dev-login", map[string][]byte{"a.json": aLogin(), "b.json": aLogin()})
				s.createSession("dev")
			},
			want: "it has several keys that end in .json: name one in spec.loginCacheSecretRef.key",
		},
		"the LoginSession has another Secret": {
			prepare: func(s *shell) { s.createSession("dev") },
			args:    []string{"--secret", "other"},
			want:    "LoginSession dev has its login cache in Secret dev-login: leave --secret out",
		},
		"the target's name is taken": {
			prepare: func(s *shell) { s.createSecret("aws", nil) },
			want:    "the LoginSession would publish in Secret aws, which exists and is not its own: choose another NAME",
		},
		"the LoginSession has another region": {
			prepare: func(s *shell) {
				s.createSession("dev", func(session *v1alpha1.LoginSession) { session.Spec.SignInRegion = "eu-west-1" })
			},
			args: []string{"--region", "us-east-1"},
			want: "LoginSession dev signs in in eu-west-1 (spec.signInRegion), and this would be a login in us-east-1",
		},
		"a region that is none": {
			args: []string{"--region", "evil.example.com/"},
			want: `"evil.example.com/" is not the name of an AWS region`,
		},
		"an endpoint that would get tokens in the clear": {
			prepare: func(s *shell) { s.Setenv("AWS_ENDPOINT_URL_SIGNIN", "http://example.com") },
			want:    "AWS_ENDPOINT_URL_SIGNIN: endpoint http://example.com would receive refresh tokens unencrypted",
		},
		"a port that is in use": {
			args: []string{"--port", busyPort(t)},
			want: "of 127.0.0.1 is in use: choose another, or none to get a free one; nothing was changed in the cluster",
		},
	})
}

func TestSignInsThatFail(t *testing.T) {
	allow := func(s *shell, page string) { s.consent(page, "allow") }
	testBadStates(t, map[string]badState{
		"denied in the browser": {
			browse: func(s *shell, page string) { s.consent(page, "deny") },
			want:   "the sign-in was denied in the browser; nothing was changed in the cluster",
		},
		"an answer to another sign-in": {
			browse: func(s *shell, page string) { _, err := http.Get(callbackOf(page) + "?code=x&state=y"); s.must(err) },
			want:   "the answer belongs to another sign-in than this one: close other sign-in pages and try again; nothing",
		},
		"nobody comes": {
			args:   []string{"--timeout", "1ms"},
			browse: func(*shell, string) {},
			want:   "nobody signed in within 1ms: try again, with a longer --timeout or with --remote; nothing",
		},
		"the code has expired": {
			prepare: func(s *shell) { s.newAWS().Inject(fakeaws.Denied("AUTHCODE_EXPIRED")) },
			browse:  allow,
			want:    "the code from the browser has expired: try again (AWS Sign-In answered HTTP 401, AUTHCODE_EXPIRED",
		},
		"IAM denies it": {
			prepare: func(s *shell) { s.newAWS().DenyRefresh(alice) },
			browse:  allow,
			want:    "IAM does not let you sign in: ask for the managed policy SignInLocalDevelopmentAccess (",
		},
		"AWS rejects the code": {
			prepare: func(s *shell) { s.newAWS().Inject(fakeaws.Rejected()) },
			browse:  allow,
			want:    "AWS rejects the sign-in: try again, or in another --region (",
		},
		"AWS is in trouble": {
			prepare: func(s *shell) { s.newAWS().Inject(fakeaws.ServerError()) },
			browse:  allow,
			want:    "AWS did not give credentials: try again later (",
		},
		"an account's root user": {
			prepare: func(*shell) { aws.SetPerson("arn:aws:iam::111122223333:root") },
			browse:  allow,
			want:    "sign in as another, or allow it with --allow-root; nothing",
		},
		"another person, and nobody to ask": {
			prepare: func(s *shell) { s.must(s.run("", "login", "--no-browser").err); aws.SetPerson(bob) },
			browse:  allow,
			want:    "nobody is there to confirm it: run the command again with --yes; nothing",
		},
		"another person, which is a mistake": {
			prepare: func(s *shell) { s.must(s.run("", "login", "--no-browser").err); aws.SetPerson(bob) },
			browse:  allow,
			input:   "n\n",
			want:    "not confirmed; nothing",
		},
		"a code that is cut short": {
			args:   []string{"--remote"},
			browse: func(*shell, string) {},
			input:  "c3RhdGU9\n",
			want:   "the answer belongs to another sign-in than this one",
		},
		"a code that is something else": {
			args:   []string{"--remote"},
			browse: func(*shell, string) {},
			input:  "what?\n",
			want:   "what was pasted is not the code that the page shows: copy all of it; nothing",
		},
		"a policy of the cluster that quotes what it refuses": {
			prepare: func(s *shell) { s.refuseSecretsThatAreLogins() },
			browse:  allow,
			want:    "store the login in Secret aws-login: secrets \"aws-login\" is forbidden: ValidatingAdmissionPolicy 'no-logins' refused it",
		},
		"a LoginSession that cannot be created after all": {
			prepare: func(s *shell) { s.behindProxy(failingAfterwards()) },
			browse:  allow,
			want:    "create LoginSession aws: ",
		},
	})
}

func testBadStates(t *testing.T, tests map[string]badState) {
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			if tt.prepare != nil {
				tt.prepare(s)
			}
			opened := false
			s.browse = func(page string) {
				if opened = true; tt.browse != nil {
					tt.browse(s, page)
					return
				}
				s.consent(page, "deny") // it must not come to that
			}
			before := s.inventory()
			r := s.run(tt.input, append([]string{"login", "--no-browser"}, tt.args...)...)
			if r.err == nil || !strings.Contains(r.messages, "error: ") || !strings.Contains(r.messages, tt.want) {
				t.Errorf("said:\n%s\nwant: %s", r.messages, tt.want)
			}
			if opened != (tt.browse != nil) {
				t.Errorf("a page was opened: %t", opened)
			}
			if after := s.inventory(); after != before {
				t.Errorf("in the namespace was\n%s\nand is\n%s", before, after)
			}
			if r.output != "" {
				t.Errorf("printed:\n%s", r.output)
			}
		})
	}
}

func TestInterruptedQuestion(t *testing.T) {
	s := newShell(t)
	s.must(s.run("", "login", "--no-browser").err)
	aws.SetPerson(bob)
	ctx, interrupt := context.WithCancel(t.Context())
	before := s.inventory()
	r := s.runContext(ctx, reader(func([]byte) (int, error) { interrupt(); select {} }), "login", "--no-browser")
	if !strings.Contains(r.messages, "[y/N] \nerror: interrupted; nothing was changed in the cluster") || s.inventory() != before {
		t.Errorf("said:\n%s", r.messages)
	}
}

func TestInterruptedSignIn(t *testing.T) {
	for name, args := range map[string][]string{"in the browser": {"--no-browser"}, "at the prompt": {"--remote"}} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			ctx, interrupt := context.WithCancel(t.Context())
			s.browse = func(string) { interrupt() }
			before := s.inventory()
			r := s.runContext(ctx, reader(func([]byte) (int, error) { select {} }), append([]string{"login"}, args...)...)
			if !strings.Contains(r.messages, "error: interrupted; nothing was changed in the cluster") || s.inventory() != before {
				t.Errorf("said:\n%s", r.messages)
			}
		})
	}
}

// reader is a terminal.
type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// inventory has names and versions of all that a login may touch.
func (s *shell) inventory() string {
	s.Helper()
	var lines []string
	secrets, sessions := &corev1.SecretList{}, &v1alpha1.LoginSessionList{}
	s.must(api.List(s.Context(), secrets, client.InNamespace(s.namespace)))
	s.must(api.List(s.Context(), sessions, client.InNamespace(s.namespace)))
	for _, secret := range secrets.Items {
		lines = append(lines, fmt.Sprintf("Secret %s %s", secret.Name, secret.ResourceVersion))
	}
	for _, session := range sessions.Items {
		lines = append(lines, fmt.Sprintf("LoginSession %s %d", session.Name, session.Generation))
	}
	return strings.Join(lines, "\n")
}

// newAWS is another AWS for this person, with faults that are theirs alone.
func (s *shell) newAWS() *fakeaws.Server {
	own := fakeaws.New(fakeaws.Options{Canary: canary})
	own.SetPerson(alice)
	server := httptest.NewServer(own)
	s.Cleanup(server.Close)
	s.Setenv("AWS_ENDPOINT_URL_SIGNIN", server.URL)
	return own
}

// callbackOf is where AWS would send the browser back to.
func callbackOf(page string) string {
	parsed, err := url.Parse(page)
	if err != nil {
		panic(err)
	}
	return parsed.Query().Get("redirect_uri")
}

func busyPort(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func (s *shell) behindProxy(judge func(*http.Request) faultproxy.Fault) {
	proxy, err := faultproxy.NewKubernetes(environment.Config)
	s.must(err)
	proxy.Judge(judge)
	server := httptest.NewServer(proxy)
	s.Cleanup(server.Close)
	s.useCluster(server.URL)
}

func (s *shell) useCluster(url string) {
	s.useKubeconfig([]byte(fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: x}}], clusters: [{name: x, cluster: {server: %q}}]}", url)))
}

func (s *shell) useKubeconfig(content []byte) {
	s.kubeconfig = filepath.Join(s.TempDir(), "kubeconfig")
	s.must(os.WriteFile(s.kubeconfig, content, 0o600))
}

// notInstalled answers as an API server that knows no other kinds than its own.
func notInstalled(r *http.Request) faultproxy.Fault {
	switch {
	case r.URL.Path == "/apis":
		return faultproxy.Fault{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
			Body: []byte(`{"kind": "APIGroupList", "apiVersion": "v1", "groups": []}`)}
	case strings.HasPrefix(r.URL.Path, "/apis/awslogin.dev"):
		return faultproxy.Fault{Status: http.StatusNotFound, Body: []byte("404 page not found\n")}
	}
	return faultproxy.Fault{}
}

// failingAfterwards lets a rehearsal pass.
func failingAfterwards() func(r *http.Request) faultproxy.Fault {
	return func(r *http.Request) faultproxy.Fault {
		if faultproxy.Step(r) == "POST loginsessions" && r.URL.Query().Get("dryRun") == "" {
			return faultproxy.Answer(apierrors.NewInternalError(fmt.Errorf("etcd is full")))
		}
		return faultproxy.Fault{}
	}
}

// becomeUser is a person of this cluster with these rights in the namespace.
func (s *shell) becomeUser(rights ...right) {
	s.Helper()
	name := "user-" + s.namespace
	user, err := environment.AddUser(envtest.User{Name: name, Groups: []string{"system:authenticated"}}, nil)
	s.must(err)
	config, err := user.KubeConfig()
	s.must(err)
	s.useKubeconfig(config)
	s.grant(name, rights...)
}
