package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/awsfiles"
	"awslogin.dev/operator/internal/loginrefresh"
)

// cacheSecret reads the login cache's Secret, or makes up the one to create. It
// refuses one that holds something else.
func (d *destination) cacheSecret(ctx context.Context) (*corev1.Secret, error) {
	name := d.session.Spec.LoginCacheSecretRef.Name
	secret := &corev1.Secret{}
	err := d.Get(ctx, d.key(name), secret)
	if apierrors.IsNotFound(err) {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: name}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %s: %w", name, err)
	}
	if err := d.mayReplace(secret); err != nil {
		return nil, fmt.Errorf("what is in Secret %s is not replaced: %w", name, err)
	}
	return secret, nil
}

func (d *destination) mayReplace(secret *corev1.Secret) error {
	switch {
	case secret.Type != corev1.SecretTypeOpaque:
		return fmt.Errorf("it is of type %s, and a login cache must be in one of type %s", secret.Type, corev1.SecretTypeOpaque)
	case secret.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy:
		return errors.New("it is the target Secret of a LoginSession")
	case ptr.Deref(secret.Immutable, false):
		return errors.New("it is immutable, so that the operator could not refresh the login in it: delete it first")
	case metav1.GetControllerOf(secret) != nil:
		return fmt.Errorf("it belongs to %s %s", metav1.GetControllerOf(secret).Kind, metav1.GetControllerOf(secret).Name)
	case d.exists && d.session.Spec.LoginCacheSecretRef.Key == "" && len(cacheKeys(secret)) > 1:
		return errors.New("it has several keys that end in .json: name one in spec.loginCacheSecretRef.key")
	case !d.exists && !holdsLoginCache(secret):
		return errors.New("it exists and holds something else than a login cache: choose another with --secret")
	}
	return nil
}

// holdsLoginCache says whether a Secret that no LoginSession is known to name is
// nothing but a login cache, or empty.
func holdsLoginCache(secret *corev1.Secret) bool {
	for _, content := range secret.Data {
		if _, err := loginrefresh.Parse(content); err != nil {
			return false
		}
	}
	return len(secret.Data) <= 1
}

func cacheKeys(secret *corev1.Secret) []string {
	var keys []string
	for key := range secret.Data {
		if strings.HasSuffix(key, ".json") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// loginIn is the login that a Secret holds until now, nil where there is none.
func (d *destination) loginIn(secret *corev1.Secret) *loginrefresh.Login {
	key := d.session.Spec.LoginCacheSecretRef.Key
	if keys := cacheKeys(secret); key == "" && len(keys) > 0 {
		key = keys[0]
	}
	login, err := loginrefresh.Parse(secret.Data[key])
	if err != nil {
		return nil
	}
	return login
}

// hashedName is the one that `aws login` gives the file: the hash of who signed in.
var hashedName = regexp.MustCompile(`^[0-9a-f]{64}\.json$`)

// put replaces the login cache in a Secret. A name that somebody chose for it stays;
// one by `aws login` goes with its person, because the operator takes the only key
// that ends in .json.
func (d *destination) put(secret *corev1.Secret, who string, cache []byte) {
	key := d.session.Spec.LoginCacheSecretRef.Key
	if key == "" {
		key = awsfiles.LoginCacheFile(who)
		for _, old := range cacheKeys(secret) {
			if hashedName.MatchString(old) {
				delete(secret.Data, old)
			} else {
				key = old
			}
		}
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[key] = cache
}

// fieldOwner is in metadata.managedFields.
const fieldOwner = client.FieldOwner("kubectl-awslogin")

// store writes the login cache and then, where there is none, the LoginSession. If
// that fails, the Secret goes again that is of no use without.
func (d *destination) store(ctx context.Context, api client.Client, who string, cache []byte) error {
	name := d.session.Spec.LoginCacheSecretRef.Name
	var created *corev1.Secret
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { // the operator may be refreshing the old login
		secret, err := d.cacheSecret(ctx)
		if err != nil {
			return err
		}
		d.put(secret, who, cache)
		if secret.ResourceVersion != "" {
			return discreet(api.Update(ctx, secret, fieldOwner))
		}
		created = secret
		return discreet(api.Create(ctx, secret, fieldOwner))
	})
	if err != nil {
		return fmt.Errorf("store the login in Secret %s: %w", name, err)
	}
	if d.exists {
		return nil
	}
	session := d.session.DeepCopy()
	if err := api.Create(ctx, session, fieldOwner); err != nil {
		return fmt.Errorf("create LoginSession %s: %w", session.Name, errors.Join(err, withdraw(ctx, api, created)))
	}
	d.session = session // with the API server's defaults
	return nil
}

// rehearse has the API server try what store does.
func (d destination) rehearse(ctx context.Context) error {
	if err := d.store(ctx, client.NewDryRunClient(d), "", []byte("{}")); err != nil {
		return fmt.Errorf("check beforehand: %w", err)
	}
	return nil
}

// inTheirWords is where admission webhooks and policies, which have seen the Secret,
// begin to say something of their own.
var inTheirWords = regexp.MustCompile(`(?s)(webhook "[^"]*"|ValidatingAdmissionPolicy '[^']*').*`)

// discreet leaves of an answer of the API server what cannot quote the Secret.
func discreet(err error) error {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return err
	}
	status.ErrStatus.Message = inTheirWords.ReplaceAllString(status.ErrStatus.Message, "$1 refused it")
	return status
}

// withdraw deletes a Secret that was created in vain.
func withdraw(ctx context.Context, api client.Client, secret *corev1.Secret) error {
	if secret == nil || secret.UID == "" {
		return nil
	}
	err := api.Delete(context.WithoutCancel(ctx), secret, client.Preconditions{UID: &secret.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("and Secret %s, which holds the login, could not be deleted again: %w", secret.Name, err)
	}
	return nil
}
