# `make test` and `make demo` need Go, make and git, and install the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := build

BIN   := $(CURDIR)/bin
TOOLS := $(BIN)/tools
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
RELEASE_TOOLS := $(TOOLS)/goreleaser $(TOOLS)/syft $(TOOLS)/cosign
VARIANT ?= default
CHART   := charts/aws-login-operator
IMAGE   ?= ghcr.io/awslogin-dev/aws-login-operator:$(VERSION)

# Where the control plane for tests and the demo is; KUBEBUILDER_ASSETS of the
# environment goes before it.
CONTROLPLANE = $(if $(KUBEBUILDER_ASSETS),$(KUBEBUILDER_ASSETS),$(BIN)/controlplane)

.PHONY: help
help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## What people run.

.PHONY: build
build: ## Build bin/aws-login-operator and the kubectl plugin bin/kubectl-awslogin.
	CGO_ENABLED=0 go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X awslogin.dev/operator/internal/version.release=$(VERSION) -X awslogin.dev/operator/internal/version.commit=$(COMMIT)" \
		-o $(BIN)/ ./cmd/...
	@cp cmd/kubectl-awslogin/kubectl_complete-awslogin $(BIN)/

.PHONY: run
run: ## Run the operator against the current kubeconfig.
	go run ./cmd/aws-login-operator $(ARGS)

.PHONY: demo
demo: build controlplane ## Show the whole thing without AWS and without a cluster (KEEP=1 stays up, ROLE=1 assumes a role, LOGIN=1 signs in with kubectl awslogin).
	@go build -o bin/ ./hack/demo ./hack/workload
	@KUBEBUILDER_ASSETS=$(CONTROLPLANE) exec bin/demo -operator bin/aws-login-operator $(if $(KEEP),-keep) $(if $(ROLE),-role) $(if $(LOGIN),-login bin/kubectl-awslogin)

.PHONY: test
test: build controlplane kube-controller-manager sdks $(TOOLS)/kustomize $(TOOLS)/helm $(TOOLS)/kind ## Run all tests but the long ones (PREVIOUS=commit: upgrade from that one).
	KUBEBUILDER_ASSETS=$(CONTROLPLANE) go test -count=1 $(TESTFLAGS) ./...
	cd hack/alerts && go test -count=1 ./...
	cd hack/recipes && go test -count=1 ./...

.PHONY: test-sdks
test-sdks: sdks ## Real AWS SDKs live through rotations, and a table of it (PYTHON=/path/python3: another boto3 too).
	cd test/sdks && go test -count=1 -timeout 10m -args -full $(if $(PYTHON),-python $(PYTHON))

.PHONY: test-browser
test-browser: controlplane ## A person signs in with kubectl awslogin login in Chromium without a screen.
	@hack/chromium.sh
	cd test/browser && KUBEBUILDER_ASSETS=$(CONTROLPLANE) go test -count=1 -timeout 5m ./...

# What scripts need that run in a cluster: kubectl, helm, kind and the plugin.
IN_CLUSTER = PATH="$(CONTROLPLANE):$(TOOLS):$(BIN):$$PATH" hack/kind/cluster.sh

.PHONY: kind-demo
kind-demo: cluster-programs $(TOOLS)/kind ## Show rotations in real pods, in a cluster of kind with a fake AWS (KEEP=1 keeps it). Needs Docker.
	@CLUSTER=kind $(IN_CLUSTER) hack/kind/demo.sh

.PHONY: node-demo
node-demo: cluster-programs ## The same without Docker, on Linux as root (KEEP=1 opens a shell at the end).
	@CLUSTER=node $(IN_CLUSTER) hack/kind/demo.sh

.PHONY: test-e2e
test-e2e: cluster-programs $(TOOLS)/kind ## Test in a real cluster: kind where Docker answers, else as node-demo (CLUSTER=kind or CLUSTER=node).
	@go test -c -o bin/cluster.test ./test/cluster
	@$(IN_CLUSTER) hack/kind/e2e.sh || { [ $$? = 77 ] && [ "$(CLUSTER)" != kind ]; } # where no node can be, that is said

.PHONY: transcripts
transcripts: controlplane kube-controller-manager $(TOOLS)/kustomize ## Write into docs what the commands there print.
	KUBEBUILDER_ASSETS=$(CONTROLPLANE) go test -count=1 ./cmd/kubectl-awslogin ./test/lifecycle -run TestTranscripts -update

.PHONY: test-node
test-node: ## Pods on a real kubelet without Docker, on Linux as root (FULL=1 measures how late they see a new Secret).
	@hack/node/node.sh build || [ $$? = 77 ]
	cd hack/node && go test -count=1 -v -timeout 15m $(if $(FULL),-args -full)

