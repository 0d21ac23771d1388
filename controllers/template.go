package controllers

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/awsfiles"
)

// These annotations of the target name what it has from the template: what is
// removed there is removed from the target, and other people's stay.
const (
	templateLabels      = "awslogin.dev/template-labels"
	templateAnnotations = "awslogin.dev/template-annotations"
)

func templateOf(session *v1alpha1.LoginSession) v1alpha1.TargetTemplate {
	if session.Spec.Target.Template == nil {
		return v1alpha1.TargetTemplate{}
	}
	return *session.Spec.Target.Template
}

// addTemplated adds the files of the template to those of the formats. One that
// cannot be made is left out: workloads that read another need not suffer.
func addTemplated(a *attempt, files map[string][]byte) *trouble {
	in, template := filesInput(a), templateOf(a.session)
	var faults []string
	for _, key := range slices.Sorted(maps.Keys(template.Data)) {
		file, err := awsfiles.Template(in, string(template.Data[key]))
		if err != nil { // which quotes the template, and no credentials
			faults = append(faults, key+", "+cut(err.Error(), 300))
			continue
		}
		files[key] = file
	}
	if len(faults) == 0 {
		return nil
	}
	return templateInvalid(a, strings.Join(faults, "; "))
}

// setTemplated gives the target the template's labels and annotations, and takes
// away those that an earlier template gave it.
func setTemplated(target *corev1.Secret, template v1alpha1.TargetTemplate) {
	labels, annotations := texts(template.Labels), texts(template.Annotations)
	target.Labels = replaced(target.Labels, target.Annotations[templateLabels], labels)
	target.Annotations = replaced(target.Annotations, target.Annotations[templateAnnotations], annotations)
	note(target.Annotations, templateLabels, labels)
	note(target.Annotations, templateAnnotations, annotations)
}

func texts[S ~string](values map[string]S) map[string]string {
	plain := map[string]string{}
	for key, value := range values {
		plain[key] = string(value)
	}
	return plain
}

// replaced is what is there, without those of a comma-separated list of keys and
// with new ones.
func replaced(existing map[string]string, old string, added map[string]string) map[string]string {
	kept := with(existing, nil)
	for key := range strings.SplitSeq(old, ",") {
		delete(kept, key)
	}
	return with(kept, added)
}

func note(annotations map[string]string, name string, given map[string]string) {
	delete(annotations, name)
	if len(given) > 0 {
		annotations[name] = strings.Join(slices.Sorted(maps.Keys(given)), ",")
	}
}
