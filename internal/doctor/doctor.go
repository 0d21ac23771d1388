// Package doctor finds out why pods have no working AWS credentials. It only reads,
// and what it reads of Secrets it tells nobody.
package doctor

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Finding is one thing that is wrong: what, where, and how to mend it.
type Finding struct {
	Check   string `json:"check"`
	Object  string `json:"object"`
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"`
}

func (f Finding) String() string { return f.Object + ": " + f.Problem + ": " + f.Remedy }

// Report is what an examination came to.
type Report struct {
	Findings []Finding
	LookedAt []string
	// LeftOut are checks that could not be made, and why.
	LeftOut []string
}

// Subject is what to examine.
type Subject struct {
	Config    *rest.Config
	API       client.Client
	Namespace string
	Name      string // of a LoginSession; empty for all of the namespace
}

// check is one row of what is examined. What it returns needs no name of the check.
type check struct {
	name string
	find func(*examination) []Finding
}

// checks in the order in which a person had better mend what they find.
var checks = []check{
	{"crd", kindIsThere},
	{"permissions", sessionsAreReadable},
	{"login-session", thereIsASession},
	{"clock", clocksAgree},
	{"operator", operatorWorks},
	{"session", sessionsWork},
	{"session", sessionsGoOn},
	{"login-cache", cachesAreThere},
	{"target", targetsAreThere},
	{"injection", labelsAreFollowed},
	{"target", mountedSecretsAreTargets},
	{"login-cache", cachesAreNotMounted},
	{"volume", eachTarget(secretIsThere)},
	{"volume", eachTarget(keysAreThere)},
	{"volume", eachTarget(podSawIt)},
	{"subpath", eachContainer(filesChange)},
	{"environment", eachContainer(variablesLast)},
	{"shadowing", eachContainer(nothingShadows)},
	{"not-mounted", eachContainer(filesAreMounted)},
	{"config-file", eachContainer(configFileIsMounted)},
	{"credentials-file", eachContainer(credentialsFileIsMounted)},
	{"login-cache-directory", eachContainer(cacheDirectoryIsMounted)},
	{"mount-path", eachContainer(mountedWhereConfigSays)},
	{"no-cat", eachContainer(imageHasCat)},
	{"region", eachContainer(regionIsKnown)},
	{"permissions", personMaySignIn},
}

// Examine makes all checks that the caller's rights allow.
func Examine(ctx context.Context, subject Subject) (*Report, error) {
	e := &examination{Subject: subject}
	if err := e.gather(ctx); err != nil {
		return nil, err
	}
	for _, check := range checks {
		for _, finding := range check.find(e) {
			finding.Check = check.name
			if !slices.Contains(e.report.Findings, finding) { // pods of one workload have the same
				e.report.Findings = append(e.report.Findings, finding)
			}
		}
	}
	return &e.report, nil
}

// one is a single finding.
func one(object, remedy, problem string, args ...any) []Finding {
	return []Finding{{Object: object, Problem: fmt.Sprintf(problem, args...), Remedy: remedy}}
}
