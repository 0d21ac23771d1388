// Package node tests hack/node/node.sh, which runs a real Kubernetes node: that pods
// live in it as in any cluster, and that it leaves nothing behind.
package node
