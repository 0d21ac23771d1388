package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

const (
	// defaultName is for a namespace without LoginSessions.
	defaultName = "aws"
	// defaultRegion is where the operator looks too.
	defaultRegion = "us-east-1"
)

// destinationOptions are the flags of commands that bring a login into the cluster.
type destinationOptions struct {
	secret         string
	region         string
	workloadRegion string
	allowRoot      bool
	yes            bool
	readyTimeout   time.Duration
}

func (o *destinationOptions) bind(flags *pflag.FlagSet) {
	flags.StringVar(&o.secret, "secret", "", "Secret for the login cache; by default NAME-login")
	flags.StringVar(&o.region, "region", "", "region of AWS Sign-In; by default the LoginSession's, else "+defaultRegion)
	flags.StringVar(&o.workloadRegion, "workload-region", "", "region that pods use (spec.region of a new LoginSession)")
	flags.BoolVar(&o.allowRoot, "allow-root", false, "accept an account's root user; the operator has to accept it too")
	flags.BoolVarP(&o.yes, "yes", "y", false, "replace the login of somebody else without a question")
	flags.DurationVar(&o.readyTimeout, "ready-timeout", time.Minute, "how long to wait until the LoginSession is Ready; 0 for not at all")
}

// destination is the LoginSession that a login is for.
type destination struct {
	*cluster
	*destinationOptions
	session      *v1alpha1.LoginSession // as it is, or as it will be created
	exists       bool
	signInRegion string
}

// prepare finds the LoginSession, and has the API server try all that is to be
// written later: a sign-in must not end with nowhere to put it. The region likely
// is where no one says which it is.
func (p *plugin) prepare(ctx context.Context, args []string, o *destinationOptions, likely string) (*destination, error) {
	c, err := p.connect()
	if err != nil {
		return nil, err
	}
	d := &destination{cluster: c, destinationOptions: o}
	name, err := d.pickName(ctx, args)
	if err != nil {
		return nil, err
	}
	if err := d.find(ctx, name); err != nil {
		return nil, err
	}
	secret, err := d.cacheSecret(ctx)
	if err != nil {
		return nil, err
	}
	if d.signInRegion, err = d.pickRegion(likely, secret); err != nil {
		return nil, err
	}
	if !d.exists {
		d.session.Spec.SignInRegion = d.signInRegion
	}
	return d, d.rehearse(ctx)
}

// find reads the LoginSession, or makes up the one to create.
func (d *destination) find(ctx context.Context, name string) error {
	d.session = &v1alpha1.LoginSession{}
	err := d.Get(ctx, d.key(name), d.session)
	if err == nil {
		d.exists = true
		if ref := d.session.Spec.LoginCacheSecretRef.Name; d.secret != "" && d.secret != ref {
			return fmt.Errorf("LoginSession %s has its login cache in Secret %s: leave --secret out", name, ref)
		}
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("read LoginSession %s: %w", name, err)
	}
	d.session = &v1alpha1.LoginSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: name},
		Spec: v1alpha1.LoginSessionSpec{
			LoginCacheSecretRef: v1alpha1.LoginCacheSecretRef{Name: cmp.Or(d.secret, name+"-login")},
			Region:              d.workloadRegion,
		},
	}
	return d.checkTarget(ctx)
}

// checkTarget: the operator touches no Secret but its own.
func (d *destination) checkTarget(ctx context.Context) error {
	target := &corev1.Secret{}
	name := d.session.TargetSecretName()
	err := d.Get(ctx, d.key(name), target)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("see whether Secret %s is free: %w", name, err)
	}
	if target.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy && target.Labels[v1alpha1.LoginSessionLabel] == d.session.Name {
		return nil // left behind with the policy Retain
	}
	return fmt.Errorf("the LoginSession would publish in Secret %s, which exists and is not its own: choose another NAME", name)
}

// pickRegion has the operator's order.
func (d *destination) pickRegion(likely string, secret *corev1.Secret) (string, error) {
	asked, ruled := d.region, d.session.Spec.SignInRegion
	if asked != "" && ruled != "" && asked != ruled {
		return "", fmt.Errorf("LoginSession %s signs in in %s (spec.signInRegion), and this would be a login in %s: make them equal first", d.session.Name, ruled, asked)
	}
	if login := d.loginIn(secret); login != nil {
		likely = cmp.Or(likely, login.SignInRegion)
	}
	region := cmp.Or(asked, ruled, likely, d.session.Spec.Region, defaultRegion)
	if !loginrefresh.IsRegion(region) {
		return "", fmt.Errorf("%q is not the name of an AWS region", region)
	}
	return region, nil
}

// agree asks the person where the login is somebody else's than before.
func (p *plugin) agree(ctx context.Context, d *destination, login *loginrefresh.Login) error {
	if login.Identity.IsRoot() && !d.allowRoot {
		return errors.New("this is the account's root user, whose credentials no pod should have: sign in as another, or allow it with --allow-root")
	}
	if flag := d.refusingFlag(ctx, login.Identity); flag != "" {
		return fmt.Errorf("the operator's %s does not allow this: sign in as somebody else, or have the flag changed", flag)
	}
	before := d.session.Status.Identity
	if before == nil || before.ARN == "" || before.ARN == login.Identity.ARN {
		return nil
	}
	return p.confirm(ctx, d.yes, fmt.Sprintf("LoginSession %s is signed in as %s. Replace that login?", d.session.Name, before.ARN))
}
