package main

import (
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"awslogin.dev/operator/internal/doctor"
	"awslogin.dev/operator/internal/guard"
	"awslogin.dev/operator/internal/loginrefresh"
)

const allowRootFlag = "--allow-root"

// refusingFlag is the operator's flag that refuses somebody, empty where none does.
// Few may see its flags: to all others the operator says the same, once it has the
// login. Of several operators one that accepts is enough.
func (c *cluster) refusingFlag(ctx context.Context, who loginrefresh.Identity) string {
	deployments := &appsv1.DeploymentList{}
	if err := c.List(ctx, deployments, doctor.OperatorLabels); err != nil {
		return ""
	}
	refusing := ""
	for _, deployment := range deployments.Items {
		if refusing = refuses(deployment.Spec.Template.Spec.Containers[0].Args, who); refusing == "" {
			return ""
		}
	}
	return refusing
}

// refuses is the first of an operator's arguments that refuses somebody.
func refuses(args []string, who loginrefresh.Identity) (flag string) {
	if who.IsRoot() && !slices.Contains(args, allowRootFlag) && !slices.Contains(args, allowRootFlag+"=true") {
		return allowRootFlag
	}
	if who.ARN == "" {
		return "" // the operator asks AWS STS
	}
	rules, err := guard.New(valuesOf(args, guard.AccountsFlag), valuesOf(args, guard.PrincipalsFlag))
	if err != nil {
		return "" // an operator does not start with these
	}
	return rules.Refuses(who.ARN)
}

// valuesOf a flag are nil where it is not given.
func valuesOf(args []string, flag string) []string {
	var values []string
	for _, arg := range args {
		if value, is := strings.CutPrefix(arg, flag+"="); is {
			values = append(values, strings.Split(value, ",")...)
		}
	}
	return values
}