.PHONY: soak
soak: build controlplane ## Two replicas in faults of every kind for 10 minutes, every read judged (DURATION=30m SESSIONS=200 SEED=1).
	@go build -o bin/soak ./hack/soak
	@KUBEBUILDER_ASSETS=$(CONTROLPLANE) exec bin/soak -operator bin/aws-login-operator $(if $(DURATION),-duration $(DURATION)) \
		$(if $(SESSIONS),-sessions $(SESSIONS)) $(if $(SEED),-seed $(SEED)) $(if $(LIFETIME),-lifetime $(LIFETIME)) $(if $(REPORT),-report $(REPORT))

.PHONY: bench
bench: build controlplane ## Measure what sessions cost, beside a bare client (SESSIONS=100,1000,10000 CONCURRENCY=10 FOREIGN=300 JSON=file).
	@go build -o bin/bench ./hack/bench
	@KUBEBUILDER_ASSETS=$(CONTROLPLANE) exec bin/bench -operator bin/aws-login-operator $(if $(SESSIONS),-sessions $(SESSIONS)) \
		$(if $(CONCURRENCY),-concurrency $(CONCURRENCY)) $(if $(FOREIGN),-foreign $(FOREIGN)) $(if $(JSON),-json $(JSON))

.PHONY: performance.svg
performance.svg: ## Draw docs/performance.svg from figures of make bench (JSON="file ...").
	@cd hack/plot && go build -o $(BIN)/plot .
	@bin/plot -o docs/performance.svg $(JSON)

.PHONY: fuzz
fuzz: ## Fuzz the login cache, AWS's replies, the files, templates and regions (INPUTS=100000x for each).
	@hack/fuzz.sh $(INPUTS)

.PHONY: install.yaml
install.yaml: manifests $(TOOLS)/kustomize ## Write dist/install.yaml: the operator in one file (VARIANT=namespaced: without cluster-wide rights; VARIANT=nudge: with --nudge-pods).
	@mkdir -p dist
	$(TOOLS)/kustomize build config/$(VARIANT) | sed 's|image: controller:latest|image: $(IMAGE)|' > dist/install.yaml

.PHONY: injection.yaml
injection.yaml: $(TOOLS)/kustomize ## Write dist/injection.yaml: pods get credentials by a label, see docs/injection.md.
	@mkdir -p dist
	$(TOOLS)/kustomize build config/injection > dist/injection.yaml

.PHONY: chart
chart: manifests $(TOOLS)/helm ## Package the Helm chart as dist/aws-login-operator-<version>.tgz.
	@rm -f dist/aws-login-operator-*.tgz
	$(TOOLS)/helm package $(CHART) --destination dist --app-version $(VERSION) --version "$$(hack/helm/version.sh $(VERSION))"

.PHONY: sizes
sizes: build install.yaml injection.yaml chart ## Print how large what people install is, for docs/releases.md.
	@for file in bin/aws-login-operator bin/kubectl-awslogin dist/install.yaml dist/injection.yaml dist/aws-login-operator-*.tgz; do \
		printf '| `%s` | %s kB |\n' $$file $$((($$(wc -c < $$file) + 500) / 1000)); done
	@printf 'objects in install.yaml: %s; bytes of the CRD: %s; of the chart, rendered: %s\n' "$$(grep -c ^kind: dist/install.yaml)" \
		"$$(cat config/crd/bases/*.yaml | wc -c)" "$$($(TOOLS)/helm template awslogin $(CHART) --namespace awslogin-system | wc -c)"

.PHONY: docker-build
docker-build: ## Build the image.
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t $(IMAGE) .

# With the Go that go.mod names, as releases are built.
test-image test-release snapshot vulncheck: export GOTOOLCHAIN := auto

.PHONY: test-image
test-image: ## Build the image for all architectures without Docker and look into it (FRESH=1: the second build compiles everything again).
	@hack/release/buildah.sh
	@go mod download
	cd hack/release && go test -count=1 -timeout 30m -run TestImage $(if $(FRESH),-fresh)

.PHONY: release-tools
release-tools: $(RELEASE_TOOLS) ## Build GoReleaser, syft and cosign into bin/tools (10 minutes on 2 cores with cold caches).

.PHONY: snapshot
snapshot: release-tools ## Make the files of a release of the last commit in dist/release, and publish nothing.
	@hack/release/snapshot.sh

.PHONY: test-release
test-release: snapshot $(TOOLS)/validate-krew-manifest ## Make the files of a release and look into them.
	cd hack/release && go test -count=1 -timeout 10m -run TestRelease

## What the targets above need.

.PHONY: node
node: ## Put into bin/ what a real Kubernetes node without Docker runs (Linux, as root).
	@hack/node/node.sh build

