package browser

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
)

const alice = "arn:aws:sts::111122223333:assumed-role/Developer/alice"

// command is a running `kubectl awslogin login` in a namespace of its own.
type command struct {
	*testing.T
	*exec.Cmd
	namespace string
	page      string // where it sends the person
	stdin     io.WriteCloser
	messages  *bufio.Reader
	seen      bytes.Buffer
}

var page = regexp.MustCompile(`^  (http\S+/v1/authorize\S+)$`)

func start(t *testing.T, args ...string) *command {
	t.Helper()
	aws.SetPerson(alice)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "browser-"}}
	c := &command{T: t}
	c.must(api.Create(t.Context(), namespace))
	c.namespace = namespace.Name
	c.Cmd = exec.CommandContext(t.Context(), plugin, append([]string{"--kubeconfig", kubeconfig, "-n", c.namespace, "login"}, args...)...)
	c.Env = append(os.Environ(), "AWS_ENDPOINT_URL_SIGNIN="+awsURL)
	var err error
	c.stdin, err = c.StdinPipe()
	c.must(err)
	stderr, err := c.StderrPipe()
	c.must(err)
	c.messages = bufio.NewReader(io.TeeReader(stderr, &c.seen))
	c.must(c.Start())
	for c.page == "" {
		line, err := c.messages.ReadString('\n')
		c.must(err)
		if match := page.FindStringSubmatch(strings.TrimSuffix(line, "\n")); match != nil {
			c.page = match[1]
		}
	}
	return c
}

func (c *command) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("%v\n%s", err, c.seen.String())
	}
}

// end waits for the command's end.
func (c *command) end() (messages string, err error) {
	_, _ = io.Copy(io.Discard, c.messages)
	err = c.Wait()
	return c.seen.String(), err
}

// browse lets Chromium do something, in good time.
func browse[T any](c *command, action chromedp.Action[T]) T {
	c.Helper()
	ctx, cancel := context.WithTimeout(chromium, 30*time.Second)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	c.must(err)
	return result
}

// decide clicks a button of the consent page, and returns the heading of the page
// that the browser is sent to.
func (c *command) decide(button string) (heading string) {
	c.Helper()
	browse(c, chromedp.Navigate(c.page))
	if person := browse(c, chromedp.Text("#person", chromedp.NodeVisible)); person != alice {
		c.Errorf("%s is asked for consent", person)
	}
	browse(c, chromedp.Steps(chromedp.Click(button), chromedp.WaitNotPresent(button)))
	return browse(c, chromedp.Text("h1", chromedp.NodeVisible))
}

func TestPersonAllowsInTheBrowser(t *testing.T) {
	c := start(t, "--no-browser")
	last := c.decide("#allow")
	messages, err := c.end()
	if err != nil || last != "AWS has signed you in" {
		t.Errorf("the browser ends at %q, and the command with %v:\n%s", last, err, messages)
	}
	session := &v1alpha1.LoginSession{}
	c.must(api.Get(t.Context(), client.ObjectKey{Namespace: c.namespace, Name: "aws"}, session))
	if !meta.IsStatusConditionTrue(session.Status.Conditions, v1alpha1.ReadyCondition) || session.Status.Identity.ARN != alice {
		t.Errorf("the LoginSession is %+v", session.Status)
	}
}

func TestPersonDeniesInTheBrowser(t *testing.T) {
	c := start(t, "--no-browser")
	last := c.decide("#deny")
	messages, err := c.end()
	if err == nil || last != "Not signed in" || !strings.Contains(messages, "error: the sign-in was denied in the browser; nothing was changed in the cluster") {
		t.Errorf("the browser ends at %q, and the command with %v:\n%s", last, err, messages)
	}
	secrets := &corev1.SecretList{}
	c.must(api.List(t.Context(), secrets, client.InNamespace(c.namespace)))
	if len(secrets.Items) > 0 {
		t.Errorf("there are %d Secrets", len(secrets.Items))
	}
}

func TestPersonCarriesTheCodeOver(t *testing.T) {
	c := start(t, "--remote")
	c.decide("#allow")
	_, err := io.WriteString(c.stdin, browse(c, chromedp.Text("#code", chromedp.NodeVisible))+"\n")
	c.must(err)
	if messages, err := c.end(); err != nil || !strings.Contains(messages, "LoginSession aws: Refreshed") {
		t.Errorf("the command ends with %v:\n%s", err, messages)
	}
}
