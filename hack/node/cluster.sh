#!/usr/bin/env bash
# The first process of a node's namespaces, whose end is the end of all others:
#   cluster.sh FOLDER IMAGE... -- COMMAND [ARGUMENT]...
# starts the cluster, keeps everything in the folder, and runs the command. node.sh
# calls it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
state=$1
shift
images=()
while [ "$1" != -- ]; do
	images+=("$1")
	shift
done
shift
node=/run/node # the same folder inside, so that configuration can name it
address=172.30.0.2
started=${EPOCHREALTIME/[.,]/}
declare -A pids=()

elapsed() {
	local tenths=$(((${EPOCHREALTIME/[.,]/} - started) / 100000))
	printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}
say() { printf 'node: %5s s  %s\n' "$(elapsed)" "$*" >&2; }
fail() {
	say "$*"
	exit 1
}

# What programs write to /run and /var stays in the node's folder.
mounts() {
	mkdir "$state"/{etc,log,tmp,pki,var,work,sysctl}
	cp -r "$here/etc/." "$state/etc"
	mount -t tmpfs tmpfs /run
	mkdir "$node"
	mount --bind "$state" "$node"
	mount -t overlay -o "lowerdir=/var,upperdir=$node/var,workdir=$node/work" overlay /var
	mount --make-rshared / # the kubelet hands mounts on to pods
}

# The kubelet sets these for the whole machine, unless it finds them set.
sysctls() {
	local setting file
	for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
		kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
		file=$node/sysctl/$(basename "${setting%=*}")
		echo "${setting#*=}" >"$file"
		mount --bind "$file" "/proc/sys/${setting%=*}"
	done
}

network() {
	ip link set lo up
	ip link add eth0 type veth peer name outside
	ip link set eth0 up
	ip link set outside up
	ip address add "$address/24" dev eth0
	ip route add default dev eth0 # addresses of Services need a route until kube-proxy rewrites them
	echo 1 >/proc/sys/net/ipv4/ip_forward
	resolver
}

