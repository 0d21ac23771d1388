{{- define "gvList" -}}
<!-- Written by `make api.md` from the types in api/v1alpha1; a change here is lost. -->

# API reference

Every field of a `LoginSession`, and the names that the operator uses in conditions, events, labels and annotations.
[LoginSession](loginsession.md) explains how to write one and how to read its
[conditions](loginsession.md#conditions); [Troubleshooting](troubleshooting.md#reasons) says what to do about each reason.
The cluster describes the fields too:

```sh
kubectl explain loginsession.spec.target
```

A time is text as RFC 3339 has it, a duration text such as `10m`.
{{- range . }}{{ $group := . }}
{{- range .SortedKinds }}

## {{ . }}

{{ with $group.TypeForKind . -}}
`apiVersion: {{ $group.GroupVersionString }}`, `kind: {{ .Name }}`

{{ template "text" .Doc }} Besides the rules of its fields, there are these:
{{ range index .Markers "kubebuilder:validation:XValidation" }}
- {{ template "text" .Message }}
{{- end }}
{{ template "fields" (dict "path" "" "type" .) }}
{{- end }}{{ end }}

## Values
{{ range .SortedTypes }}{{ if .IsAlias }}{{ template "value" . }}{{ end }}{{ end }}
{{- end }}
{{- markdownTemplateValue "constants" }}
{{- end -}}

{{/* The fields of an object, and then those of the objects in it. */}}
{{- define "fields" }}
| field | description | default | validation |
| --- | --- | --- | --- |
{{- $path := .path }}
{{- range .type.Members }}
| `{{ .Name }}`<br>{{ template "kind" (dict "path" (printf "%s%s" $path .Name) "type" .Type) }} | {{ template "text" .Doc }} | {{ template "default" . }} | {{ template "rules" . }} |
{{- end }}
{{- range .type.Members }}
{{- if and .Type.Members (hasPrefix "awslogin.dev/" .Type.Package) }}

### {{ $path }}{{ .Name }}
{{ template "fields" (dict "path" (printf "%s%s." $path .Name) "type" .Type) }}
{{- end }}{{ end }}
{{- end -}}

{{- define "kind" -}}
{{- with .type -}}
{{- if .ValueType }}map of {{ template "kind" (dict "type" .ValueType) }}
{{- else if hasPrefix "[]" .String }}list of {{ template "kind" (dict "type" .UnderlyingType) }}
{{- else if has .Name (list "Time" "Duration") }}{{ lower .Name }}
{{- else if and .Members (hasPrefix "awslogin.dev/" .Package) }}[object](#{{ $.path | replace "." "" | lower }})
{{- else }}{{ markdownRenderType . }}
{{- end }}{{ end }}
{{- end -}}

{{- define "default" -}}
{{- if .Default }}`{{ .Default | replace "{  }" "{}" | replace " " ", " }}`{{ else if not (index .Markers "optional") }}required{{ end }}
{{- end -}}

{{/* What is refused. A list also has the rules of its items, which are with their type. */}}
{{- define "rules" -}}
{{- $words := dict "Minimum" "at least %s" "Maximum" "at most %s" "MinItems" "at least %s" "MaxItems" "at most %s"
  "MaxProperties" "at most %s" "MaxLength" "at most %s characters" -}}
{{- $items := and .Type (hasPrefix "[]" .Type.String) -}}
{{- $rules := list -}}
{{- range reverse .Validation }}
{{- $rule := splitList ": " . }}
{{- $of := first $rule }}
{{- if or (has $of (list "Optional" "Type" "Enum")) (and $items (eq $of "MaxLength")) }}
{{- else if hasKey $words $of }}{{ $rules = append $rules (printf (get $words $of) (last $rule)) }}
{{- else }}{{ $rules = append $rules . }}
{{- end }}{{ end }}
{{- if not $items }}{{ range index .Markers "kubebuilder:validation:XValidation" }}{{ $rules = append $rules .Message }}{{ end }}{{ end }}
{{- template "text" (join "\n\n" $rules) }}
{{- end -}}

{{- define "value" }}
### {{ .Name }}

{{ template "text" .Doc }}
{{- with .EnumValues }}

| value | |
| --- | --- |
{{- range . }}
| `{{ .Name }}` | {{ template "text" (regexReplaceAll "^[A-Za-z]+ " .Doc "") }} |
{{- end }}
{{- else }}

Validation: {{ template "rules" (dict "Validation" .Validation "Markers" .Markers "Type" nil) }}
{{- end }}
{{ end -}}

{{/* A comment as one line that is safe in a table. */}}
{{- define "text" -}}
{{- . | trim | replace "<" "&lt;" | replace "|" "\\|" | replace "*" "\\*" | replace "\n\n" "<br>" | replace "\n" " " -}}
{{- end -}}
