{{- define "aws-login-operator.labels" -}}
app.kubernetes.io/name: aws-login-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
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
{{- if and (kindIs "bool" $value) $value }}
- --{{ $flag }}
{{- else if not (has $value (list "" nil false)) }}
- {{ printf "--%s=%v" $flag $value | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* The operator's variables, but for those that extraEnv has. GOMEMLIMIT: garbage is collected
more often before the limit ends the process. */ -}}
{{- define "aws-login-operator.env" -}}
{{- $limit := dict "resourceFieldRef" (dict "resource" "limits.memory") }}
{{- $own := list (dict "name" "GOMEMLIMIT" "valueFrom" $limit) }}
{{- with .Values.proxy.url }}
{{- if contains "@" . }}
{{- fail "proxy.url has a password, which would be read by all who may read the Deployment: set HTTPS_PROXY and NO_PROXY from a Secret with extraEnv" }}
{{- end }}
{{- $direct := concat (list "$(KUBERNETES_SERVICE_HOST)") $.Values.proxy.noProxy | join "," }}
{{- $own = append $own (dict "name" "HTTPS_PROXY" "value" .) }}
{{- $own = append $own (dict "name" "NO_PROXY" "value" $direct) }}
{{- end }}
{{- if .Values.caBundle.name }}
{{- $own = append $own (dict "name" "AWS_CA_BUNDLE" "value" (printf "/etc/aws-login-operator/%s" .Values.caBundle.key)) }}
{{- end }}
{{- $extra := list }}
{{- range .Values.extraEnv }}
{{- $extra = append $extra .name }}
{{- end }}
{{- $env := list }}
{{- range $own }}
{{- if not (has .name $extra) }}
{{- $env = append $env . }}
{{- end }}
{{- end }}
{{- concat $env .Values.extraEnv | toYaml }}
{{- end }}