.PHONY: controlplane
controlplane: ## Put kube-apiserver, etcd and kubectl into bin/controlplane.
	@hack/controlplane/build.sh $(BIN)/controlplane

.PHONY: cluster-programs
cluster-programs: build controlplane $(TOOLS)/helm
	@CGO_ENABLED=0 go build -trimpath -o bin/ ./hack/fakeaws ./hack/workload

.PHONY: kube-controller-manager
kube-controller-manager: ## Put kube-controller-manager beside them.
	@hack/controlplane/build.sh $(BIN)/controlplane kube-controller-manager

.PHONY: sdks
sdks: ## Install the AWS SDKs that tests run: from Debian, npm and Go modules.
	@hack/sdks/install.sh

# What the chart takes from config/ as it is.
CHART_FILES := config/crd/bases/*.yaml config/rbac/*role.yaml config/nudge/component/role_patch.yaml \
	config/injection/inject.yaml config/injection/refuse.yaml \
	config/prometheus/podmonitor.yaml config/prometheus/rules.yaml config/prometheus/dashboard.json

.PHONY: manifests
manifests: $(TOOLS)/controller-gen ## Generate the CRD, the RBAC role, the deepcopy code and the chart's copies of them.
	$(TOOLS)/controller-gen object paths=./api/...
	$(TOOLS)/controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	$(TOOLS)/controller-gen rbac:roleName=manager-role paths=./controllers/... output:rbac:dir=config/rbac
	cp $(CHART_FILES) $(CHART)/files/

.PHONY: api.md
api.md: ## Write docs/api.md, the API reference, from the types in api/.
	@cd hack/apidocs && go build -o $(BIN)/apidocs .
	@bin/apidocs

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Lint.
	$(TOOLS)/golangci-lint run ./...

.PHONY: lint-release
lint-release: $(TOOLS)/actionlint $(TOOLS)/goreleaser ## Check the workflows and the description of the release.
	$(TOOLS)/actionlint .github/workflows/*.yaml
	$(TOOLS)/goreleaser check --quiet

.PHONY: vulncheck
vulncheck: $(TOOLS)/govulncheck ## Look for known vulnerabilities in code that the programs call.
	@hack/checks/vulncheck.sh

.PHONY: licenses
licenses: ## Check the licences of all that is shipped, and write THIRD_PARTY_NOTICES.
	cd hack/checks && go test -count=1 ./... && go run ./licenses $(CURDIR) $(CURDIR)/THIRD_PARTY_NOTICES

# Modules of their own that are kept tidy.
TIDY := hack/apidocs hack/checks hack/helm hack/kind hack/krew hack/node hack/recipes hack/release test/browser

.PHONY: verify
verify: manifests api.md licenses ## Check that generated files and go.mod are up to date.
	go mod tidy
	for module in $(TIDY); do (cd $$module && go mod tidy) || exit; done
	git diff --exit-code -- api charts config docs/api.md go.mod go.sum THIRD_PARTY_NOTICES $(TIDY)

$(TOOLS)/controller-gen $(TOOLS)/kustomize $(TOOLS)/setup-envtest: hack/tools/go.mod
	@mkdir -p $(TOOLS)
	cd hack/tools && go build -o $(TOOLS)/ tool
	@touch $(TOOLS)/controller-gen $(TOOLS)/kustomize $(TOOLS)/setup-envtest

$(TOOLS)/golangci-lint: hack/lint/go.mod
	@mkdir -p $(TOOLS)
	cd hack/lint && go build -o $(TOOLS)/golangci-lint tool

$(TOOLS)/kind: hack/kind/go.mod
	@mkdir -p $(TOOLS)
	cd hack/kind && go build -o $(TOOLS)/kind tool

# Helm 3 is for tests. It costs little more, as both share what they are made of.
$(TOOLS)/helm: hack/helm/go.mod
	@mkdir -p $(TOOLS)
	cd hack/helm && go build -o $(TOOLS)/helm helm.sh/helm/v4/cmd/helm && go build -o $(TOOLS)/helm3 helm.sh/helm/v3/cmd/helm

$(TOOLS)/actionlint $(TOOLS)/govulncheck: hack/checks/go.mod
	@mkdir -p $(TOOLS)
	cd hack/checks && go build -o $(TOOLS)/ tool
	@touch $(TOOLS)/actionlint $(TOOLS)/govulncheck

$(TOOLS)/validate-krew-manifest: hack/krew/go.mod
	@mkdir -p $(TOOLS)
	cd hack/krew && go build -o $(TOOLS)/ tool

$(RELEASE_TOOLS): hack/release/go.mod
	@mkdir -p $(TOOLS)
	cd hack/release && cp "$$(go tool -n $(@F))" $@
