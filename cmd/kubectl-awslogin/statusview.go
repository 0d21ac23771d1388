package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"

	"awslogin.dev/operator/api/v1alpha1"
)

// view is a way to show LoginSessions. For people that is a table, or all about one.
func (p *plugin) view(c *cluster, o *statusOptions, one bool) (func(context.Context, []v1alpha1.LoginSession) error, error) {
	switch output := *o.print.OutputFormat; {
	case output == "wide", output == "" && (!one || o.allNamespaces):
		table := printers.NewTablePrinter(printers.PrintOptions{WithNamespace: o.allNamespaces, Wide: output == "wide"})
		out := printers.GetNewTabWriter(p.Out) // which remembers widths
		return func(ctx context.Context, sessions []v1alpha1.LoginSession) error {
			if err := table.PrintObj(c.table(ctx, sessions), out); err != nil {
				return err
			}
			return out.Flush()
		}, nil
	case output == "":
		return func(ctx context.Context, sessions []v1alpha1.LoginSession) error {
			return p.describe(ctx, c, &sessions[0], o.watch)
		}, nil
	}
	printer, err := o.print.ToPrinter()
	return func(_ context.Context, sessions []v1alpha1.LoginSession) error {
		if one || o.watch || *o.print.OutputFormat == "name" {
			return p.printEach(printer, sessions)
		}
		return printer.PrintObj(&v1alpha1.LoginSessionList{Items: typed(sessions)}, p.Out)
	}, err
}

// typed says of each what it is, which a client takes for granted.
func typed(sessions []v1alpha1.LoginSession) []v1alpha1.LoginSession {
	sessions = slices.Clone(sessions)
	for i := range sessions {
		sessions[i].SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("LoginSession"))
	}
	return sessions
}

func (p *plugin) printEach(printer printers.ResourcePrinter, sessions []v1alpha1.LoginSession) error {
	for i := range sessions {
		if err := printer.PrintObj(&sessions[i], p.Out); err != nil {
			return err
		}
	}
	return nil
}

// columns of the table; those of priority 1 are for -o wide.
var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name"},
	{Name: "Ready", Type: "string"},
	{Name: "Status", Type: "string"},
	{Name: "Account", Type: "string"},
	{Name: "Expires", Type: "string"},
	{Name: "Next refresh", Type: "string"},
	{Name: "Session ends", Type: "string"},
	{Name: "Pods", Type: "string"},
	{Name: "Target", Type: "string", Priority: 1},
	{Name: "Signed in as", Type: "string", Priority: 1},
}

func (c *cluster) table(ctx context.Context, sessions []v1alpha1.LoginSession) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: columns}
	for i := range sessions {
		session := &sessions[i]
		row := metav1.TableRow{Object: runtime.RawExtension{Object: session}}
		for _, cell := range c.cells(ctx, session) {
			row.Cells = append(row.Cells, cmp.Or(cell, "<none>"))
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

func (c *cluster) cells(ctx context.Context, session *v1alpha1.LoginSession) []string {
	f := factsOf(session)
	pods := "<unknown>"
	if users, err := c.users(ctx, session); err == nil {
		pods = strconv.Itoa(len(users))
	}
	reason := f.ready.Reason
	if session.Spec.Suspend {
		reason = "Suspended"
	}
	return []string{session.Name, string(f.ready.Status), reason, f.identity.AccountID, fromNow(f.credentials.ExpiresAt),
		fromNow(session.Status.NextRefreshAt), fromNow(f.session.EstimatedEndAt), pods, session.TargetSecretName(), f.identity.ARN}
}

// facts are the parts of a status, empty where there are none.
type facts struct {
	ready       metav1.Condition
	identity    v1alpha1.Identity
	session     v1alpha1.Session
	credentials v1alpha1.Credentials
}

func factsOf(session *v1alpha1.LoginSession) facts {
	f := facts{ready: metav1.Condition{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotTried, Message: "The operator has not reported anything yet."}}
	if ready := condition(session.Status, v1alpha1.ReadyCondition); ready != nil {
		f.ready = *ready
	}
	if session.Status.Identity != nil {
		f.identity = *session.Status.Identity
	}
	if session.Status.Session != nil {
		f.session = *session.Status.Session
	}
	if session.Status.Credentials != nil {
		f.credentials = *session.Status.Credentials
	}
	return f
}

// describe shows all about one LoginSession.
func (p *plugin) describe(ctx context.Context, c *cluster, session *v1alpha1.LoginSession, more bool) error {
	out := printers.GetNewTabWriter(p.Out)
	for _, line := range c.lines(ctx, session) {
		if line[1] != "" {
			_, _ = fmt.Fprintf(out, "%s:\t%s\n", line[0], line[1])
		}
	}
	if more {
		_, _ = fmt.Fprintln(out)
	}
	return out.Flush()
}

func (c *cluster) lines(ctx context.Context, session *v1alpha1.LoginSession) [][2]string {
	f := factsOf(session)
	lines := [][2]string{
		{"LoginSession", session.Name + " in namespace " + session.Namespace},
		{"Signed in as", cmp.Or(f.identity.ARN, "nobody that is known yet")},
		{"Account", f.identity.AccountID},
		{"Role for pods", roleOf(session)},
		{"Ready", fmt.Sprintf("%s, %s", f.ready.Status, told(&f.ready))},
		{"Suspended", suspended(session)},
		{"Credentials end", cmp.Or(moment(f.credentials.ExpiresAt), "there are none yet")},
		{"Next refresh", cmp.Or(moment(session.Status.NextRefreshAt), "none is planned")},
		{"Session ends", endOf(session, f)},
		{"Target", "Secret " + session.TargetSecretName()},
		{"Pods", c.podsLine(ctx, session)},
	}
	return lines
}

func roleOf(session *v1alpha1.LoginSession) string {
	if session.Spec.AssumeRole == nil {
		return ""
	}
	return session.Spec.AssumeRole.RoleARN
}

func suspended(session *v1alpha1.LoginSession) string {
	if !session.Spec.Suspend {
		return ""
	}
	return fmt.Sprintf("yes: nothing is refreshed before `%s`", command("resume", session))
}

// endOf is known where the login cache tells when the person signed in.
func endOf(session *v1alpha1.LoginSession, f facts) string {
	switch {
	case isOver(session):
		return fmt.Sprintf("it is over: `%s`", command("login", session))
	case f.session.EstimatedEndAt == nil:
		return "not known"
	case condition(session.Status, v1alpha1.SessionEndingSoonCondition) != nil:
		return fmt.Sprintf("%s at the latest: `%s`", moment(f.session.EstimatedEndAt), command("login", session))
	}
	return moment(f.session.EstimatedEndAt) + " at the latest"
}

func (c *cluster) podsLine(ctx context.Context, session *v1alpha1.LoginSession) string {
	users, err := c.users(ctx, session)
	switch {
	case apierrors.IsForbidden(err):
		return "not known: you may not list pods in this namespace"
	case err != nil:
		return "not known: " + explain(err).Error()
	case len(users) == 0:
		return "none mount it"
	}
	return few(users)
}
