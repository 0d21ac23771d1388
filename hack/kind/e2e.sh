#!/usr/bin/env bash
# Runs test/cluster, which is built already, in the cluster of KUBECONFIG: `make test-e2e`.
set -euo pipefail
cd "$(dirname "$0")/../.."
kubectl delete namespace demo renewed deleted --ignore-not-found # of a demo or an interrupted run, in a cluster that was kept
hack/kind/install.sh
AWSLOGIN_TEST_KUBECONFIG=$KUBECONFIG bin/cluster.test -test.v -test.timeout 20m
