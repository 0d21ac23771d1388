#!/usr/bin/env bash
# Shows rotations in real pods: `make kind-demo` and `make node-demo`. Runs in the
# cluster of KUBECONFIG; with KEEP=1 it says how to look around.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '\n%s  %s\n' "$(date +%H:%M:%S)" "$*"; }
show() { printf '$ %s\n' "$*" && "$@"; }

# sign_in has a person sign in with a browser without a screen. The fake AWS is in the
# cluster and answers on this machine while this lasts.
sign_in() {
	local forwarded line
	exec {forwarded}< <(exec kubectl port-forward --namespace fake-aws service/fake-aws :80)
	# shellcheck disable=SC2064 # this process
	trap "kill $!" RETURN
	read -r line <&"$forwarded"
	line=${line#Forwarding from }
	export AWS_ENDPOINT_URL_SIGNIN=http://${line%% *}
	show kubectl awslogin login dev --namespace demo --workload-region us-east-1 --no-browser 2>&1 |
		while IFS= read -r line; do
			echo "$line"
			case $line in *" http://"*) bin/fakeaws browse "${line##* }" && echo "  (alice opens it and consents)" ;; esac
		done
}

# rotations shows for so many seconds what a pod says that calls every second.
rotations() {
	printf '$ kubectl logs --namespace demo --follow deployment/boto3   # the first call with each access key\n'
	kubectl logs --namespace demo --follow deployment/boto3 | first_calls &
	sleep "$1"
	kill $!
}

first_calls() {
	local line key last=
	while IFS= read -r line; do
		key=${line##*accessKeyId}
		[ "$key" = "$last" ] || echo "$line"
		last=$key
	done
}

# count sums up what the pods of a Deployment have said.
count() {
	local log
	log=$(kubectl logs --namespace demo "deployment/$1")
	printf '%-12s %4d calls, %d failed, %d access keys\n' "$1" "$(wc -l <<<"$log")" "$(grep -c '"error"' <<<"$log")" \
		"$(grep -o '"accessKeyId": *"[A-Z0-9]*"' <<<"$log" | sort -u | wc -l)"
}

hack/kind/install.sh

say "a person signs in, for the namespace demo"
kubectl apply --server-side --filename hack/kind/workloads/namespace.yaml >/dev/null
sign_in
show kubectl get loginsession --namespace demo

say "three programs start: boto3, the AWS SDK for Go in an image without a shell, and boto3 by a label alone"
kubectl kustomize --load-restrictor LoadRestrictionsNone hack/kind/workloads |
	kubectl apply --server-side --filename - >/dev/null
for name in boto3 distroless injected; do
	kubectl rollout status "deployment/$name" --namespace demo --timeout 2m >/dev/null
done
show kubectl get pods --namespace demo

say "rotations, for ${SECONDS_TO_WATCH:=70} s. Credentials live 45 s here, and are replaced with 30 s left; AWS's live 15 minutes"
rotations "$SECONDS_TO_WATCH"

say "what the pods have said until now"
for name in boto3 distroless injected; do count "$name"; done
show kubectl get loginsession --namespace demo
show kubectl awslogin doctor --namespace demo

[ "${KEEP:-}" ] || exit 0
say "the cluster stays. Look around:"
cat <<END
  export KUBECONFIG=$KUBECONFIG PATH=$PWD/bin/controlplane:$PWD/bin:\$PATH
  kubectl get loginsession --namespace demo --watch
  kubectl logs --namespace demo --follow deployment/boto3
  kubectl exec --namespace demo deployment/boto3 -- ls -l /var/run/secrets/awslogin.dev
  kubectl logs --namespace fake-aws --follow deployment/fake-aws
  kubectl create --raw /api/v1/namespaces/fake-aws/services/fake-aws:control/proxy/end-session -f /dev/null   # the session is over
  kubectl awslogin doctor --namespace demo
END
if [ "$CLUSTER" = kind ]; then
	say "and delete it with:  $PWD/bin/tools/kind delete cluster --name awslogin-demo"
else
	say "in this shell, whose end is the end of the cluster"
	exec script --quiet --command bash /dev/null # in a terminal of its own Ctrl-C ends what runs in the shell only
fi
