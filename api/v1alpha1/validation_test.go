package v1alpha1_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/internal/controlplane"
)

var config *rest.Config

func TestMain(m *testing.M) {
	environment, err := controlplane.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	config = environment.Config
	code := m.Run()
	_ = environment.Stop()
	os.Exit(code)
}

// manifest is what a person writes; spec is indented by two spaces.
func manifest(name, spec string) string {
	return "apiVersion: awslogin.dev/v1alpha1\nkind: LoginSession\nmetadata: {name: " + name + ", namespace: default}\nspec:\n  " +
		strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  ") + "\n"
}

// apply sends plain YAML to the API server, which validates all and stores
// nothing. Unknown fields are errors, as they are for kubectl.
func apply(t *testing.T, text string) (*unstructured.Unstructured, error) {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c = client.WithFieldValidation(c, metav1.FieldValidationStrict)
	return object, c.Create(t.Context(), object, client.DryRunAll)
}

const cacheRef = "loginCacheSecretRef: {name: dev-login}\n"

// assumed is to be continued and closed.
const assumed = cacheRef + "assumeRole: {roleARN: 'arn:aws:iam::111122223333:role/deploy', "

func TestLoginSessionIsAccepted(t *testing.T) {
	for name, spec := range map[string]string{
		"with the least there can be":              cacheRef,
		"with a key":                               "loginCacheSecretRef: {name: dev-login, key: a_B-1.json}",
		"with an empty key, which is the default":  `loginCacheSecretRef: {name: dev-login, key: ""}`,
		"with a dotted Secret name":                "loginCacheSecretRef: {name: dev.login-1}",
		"with regions":                             cacheRef + "signInRegion: us-gov-west-1\nregion: ap-northeast-1",
		"with a region of 40 characters":           cacheRef + "region: " + strings.Repeat("a", 40),
		"refreshing with 6 minutes left":           cacheRef + "refreshBefore: 6m",
		"refreshing with 10 minutes left":          cacheRef + "refreshBefore: 10m0s",
		"refreshing with a fraction of minutes":    cacheRef + "refreshBefore: 7.5m",
		"suspended":                                cacheRef + "suspend: true",
		"with another target":                      cacheRef + "target: {secretName: other.name}",
		"mounted at the root user's home":          cacheRef + "target: {mountPath: /root/.aws}",
		"mounted at a path with all that is legal": cacheRef + "target: {mountPath: /a-b/C_1/d.e}",
		"in every format":                          cacheRef + "target: {formats: [CredentialProcess, LoginCache, Environment, SharedCredentials]}",
		"retaining its target":                     cacheRef + "target: {deletionPolicy: Retain}",
		"assuming a role":                          cacheRef + "assumeRole: {roleARN: 'arn:aws:iam::111122223333:role/deploy'}",
		"assuming a role of another partition, with all there is": cacheRef + `assumeRole:
  roleARN: arn:aws-us-gov:iam::111122223333:role/team/deploy+1
  sessionName: data_dev+=,.@-
  durationSeconds: 900
  externalID: "2b:/7"
  policy: "{\"Version\": \"2012-10-17\", \"Statement\": []}"
  policyARNs: [arn:aws:iam::aws:policy/ReadOnlyAccess, arn:aws:iam::111122223333:policy/own]
  tags: {team: data, empty: "", "cost:center": "42"}
  sourceIdentity: alice@example.com`,
		"assuming a role without a source identity":       cacheRef + `assumeRole: {roleARN: "arn:aws:iam::111122223333:role/deploy", sourceIdentity: ""}`,
		"named like the login cache, with another target": "loginCacheSecretRef: {name: dev}\ntarget: {secretName: other}",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := apply(t, manifest("dev", spec)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("with a name of 63 characters", func(t *testing.T) {
		if _, err := apply(t, manifest(strings.Repeat("n", 63), cacheRef)); err != nil {
			t.Error(err)
		}
	})
}

func TestLoginSessionIsRefused(t *testing.T) {
	const badRegion = "must be the name of an AWS region"
	const badPath = "must be an absolute path"
	const badDuration = "must be a duration from 6m to 10m"
	for name, row := range map[string]struct{ name, spec, says string }{
		"without a login cache":                                 {"", "suspend: false", "spec.loginCacheSecretRef: Required value"},
		"without a Secret name":                                 {"", "loginCacheSecretRef: {key: a.json}", "spec.loginCacheSecretRef.name: Required value"},
		"with an empty Secret name":                             {"", `loginCacheSecretRef: {name: ""}`, "must be the name of a Secret"},
		"with a Secret in another namespace":                    {"", "loginCacheSecretRef: {name: other/dev-login}", "in the LoginSession's own namespace"},
		"with a field for another namespace":                    {"", "loginCacheSecretRef: {name: dev-login, namespace: other}", `unknown field "spec.loginCacheSecretRef.namespace"`},
		"with an endpoint":                                      {"", cacheRef + "endpoint: https://example.com", `unknown field "spec.endpoint"`},
		"with a key that is a path":                             {"", "loginCacheSecretRef: {name: dev-login, key: ../a.json}", "must be a key of a Secret"},
		"with a sign-in region that has a slash":                {"", cacheRef + "signInRegion: example.com/", badRegion},
		"with a sign-in region that has a dot":                  {"", cacheRef + "signInRegion: us-east-1.example", badRegion},
		"with a sign-in region in upper case":                   {"", cacheRef + "signInRegion: US-EAST-1", badRegion},
		"with a region that has a line break":                   {"", cacheRef + `region: "us-east-1\nx = y"`, badRegion},
		"with an empty region":                                  {"", cacheRef + `region: ""`, badRegion},
		"with a region of 41 characters":                        {"", cacheRef + "region: " + strings.Repeat("a", 41), "may not be more than 40"},
		"refreshing too late":                                   {"", cacheRef + "refreshBefore: 5m59s", badDuration},
		"refreshing too early":                                  {"", cacheRef + "refreshBefore: 10m1s", badDuration},
		"refreshing after something else than time":             {"", cacheRef + "refreshBefore: ten minutes", badDuration},
		"with a target named like the login cache":              {"", cacheRef + "target: {secretName: dev-login}", "must not be the login cache's own Secret"},
		"named like the login cache, with no other target":      {"dev-login", cacheRef, "must not be the login cache's own Secret"},
		"with a target that is no Secret name":                  {"", cacheRef + "target: {secretName: Dev_1}", "must be the name of a Secret"},
		"with a relative mount path":                            {"", cacheRef + "target: {mountPath: var/run}", badPath},
		"with a mount path that ends in a slash":                {"", cacheRef + "target: {mountPath: /var/run/}", badPath},
		"with a mount path that goes up":                        {"", cacheRef + "target: {mountPath: /var/../etc}", badPath},
		"with a mount path that has a space":                    {"", cacheRef + "target: {mountPath: /var/my run}", badPath},
		"with a mount path that has a shell's characters":       {"", cacheRef + "target: {mountPath: /var/$(id)}", badPath},
		"with a mount path that has a line break":               {"", cacheRef + `target: {mountPath: "/var\n/run"}`, badPath},
		"with a mount path of 201 characters":                   {"", cacheRef + "target: {mountPath: /" + strings.Repeat("a", 200) + "}", "may not be more than 200"},
		"with an unknown format":                                {"", cacheRef + "target: {formats: [Ini]}", "Unsupported value"},
		"with no format":                                        {"", cacheRef + "target: {formats: []}", "should have at least 1 items"},
		"with a format twice":                                   {"", cacheRef + "target: {formats: [LoginCache, LoginCache]}", "Duplicate value"},
		"with an unknown deletion policy":                       {"", cacheRef + "target: {deletionPolicy: Orphan}", "Unsupported value"},
		"assuming nothing":                                      {"", cacheRef + "assumeRole: {}", "spec.assumeRole.roleARN: Required value"},
		"assuming a user":                                       {"", cacheRef + "assumeRole: {roleARN: 'arn:aws:iam::111122223333:user/bob'}", "must be the ARN of a role"},
		"assuming a role session":                               {"", cacheRef + "assumeRole: {roleARN: 'arn:aws:sts::111122223333:assumed-role/a/b'}", "must be the ARN of a role"},
		"assuming a role for less than 15 minutes":              {"", assumed + "durationSeconds: 899}", "should be greater than or equal to 900"},
		"assuming a role for more than an hour":                 {"", assumed + "durationSeconds: 3601}", "should be less than or equal to 3600"},
		"assuming a role with a session name of a character":    {"", assumed + "sessionName: a}", "must be 2 to 64"},
		"assuming a role with a session name with a space":      {"", assumed + "sessionName: a b}", "must be 2 to 64"},
		"assuming a role with an external ID with a space":      {"", assumed + "externalID: a b}", "must be 2 to 1224"},
		"assuming a role with a policy that is no JSON":         {"", assumed + "policy: allow}", "must be an IAM policy in JSON"},
		"assuming a role with a role for a policy":              {"", assumed + "policyARNs: ['arn:aws:iam::111122223333:role/a']}", "must be the ARN of a managed policy"},
		"assuming a role with a tag of AWS's":                   {"", assumed + "tags: {'Aws:a': b}}", "not begin with aws:"},
		"assuming a role with a tag that is too long":           {"", assumed + "tags: {a: " + strings.Repeat("b", 257) + "}}", "may not be more than 256"},
		"assuming a role with a source identity of AWS's":       {"", assumed + "sourceIdentity: 'aws:a'}", `or "" for none`},
		"with a name of 64 characters":                          {strings.Repeat("n", 64), cacheRef, "at most 63 characters"},
		"with a misspelt field, which would be silently lost":   {"", cacheRef + "suspended: true", `unknown field "spec.suspended"`},
		"with a status reason in place of a boolean to suspend": {"", cacheRef + `suspend: "yes"`, "must be of type boolean"},
	} {
		t.Run(name, func(t *testing.T) {
			if row.name == "" {
				row.name = "dev"
			}
			_, err := apply(t, manifest(row.name, row.spec))
			if err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("error is %v, want one that says %q", err, row.says)
			}
		})
	}
}

func TestSmallestLoginSessionHasDefaultsForAllElse(t *testing.T) {
	object, err := apply(t, manifest("dev", cacheRef))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := yaml.Marshal(object.Object["spec"])
	want := `loginCacheSecretRef:
  name: dev-login
refreshBefore: 10m
target:
  deletionPolicy: Delete
  formats:
  - CredentialProcess
  - LoginCache
  mountPath: /var/run/secrets/awslogin.dev
`
	if string(got) != want {
		t.Errorf("spec is\n%s", got)
	}
}
