package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
)

// table asks the API server for what kubectl get prints.
func table(t *testing.T) metav1.Table {
	t.Helper()
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	printing := rest.CopyConfig(config)
	printing.GroupVersion = &v1alpha1.GroupVersion
	printing.APIPath = "/apis"
	printing.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c, err := rest.RESTClientFor(printing)
	if err != nil {
		t.Fatal(err)
	}
	var result metav1.Table
	err = c.Get().Namespace("default").Resource("loginsessions").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Into(&result)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestKubectlGetPrintsTimesToCome(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	later := metav1.NewTime(time.Now().Add(15 * time.Minute).UTC().Truncate(time.Second))
	session := &v1alpha1.LoginSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "printed"},
		Spec: v1alpha1.LoginSessionSpec{
			LoginCacheSecretRef: v1alpha1.LoginCacheSecretRef{Name: "dev-login"},
			Target:              v1alpha1.Target{DeletionPolicy: v1alpha1.DeletionPolicyDelete},
		},
	}
	if err := c.Create(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	session.Status = v1alpha1.LoginSessionStatus{
		Conditions: []metav1.Condition{{Type: "Ready", Status: "True", Reason: "Refreshed", LastTransitionTime: metav1.Now()}},
		Identity:   &v1alpha1.Identity{AccountID: "111122223333"}, Credentials: &v1alpha1.Credentials{ExpiresAt: &later}, NextRefreshAt: &later,
	}
	if err := c.Status().Update(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	printed := table(t)
	var names []string
	for _, column := range printed.ColumnDefinitions {
		names = append(names, column.Name)
	}
	if got := strings.Join(names, " "); got != "Name Ready Status Account Expires Next-Refresh Age" {
		t.Errorf("columns are %s", got)
	}
	text := later.Format(time.RFC3339)
	got := fmt.Sprint(printed.Rows[0].Cells[:6]...)
	if want := fmt.Sprint("printed", "True", "Refreshed", "111122223333", text, text); got != want {
		t.Errorf("kubectl get prints %s, want %s", got, want)
	}
}
