package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/fakeaws"
)

// awsLifetime is how long credentials of a login session live at AWS.
const awsLifetime = 15 * time.Minute

// soak is all that runs, and how to stop it.
type soak struct {
	settings
	*show.Show

	dir  string // temporary, with the operators' logs; stays after a failure
	keep bool

	api          client.WithWatch
	operatorUser *rest.Config // with exactly the rights of config/rbac

	aws     *fakeaws.Server
	awsURL  string // what workloads use: nothing goes wrong on their way
	awsGate *gate  // what the operator uses

	replicas []*replica
	logins   []*login
	members  []*member
	targets  targets
	findings findings
	trouble  trouble
	measured measured

	lostReplies atomic.Int64 // of AWS, with a new refresh token
	unwellAtEnd int          // LoginSessions
	lost        int          // sessions: their login caches cannot be refreshed
}

// run soaks, and stops and removes everything however it ends. The logs stay where
// they can tell why it failed.
func run(parent context.Context, s settings) (err error) {
	running, ctx := show.Begin(parent)
	k := &soak{settings: s, Show: running}
	hush := context.AfterFunc(parent, func() { k.Say("interrupted: stopping and removing everything (a few seconds) ...") })
	defer func() {
		k.keep = err != nil && parent.Err() == nil
		if hush() {
			k.Say("stopping everything (about 2 s) ...")
		}
		k.Close()
		if k.keep && k.dir != "" {
			fmt.Println("The operators' logs are in", k.dir)
		}
	}()
	return k.play(ctx)
}

func (k *soak) play(ctx context.Context) error {
	k.introduce()
	return k.Play(ctx,
		k.prepare, k.startControlPlane, k.startAWS, k.startReplicas,
		k.signEverybodyIn, k.watchTargets, k.awaitReady, k.soakInFaults, k.settle, k.stopReplicas, k.refreshEach, k.conclude,
	)
}

func (k *soak) prepare(context.Context) error {
	dir, err := os.MkdirTemp("", "awslogin-soak-")
	if err != nil {
		return err
	}
	k.CleanUp(func() error {
		if k.keep {
			return nil
		}
		return os.RemoveAll(dir)
	})
	k.dir, err = filepath.EvalSymlinks(dir)
	return err
}

// soakInFaults is the soak proper.
func (k *soak) soakInFaults(ctx context.Context) error {
	k.beginMeasuring()
	go k.readAgainAndAgain(ctx)
	go k.askWhoIsWho(ctx)
	go k.tellProgress(ctx)
	return k.strikeAgainAndAgain(ctx)
}

// share is a part of the credentials' lifetime: all times of the soak are.
func (k *soak) share(divisor float64) time.Duration {
	return time.Duration(float64(k.lifetime) / divisor)
}

// promised is the least life that readable credentials have left: 5 of 15 minutes.
func (k *soak) promised() time.Duration { return k.lifetime / 3 }

// real is what a time of the soak stands for.
func (k *soak) real(short time.Duration) time.Duration {
	return time.Duration(float64(short) * float64(awsLifetime) / float64(k.lifetime))
}
