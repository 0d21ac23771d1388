package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"

	"awslogin.dev/operator/internal/controlplane"
)

func TestChartRenders(t *testing.T) {
	for _, row := range []struct {
		name, values string
		want         []string
		unwanted     string
	}{
		{"the image of its version from a registry of one's own", "image: {registry: 'registry.example.com:5000', repository: mirror/operator}",
			[]string{"image: registry.example.com:5000/mirror/operator:unknown\n"}, "imagePullPolicy"},
		{"an image by its digest", "image: {tag: v1, digest: 'sha256:" + strings.Repeat("0", 64) + "'}",
			[]string{"image: ghcr.io/awslogin-dev/aws-login-operator@sha256:" + strings.Repeat("0", 64) + "\n"}, ":v1"},
		{"a proxy, through which the API server is not reached", "proxy: {url: 'http://proxy:3128', noProxy: [.svc]}",
			[]string{"- name: HTTPS_PROXY\n          value: http://proxy:3128\n", "- name: NO_PROXY\n          value: $(KUBERNETES_SERVICE_HOST),.svc\n"}, ""},
		{"certificates in a ConfigMap", "caBundle: {name: ca, key: bundle.pem}",
			[]string{"value: /etc/aws-login-operator/bundle.pem\n", "mountPath: /etc/aws-login-operator\n", "configMap:\n          name: \"ca\"\n", "path: \"bundle.pem\"\n"}, `secretName: "ca"`},
		{"certificates in a Secret", "caBundle: {name: ca, kind: Secret}",
			[]string{"value: /etc/aws-login-operator/ca.crt\n", "secret:\n          secretName: \"ca\"\n", "path: \"ca.crt\"\n"}, "configMap:"},
		{"names that YAML takes for something else", "{priorityClassName: 'yes', caBundle: {name: '123', kind: Secret, key: 'on'}}",
			[]string{`instance: "blue"`, `priorityClassName: "yes"`, `secretName: "123"`, `key: "on"`, `path: "on"`}, ""},
		{"a selector that looks like a switch", "watchLabelSelector: 'true'", []string{`- "--watch-label-selector=true"`}, ""},
		{"variables of one's own in place of the operator's", "{proxy: {url: 'http://proxy:3128'}, extraEnv: [{name: GOMEMLIMIT, value: 1GiB}, {name: HTTPS_PROXY, value: 'http://other'}]}",
			[]string{"env:\n        - name: NO_PROXY\n          value: $(KUBERNETES_SERVICE_HOST)\n        - name: GOMEMLIMIT\n          value: 1GiB\n        - name: HTTPS_PROXY\n          value: http://other\n        ports:"}, ""},
		{"a default container of one's own", "podAnnotations: {kubectl.kubernetes.io/default-container: mesh}",
			[]string{"default-container: mesh\n"}, "default-container: operator"},
		{"a label once that is the dashboard's too", "{commonLabels: {team: data}, dashboard: {enabled: true, labels: {team: web}}}",
			[]string{"team: data\n"}, "team: web"},
		{"no flag for what is not set", "{}", []string{"args:\n        - --leader-elect\n        env:\n"}, ""},
		{"zero where it is not the default", "{signInQPS: 0, sessionEndWarning: '0'}", []string{`- "--sign-in-qps=0"`, `- "--session-end-warning=0"`}, ""},
		{"lists as flags have them", "allowedAccounts: ['111122223333', '444455556666']", []string{`- "--allowed-accounts=111122223333,444455556666"`}, ""},
		{"alerts whose commands find the operator", "prometheusRule: {enabled: true, labels: {release: prometheus}}",
			[]string{"--namespace team logs deployment/blue-operator", "team edit deployment/blue-operator", "release: prometheus\n"}, "awslogin-system"},
		{"a CRD that is kept", "{}", []string{"helm.sh/resource-policy: keep\n"}, ""},
		{"a CRD that is not", "crds: {keep: false}", []string{"name: loginsessions.awslogin.dev\n"}, "resource-policy"},
		{"no CRD", "crds: {enabled: false}", nil, "CustomResourceDefinition"},
		{"no role for people", "rbac: {aggregateRoles: false}", nil, "aggregate-to"},
		{"a network policy for metrics, DNS, AWS and the API server", "networkPolicy: {enabled: true}",
			[]string{"ingress:\n  - ports:\n    - port: metrics\n  egress:\n", "- port: 53\n      protocol: UDP", "- port: 5353\n      protocol: TCP", "- port: 443\n", "- port: 6443\n"}, "from:"},
		{"labels on pods too", "commonLabels: {team: data}", []string{"        app.kubernetes.io/name: aws-login-operator\n        team: data\n"}, ""},
	} {
		for _, helm := range helms {
			t.Run(row.name+" by "+helm, func(t *testing.T) {
				values := filepath.Join(scratch, "values.yaml")
				if err := os.WriteFile(values, []byte(row.values), 0o600); err != nil {
					t.Fatal(err)
				}
				manifest := string(helmTemplate(t, helm, "team", "--name-template", "blue", "--values", values))
				for _, want := range row.want {
					if !strings.Contains(manifest, want) {
						t.Errorf("there is no %q in\n%s", want, manifest)
					}
				}
				if row.unwanted != "" && strings.Contains(manifest, row.unwanted) {
					t.Errorf("there is %q in\n%s", row.unwanted, manifest)
				}
			})
		}
	}
}

// TestChartVersionsAreInOrder: Helm takes semantic versions only, and a build between
// two releases is newer than the one and older than the other.
func TestChartVersionsAreInOrder(t *testing.T) {
	var before *version.Version
	for _, row := range []struct{ described, want string }{
		{"0123abc", "0.0.0-dev.g0123abc"},
		{"0123abc-dirty", "0.0.0-dev.g0123abc.dirty"},
		{"v0.1.0-rc.1", "0.1.0-rc.1"},
		{"v0.1.0-rc.1-4-g0123abc", "0.1.0-rc.1.4.g0123abc"},
		{"v0.1.0", "0.1.0"},
		{"v0.1.0-4-g0123abc", "0.1.1-dev.4.g0123abc"},
		{"v0.1.0-12-gabc0123", "0.1.1-dev.12.gabc0123"},
		{"v0.1.0-12-gabc0123-dirty", "0.1.1-dev.12.gabc0123.dirty"},
		{"v0.1.0-dirty", "0.1.1-dev.dirty"},
		{"v0.1.1", "0.1.1"},
	} {
		output, _ := run(t, nil, filepath.Join(controlplane.Root(), "hack", "helm", "version.sh"), row.described)
		if got := strings.TrimSpace(string(output)); got != row.want {
			t.Errorf("%s is %s, want %s", row.described, got, row.want)
		}
		parsed, err := version.ParseSemantic(row.want)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !before.LessThan(parsed) {
			t.Errorf("%s is not newer than %s", parsed, before)
		}
		before = parsed
	}
}
