package recipes

import (
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"awslogin.dev/operator/api/v1alpha1"
)

// sample is a LoginSession of generation 2 with conditions, each written as
// "Type Status Reason".
func sample(t *testing.T, observed int64, suspend bool, conditions ...string) *unstructured.Unstructured {
	t.Helper()
	session := &v1alpha1.LoginSession{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "LoginSession"},
		ObjectMeta: metav1.ObjectMeta{Name: "dev", Namespace: "data", Generation: 2},
		Spec:       v1alpha1.LoginSessionSpec{Suspend: suspend},
		Status:     v1alpha1.LoginSessionStatus{ObservedGeneration: observed},
	}
	for _, condition := range conditions {
		words := strings.Fields(condition)
		session.Status.Conditions = append(session.Status.Conditions, metav1.Condition{
			Type: words[0], Status: metav1.ConditionStatus(words[1]), Reason: words[2], Message: "Because of " + words[2] + ".",
		})
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(session)
	if err != nil {
		t.Fatal(err)
	}
	if observed == 0 {
		delete(object, "status") // as the API server keeps it until the operator has written one
	}
	return &unstructured.Unstructured{Object: object}
}

// argo is what Argo CD makes of a LoginSession. It opens these libraries and no
// others.
func argo(t *testing.T, object *unstructured.Unstructured) (health, message string) {
	t.Helper()
	var settings corev1.ConfigMap
	read(t, "config/argocd/argocd-cm.yaml", &settings)
	vm := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer vm.Close()
	for name, open := range map[string]lua.LGFunction{lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := vm.CallByParam(lua.P{Fn: vm.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	vm.SetGlobal("obj", luaValue(vm, object.Object))
	if err := vm.DoString(settings.Data["resource.customizations.health.awslogin.dev_LoginSession"]); err != nil {
		t.Fatal(err)
	}
	result, ok := vm.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the check returns %s", vm.Get(-1).Type())
	}
	return result.RawGetString("status").String(), result.RawGetString("message").String()
}

func luaValue(vm *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case []any:
		table := vm.NewTable()
		for _, item := range value {
			table.Append(luaValue(vm, item))
		}
		return table
	case map[string]any:
		table := vm.NewTable()
		for key, item := range value {
			table.RawSetString(key, luaValue(vm, item))
		}
		return table
	}
	return lua.LNil
}

// flux is what Flux makes of a LoginSession by the documented expressions. Those that
// cannot be evaluated make it wait.
func flux(t *testing.T, object *unstructured.Unstructured) status.Status {
	t.Helper()
	checks := documentedKustomization(t).Spec.HealthCheckExprs
	if len(checks) != 1 || checks[0].APIVersion != object.GetAPIVersion() || checks[0].Kind != object.GetKind() {
		t.Fatalf("documented are %+v", checks)
	}
	evaluator, err := cel.NewStatusEvaluator(&checks[0].HealthCheckExpressions)
	if err != nil {
		t.Fatal(err)
	}
	result, err := evaluator.Evaluate(t.Context(), object)
	if err != nil {
		return status.UnknownStatus
	}
	return result.Status
}

const (
	active  = "SessionActive True SessionActive"
	valid   = "CredentialsValid True Published"
	never   = "CredentialsValid False NeverPublished"
	expired = "CredentialsValid False CredentialsExpired"
)

func TestHealthOfALoginSession(t *testing.T) {
	for name, row := range map[string]struct {
		object  *unstructured.Unstructured
		argo    string
		says    string
		flux    status.Status
		kstatus status.Status
	}{
		"that the operator has not seen": {sample(t, 0, false), "Progressing", "has not come to this",
			status.UnknownStatus, status.CurrentStatus},
		"whose spec has changed since": {sample(t, 1, false, "Ready True Refreshed", active, valid), "Progressing", "has not come to this",
			status.InProgressStatus, status.InProgressStatus},
		"that is well": {sample(t, 2, false, "Ready True Refreshed", active, valid), "Healthy", "Refreshed: Because of Refreshed.",
			status.CurrentStatus, status.CurrentStatus},
		"that ends soon": {sample(t, 2, false, "Ready True Refreshed", active, valid, "SessionEndingSoon True SessionEndingSoon"), "Healthy", "Because of SessionEndingSoon.",
			status.CurrentStatus, status.CurrentStatus},
		"whose refresh fails for now": {sample(t, 2, false, "Ready True Refreshed", active, valid, "Reconciling True RefreshFailing"), "Healthy", "Refreshed",
			status.CurrentStatus, status.InProgressStatus},
		"whose refresh is overdue": {sample(t, 2, false, "Ready False RefreshOverdue", "SessionActive Unknown RefreshFailing", valid, "Reconciling True RefreshFailing"),
			"Degraded", "RefreshOverdue", status.InProgressStatus, status.InProgressStatus},
		"that nobody has signed in for": {sample(t, 2, false, "Ready False LoginCacheNotFound", "SessionActive False LoginCacheNotFound", never, "Reconciling True LoginCacheNotFound"),
			"Progressing", "LoginCacheNotFound", status.InProgressStatus, status.InProgressStatus},
		"whose login cache was deleted long ago": {sample(t, 2, false, "Ready False LoginCacheNotFound", "SessionActive False LoginCacheNotFound", expired, "Reconciling True LoginCacheNotFound"),
			"Degraded", "LoginCacheNotFound", status.InProgressStatus, status.InProgressStatus},
		"whose session is over": {sample(t, 2, false, "Ready False ReloginRequired", "SessionActive False ReloginRequired", valid, "Stalled True ReloginRequired"),
			"Degraded", "ReloginRequired: Because of ReloginRequired.", status.FailedStatus, status.FailedStatus},
		"whose target is somebody else's": {sample(t, 2, false, "Ready False TargetConflict", active, "CredentialsValid False TargetConflict", "Stalled True TargetConflict"),
			"Degraded", "TargetConflict", status.FailedStatus, status.FailedStatus},
		"that is suspended": {sample(t, 2, true, "Ready True Refreshed", active, valid), "Suspended", "spec.suspend",
			status.CurrentStatus, status.CurrentStatus},
		"that was suspended from the start": {sample(t, 2, true, "Ready Unknown NotTried", "SessionActive Unknown NotTried", "CredentialsValid Unknown NotTried"), "Suspended", "spec.suspend",
			status.InProgressStatus, status.InProgressStatus},
	} {
		t.Run(name, func(t *testing.T) {
			if health, message := argo(t, row.object); health != row.argo || !strings.Contains(message, row.says) {
				t.Errorf("Argo CD says %s, %q, want %s, %q", health, message, row.argo, row.says)
			}
			if got := flux(t, row.object); got != row.flux {
				t.Errorf("Flux says %s, want %s", got, row.flux)
			}
			if got, err := status.Compute(row.object); err != nil || got.Status != row.kstatus {
				t.Errorf("kstatus says %+v, error %v, want %s", got, err, row.kstatus)
			}
		})
	}
}
