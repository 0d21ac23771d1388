package injection_test

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestPodIsRefused(t *testing.T) {
	const (
		plain   = "containers: [{name: app}]"
		unknown = ", which label awslogin.dev/inject names: create it or correct the label; if it was created just now, try again"
		formats = "label awslogin.dev/inject-format must be CredentialProcess, LoginCache or SharedCredentials, not "
		clash   = "volume 'awslogin' is not Secret 'dev', to which LoginSession 'dev' publishes: rename or remove the volume"

		environmentOnly = "LoginSession 'environment' publishes format Environment only, which cannot be injected because variables of a " +
			"running container never change: add CredentialProcess or LoginCache to its spec.target.formats"
	)
	for _, row := range []struct {
		name   string
		labels map[string]string
		spec   string
		want   string
	}{
		{"that names no LoginSession", labels("nobody"), plain, "namespace 'data' has no LoginSession 'nobody'" + unknown},
		{"that names nothing", labels(""), plain, "namespace 'data' has no LoginSession ''" + unknown},
		{"that names a LoginSession of another namespace", labels("theirs"), plain, "namespace 'data' has no LoginSession 'theirs'" + unknown},
		{"that names no LoginSession and a format", labels("nobody", "none"), plain, "namespace 'data' has no LoginSession 'nobody'" + unknown},

		{"whose format is none", labels("dev", "credentialprocess"), plain, formats + "'credentialprocess'"},
		{"whose format is empty", labels("dev", ""), plain, formats + "''"},
		{"whose format is published and cannot be injected", labels("static", "Environment"), plain, formats + "'Environment'"},
		{"whose format is not published", labels("dev", "SharedCredentials"), plain,
			"LoginSession 'dev' does not publish format SharedCredentials: add it to its spec.target.formats, " +
				"or set label awslogin.dev/inject-format to CredentialProcess or LoginCache"},
		{"whose format is not published where only one is", labels("distroless", "CredentialProcess"), plain,
			"LoginSession 'distroless' does not publish format CredentialProcess: add it to its spec.target.formats, " +
				"or set label awslogin.dev/inject-format to LoginCache"},
		{"for which nothing that can be injected is published", labels("environment"), plain, environmentOnly},
		{"nor the format that it asks for", labels("environment", "LoginCache"), plain, environmentOnly},

		{"that has another Secret as the volume", labels("dev"),
			"{volumes: [{name: awslogin, secret: {secretName: custom}}], containers: [{name: app}]}", clash},
		{"that has something else as the volume", labels("dev"),
			"{volumes: [{name: awslogin, emptyDir: {}}], containers: [{name: app}]}", clash},
	} {
		t.Run(row.name, func(t *testing.T) {
			pod := podOf(row.spec)
			pod.Labels = row.labels
			_, err := dryRun(t.Context(), pod)
			if !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), " denied request: "+row.want) {
				t.Errorf("got  %v\nwant %s", err, row.want)
			}
		})
	}
}
