package node

import (
	"bufio"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const mountedFile = "/var/run/secrets/awslogin.dev/credentials.json"

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("kubectl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// readers has six pods run that mount a Secret, and gives the Secret a first content.
func readers(t *testing.T) {
	t.Helper()
	inside(t)
	kubectl(t, "apply", "-f", "testdata/pods.yaml")
	kubectl(t, "rollout", "status", "deployment/reader", "--timeout=60s")
	awaitService(t)
}

// awaitService waits for kube-proxy, which hears of pods that are ready as others do.
func awaitService(t *testing.T) {
	t.Helper()
	var problem error
	for range 300 {
		response, err := http.Get("http://reader.default.svc")
		if err == nil {
			_ = response.Body.Close()
			return
		}
		problem = err
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal(problem)
}

func TestInsidePodsLiveAsInAnyCluster(t *testing.T) {
	readers(t)
	get := func(url string) []string {
		return []string{"exec", "deployment/reader", "--", "/probe", "get", url}
	}
	for what, test := range map[string]struct {
		args []string
		want string
	}{
		"their logs can be read":                      {[]string{"logs", "deployment/reader"}, "serving"},
		"programs run in them and see mounted files":  {get("http://localhost:8080" + mountedFile), "before"},
		"they reach Services by name":                 {get("http://reader.default.svc" + mountedFile), "before"},
		"they reach the API server with their rights": {get("https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/api"), "APIVersions"},
	} {
		t.Run(what, func(t *testing.T) {
			if got := kubectl(t, test.args...); !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("nothing outside the cluster has a name", func(t *testing.T) {
		out, err := exec.Command("kubectl", get("http://sts.amazonaws.com/")...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "no such host") {
			t.Errorf("got %q, %v", out, err)
		}
	})
}

func TestInsideTheCommandReachesPods(t *testing.T) {
	readers(t)
	t.Run("through a Service", func(t *testing.T) {
		fetch(t, "http://reader.default.svc"+mountedFile)
	})
	t.Run("through kubectl port-forward", func(t *testing.T) {
		fetch(t, forward(t)+mountedFile)
	})
}

func fetch(t *testing.T, url string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != "before" {
		t.Errorf("got %q, %v", got, err)
	}
}

// forward gives the URL under which a pod is reached on this machine.
func forward(t *testing.T) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "kubectl", "port-forward", "deployment/reader", ":8080")
	said, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(line, "Forwarding from "), " ")
	return "http://" + address
}
