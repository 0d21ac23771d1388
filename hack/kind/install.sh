#!/usr/bin/env bash
# Installs a fake AWS and the operator's chart into the cluster of KUBECONFIG, which
# has the images: see cluster.sh.
set -euo pipefail
cd "$(dirname "$0")"
say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }

# In a cluster that was kept, what runs is of the images of before.
for namespace in fake-aws awslogin-system; do
	kubectl delete pods --all --namespace "$namespace" >/dev/null 2>&1
done

say "starting the fake AWS ..."
kubectl apply --server-side --kustomize fake-aws >/dev/null
kubectl rollout status deployment/fake-aws --namespace fake-aws --timeout 2m >/dev/null

say "installing the chart ..."
# Restricted pods only, in the operator's namespace too.
kubectl create namespace awslogin-system --dry-run=client --output yaml |
	kubectl label --local --filename - --output yaml pod-security.kubernetes.io/enforce=restricted |
	kubectl apply --server-side --filename - >/dev/null
helm upgrade --install awslogin ../../charts/aws-login-operator --namespace awslogin-system \
	--values values.yaml --wait --timeout 2m >/dev/null
say "the operator is ready"