# The command finds Services by their names, too.
resolver() {
	local file
	file=$(realpath -m /etc/resolv.conf)
	printf 'nameserver %s\nsearch svc.cluster.local cluster.local\noptions ndots:5\n' "$address" >"$node/resolv.conf"
	case $file in /run/*) mkdir -p "$(dirname "$file")" && touch "$file" ;; esac
	[ ! -e "$file" ] || mount --bind "$node/resolv.conf" "$file"
}

# certificate NAME SUBJECT [EXTENSION]
certificate() {
	openssl req -x509 -config "$node/etc/openssl.cnf" -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc \
		-keyout "$node/pki/$1.key" -out "$node/pki/$1.crt" -days 2 -subj "$2" \
		"${@:3}" 2>>"$node/log/openssl.log" || fail "openssl made no certificate for $1"
}
signed() { certificate "$@" -CA "$node/pki/ca.crt" -CAkey "$node/pki/ca.key"; }

# user NAME SUBJECT: a client certificate, and a kubeconfig with it.
user() {
	signed "$1" "$2" -addext extendedKeyUsage=clientAuth
	cat >"$node/$1.kubeconfig" <<-END
		apiVersion: v1
		kind: Config
		current-context: node
		contexts: [{name: node, context: {cluster: node, user: $1}}]
		users: [{name: $1, user: {client-certificate: $node/pki/$1.crt, client-key: $node/pki/$1.key}}]
		clusters: [{name: node, cluster: {server: "https://$address:6443", certificate-authority: $node/pki/ca.crt}}]
	END
}

certificates() {
	certificate ca /CN=kubernetes -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
	signed apiserver /CN=kube-apiserver -addext extendedKeyUsage=serverAuth -addext \
		"subjectAltName=IP:$address,IP:10.96.0.1,IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
	signed kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client -addext extendedKeyUsage=clientAuth
	signed service-accounts /CN=service-accounts
	user admin /O=system:masters/CN=admin
	user kubelet /O=system:nodes/CN=system:node:node
	user kube-controller-manager /CN=system:kube-controller-manager
	user kube-scheduler /CN=system:kube-scheduler
	user kube-proxy /CN=system:kube-proxy
}

start() {
	"$@" >"$node/log/$1.log" 2>&1 &
	pids[$1]=$!
}

check_alive() {
	local name
	for name in "${!pids[@]}"; do
		kill -0 "${pids[$name]}" 2>/dev/null && continue
		tail -n 5 "$node/log/$name.log" >&2
		fail "$name has ended, see above"
	done
}

# wait_for WHAT COMMAND...: until it succeeds.
wait_for() {
	local deadline=$((SECONDS + 120)) said
	until said=$("${@:2}" 2>&1); do
		check_alive
		[ "$SECONDS" -lt "$deadline" ] || fail "not within 120 s: $1: $said"
		sleep 0.2
	done
	say "$1"
}

import_images() {
	local image said
	wait_for "containerd answers" ctr version
	for image in "${images[@]}"; do
		said=$(ctr images import "$image" 2>&1) || fail "$image could not be imported: $said"
	done
	say "images imported"
}

control_plane() {
	start etcd --data-dir "$node/etcd" --unsafe-no-fsync --log-level warn
	start kube-apiserver --etcd-servers http://127.0.0.1:2379 --advertise-address "$address" \
		--client-ca-file "$node/pki/ca.crt" --tls-cert-file "$node/pki/apiserver.crt" --tls-private-key-file "$node/pki/apiserver.key" \
		--kubelet-client-certificate "$node/pki/kubelet-client.crt" --kubelet-client-key "$node/pki/kubelet-client.key" \
		--kubelet-preferred-address-types InternalIP \
		--service-account-issuer https://kubernetes.default.svc.cluster.local \
		--service-account-key-file "$node/pki/service-accounts.crt" \
		--service-account-signing-key-file "$node/pki/service-accounts.key" \
		--service-cluster-ip-range 10.96.0.0/16 --allow-privileged \
		--authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction
	wait_for "the API server is ready" kubectl get --raw /readyz
	start kube-controller-manager --kubeconfig "$node/kube-controller-manager.kubeconfig" --leader-elect=false \
		--use-service-account-credentials --root-ca-file "$node/pki/ca.crt" --service-account-private-key-file "$node/pki/service-accounts.key"
	start kube-scheduler --kubeconfig "$node/kube-scheduler.kubeconfig" --leader-elect=false
}

kubelet_and_network() {
	printf '%s\n' "cgroupRoot: /$(basename "$state")" "syncFrequency: ${SYNC_FREQUENCY:-1m}" >>"$node/etc/kubelet.yaml"
	start kubelet --config "$node/etc/kubelet.yaml" --kubeconfig "$node/kubelet.kubeconfig" --root-dir "$node/kubelet" \
		--cert-dir "$node/pki" --hostname-override node --node-ip "$address"
	start kube-proxy --config "$node/etc/kube-proxy.yaml" --hostname-override node
	start coredns -conf "$node/etc/Corefile"
}

# usable: pods can be created and will be scheduled.
usable() {
	kubectl get serviceaccount/default configmap/kube-root-ca.crt &&
		kubectl wait --for=condition=Ready node/node --timeout=1s &&
		[ -z "$(kubectl get node node -o 'jsonpath={.spec.taints}')" ]
}

main() {
	local imports code=0
	mounts
	sysctls
	hostname node
	network
	unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
	export KUBECONFIG=$node/admin.kubeconfig KUBECACHEDIR=$node/tmp/kubectl TMPDIR=$node/tmp CONTAINERD_NAMESPACE=k8s.io
	start containerd --config "$node/etc/containerd.toml"
	import_images &
	imports=$!
	certificates
	control_plane
	kubelet_and_network
	wait "$imports"
	wait_for "the node is ready" usable
	check_alive
	"$@" || code=$?
	say "$1 has ended with code $code"
	exit "$code"
}

main "$@"
