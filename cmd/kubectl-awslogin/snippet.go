package main

import (
	"fmt"
	"slices"
	"strings"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/workload"
)

// printSnippet shows what a pod needs to use the credentials.
func (p *plugin) printSnippet(session *v1alpha1.LoginSession) error {
	_, err := fmt.Fprintf(p.Out, "A pod uses the credentials in Secret %s with\n\n%s", session.TargetSecretName(), snippet(session))
	return err
}

// snippet is the part of a pod that mounts the target, as config/samples has it.
func snippet(session *v1alpha1.LoginSession) string {
	target := session.Spec.Target
	for _, choice := range workload.Settings {
		if slices.Contains(target.Formats, choice.Format) {
			var env []string
			for _, variable := range choice.Env {
				env = append(env, variable[0], target.MountPath+variable[1])
			}
			return fmt.Sprintf(mounted, envLines(session, env...), target.MountPath, session.TargetSecretName())
		}
	}
	return fmt.Sprintf(fromEnv, session.TargetSecretName(), envLines(session))
}

const mounted = `  containers:
  - name: app
    env:
%s    volumeMounts:
    - name: aws
      mountPath: %s
      readOnly: true
  volumes:
  - name: aws
    secret:
      secretName: %s
`

const fromEnv = `  containers:
  - name: app
    envFrom:
    - secretRef:
        name: %s
    env:
%s`

// envLines adds what every pod should have.
func envLines(session *v1alpha1.LoginSession, env ...string) string {
	env = append(env, "AWS_EC2_METADATA_DISABLED", `"true"`)
	if session.Spec.Region == "" {
		env = append(env, "AWS_REGION", defaultRegion+" # that of the pod")
	}
	var lines strings.Builder
	for pair := range slices.Chunk(env, 2) {
		_, _ = fmt.Fprintf(&lines, "    - name: %s\n      value: %s\n", pair[0], pair[1])
	}
	return lines.String()
}
