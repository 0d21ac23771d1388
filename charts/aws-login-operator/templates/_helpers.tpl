{{- define "aws-login-operator.labels" -}}
app.kubernetes.io/name: aws-login-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* By which the operator's pods are found. It cannot change, so it is the same in config/, and
one namespace has one release. */ -}}
{{- define "aws-login-operator.selector" -}}
app.kubernetes.io/name: aws-login-operator
{{- end }}

{{- /* An object of config/ with the release's labels: (list root object). */ -}}
{{- define "aws-login-operator.object" -}}
{{- $object := last . -}}
{{- $labels := include "aws-login-operator.labels" (first .) | fromYaml -}}
{{- $_ := set $object.metadata "labels" (merge $labels ($object.metadata.labels | default dict)) -}}
---
{{ toYaml $object }}
{{ end }}

{{- define "aws-login-operator.image" -}}
{{- with .Values.image -}}
{{ .registry }}/{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* The flags that have a value; the operator knows its defaults. */ -}}
{{- define "aws-login-operator.args" -}}
{{- $flags := dict
  "watch-namespaces" (join "," .Values.watchNamespaces)
  "watch-label-selector" .Values.watchLabelSelector
  "sign-in-region" .Values.signInRegion
  "sign-in-qps" .Values.signInQPS
  "allow-root" .Values.allowRoot
  "allowed-accounts" (join "," .Values.allowedAccounts)
  "allowed-principals" (join "," .Values.allowedPrincipals)
  "session-end-warning" .Values.sessionEndWarning
  "max-concurrent-reconciles" .Values.maxConcurrentReconciles
  "use-fips-endpoint" .Values.useFIPSEndpoint
  "use-dualstack-endpoint" .Values.useDualStackEndpoint
  "zap-log-level" .Values.logLevel
  "nudge-pods" .Values.nudgePods
-}}
- --leader-elect
{{- range $flag, $value := $flags }}
{{- if eq (toString $value) "true" }}
- --{{ $flag }}
{{- else if not (has (toString $value) (list "" "false" "<nil>")) }}
- {{ printf "--%s=%v" $flag $value | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "aws-login-operator.env" -}}
- name: GOMEMLIMIT # garbage is collected more often before the limit ends the process
  valueFrom:
    resourceFieldRef:
      resource: limits.memory
{{- with .Values.proxy.url }}
{{- if contains "@" . }}
{{- fail "proxy.url has a password, which would be read by all who may read the Deployment: set HTTPS_PROXY and NO_PROXY from a Secret with extraEnv" }}
{{- end }}
- name: HTTPS_PROXY
  value: {{ . | quote }}
- name: NO_PROXY
  value: {{ concat (list "$(KUBERNETES_SERVICE_HOST)") $.Values.proxy.noProxy | join "," | quote }}
{{- end }}
{{- if .Values.caBundle.name }}
- name: AWS_CA_BUNDLE
  value: /etc/aws-login-operator/{{ .Values.caBundle.key }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
