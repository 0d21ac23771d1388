package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
)

// namespace of the person.
const namespace = "data"

// makeNamespace makes one that is gone after the test, with what Kubernetes puts into
// it.
func (s *stage) makeNamespace(name string) {
	s.Helper()
	s.must(api.Create(s.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	s.await("the namespace is furnished", func() bool {
		key := types.NamespacedName{Namespace: name, Name: "default"}
		authority := types.NamespacedName{Namespace: name, Name: "kube-root-ca.crt"}
		return api.Get(s.ctx, key, &corev1.ServiceAccount{}) == nil && api.Get(s.ctx, authority, &corev1.ConfigMap{}) == nil
	})
}

func (s *stage) deleteNamespace(name string) {
	s.Helper()
	s.shell("kubectl delete namespace --ignore-not-found --timeout=60s " + name)
}

// install a variant as the README says, and wait.
func (s *stage) install(variant string) {
	s.Helper()
	s.render(variant, "install", currentImage)
	s.rollOut("install")
}

// rollOut applies dist/NAME.yaml.
func (s *stage) rollOut(name string) {
	s.Helper()
	s.shell("kubectl apply --server-side -f dist/" + name + ".yaml\nkubectl -n awslogin-system rollout status deployment/awslogin-operator --timeout=60s")
}

// signIn is `aws login` and storing its file.
func (s *stage) signIn(secret string) {
	s.Helper()
	login := aws.Login(alice)
	s.must(os.WriteFile(filepath.Join(folder, "login.json"), login.Cache(), 0o600))
	s.shell("kubectl -n " + namespace + " create secret generic " + secret + " --from-file=login.json")
}

func (s *stage) applySession(name, more string) {
	s.Helper()
	manifest := fmt.Sprintf("{apiVersion: awslogin.dev/v1alpha1, kind: LoginSession, metadata: {name: %s}, spec: {loginCacheSecretRef: {name: login}, %s}}", name, more)
	s.shell("kubectl -n " + namespace + " apply -f - <<'EOF'\n" + manifest + "\nEOF")
}

func (s *stage) awaitReady(names ...string) {
	s.Helper()
	for _, name := range names {
		s.await(name+" is Ready", func() bool {
			session := &v1alpha1.LoginSession{}
			s.must(api.Get(s.ctx, types.NamespacedName{Namespace: namespace, Name: name}, session))
			return meta.IsStatusConditionTrue(session.Status.Conditions, "Ready")
		})
	}
}

func (s *stage) secret(name string) *corev1.Secret {
	s.Helper()
	secret := &corev1.Secret{}
	s.must(api.Get(s.ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret))
	return secret
}

// exists says whether there is an object of this name in the person's namespace.
func (s *stage) exists(object client.Object, name string) bool {
	s.Helper()
	err := api.Get(s.ctx, types.NamespacedName{Namespace: namespace, Name: name}, object)
	if !apierrors.IsNotFound(err) {
		s.must(err)
	}
	return err == nil
}

// awaitCollector waits until Kubernetes' garbage collector knows LoginSessions: it
// looks for new kinds every 30 s, and until then collects nothing of theirs.
func (s *stage) awaitCollector() {
	s.Helper()
	probe := &v1alpha1.LoginSession{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}}
	probe.Spec.LoginCacheSecretRef.Name = "none"
	s.must(api.Create(s.ctx, probe))
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: v1alpha1.GroupVersion.String(), Kind: "LoginSession", Name: probe.Name, UID: probe.UID},
	}}}
	s.must(api.Create(s.ctx, owned))
	s.must(api.Delete(s.ctx, probe))
	s.await("garbage is collected", func() bool { return !s.exists(&corev1.ConfigMap{}, "probe") })
}

func (s *stage) requestRefresh(name string) {
	s.Helper()
	s.shell("kubectl -n " + namespace + " annotate loginsession " + name + ` awslogin.dev/refresh-requested-at="$(date +%s%N)" --overwrite`)
}

// awaitRefresh asks AWS for a refresh that takes its time, and returns when it is on
// its way.
func (s *stage) awaitRefresh(name string, fault fakeaws.Fault) {
	s.Helper()
	before := aws.Stats().Faults
	aws.Inject(fault)
	s.requestRefresh(name)
	s.await("a refresh is under way", func() bool { return aws.Stats().Faults > before })
}
