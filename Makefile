# `make test` and `make demo` need Go, make and git, and install the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := build

BIN   := $(CURDIR)/bin
TOOLS := $(BIN)/tools
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
VARIANT ?= default
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
	CGO_ENABLED=0 go build -trimpath -ldflags "-X awslogin.dev/operator/internal/version.release=$(VERSION)" -o bin/ ./cmd/...
	@cp cmd/kubectl-awslogin/kubectl_complete-awslogin bin/

.PHONY: run
run: ## Run the operator against the current kubeconfig.
	go run ./cmd/aws-login-operator $(ARGS)

.PHONY: demo
demo: build controlplane ## Show the whole thing without AWS and without a cluster (KEEP=1 stays up, ROLE=1 assumes a role, LOGIN=1 signs in with kubectl awslogin).
	@go build -o bin/demo ./hack/demo
	@KUBEBUILDER_ASSETS=$(CONTROLPLANE) exec bin/demo -operator bin/aws-login-operator $(if $(KEEP),-keep) $(if $(ROLE),-role) $(if $(LOGIN),-login bin/kubectl-awslogin)

.PHONY: test
test: build controlplane kube-controller-manager sdks $(TOOLS)/kustomize ## Run all tests (PREVIOUS=commit: upgrade from that one).
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

.PHONY: transcripts
transcripts: controlplane kube-controller-manager $(TOOLS)/kustomize ## Write into docs what the commands there print.
	KUBEBUILDER_ASSETS=$(CONTROLPLANE) go test -count=1 ./cmd/kubectl-awslogin ./test/lifecycle -run TestTranscripts -update

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

.PHONY: docker-build
docker-build: ## Build the image.
	docker build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

## What the targets above need.

.PHONY: controlplane
controlplane: ## Put kube-apiserver, etcd and kubectl into bin/controlplane.
	@hack/controlplane/build.sh $(BIN)/controlplane

.PHONY: kube-controller-manager
kube-controller-manager: ## Put kube-controller-manager beside them.
	@hack/controlplane/build.sh $(BIN)/controlplane kube-controller-manager

.PHONY: sdks
sdks: ## Install the AWS SDKs that tests run: from Debian, npm and Go modules.
	@hack/sdks/install.sh

.PHONY: manifests
manifests: $(TOOLS)/controller-gen ## Generate the CRD, the RBAC role and the deepcopy code.
	$(TOOLS)/controller-gen object paths=./api/...
	$(TOOLS)/controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	$(TOOLS)/controller-gen rbac:roleName=manager-role paths=./controllers/... output:rbac:dir=config/rbac

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Lint.
	$(TOOLS)/golangci-lint run ./...

.PHONY: verify
verify: manifests ## Check that generated files and go.mod are up to date.
	go mod tidy
	cd test/browser && go mod tidy
	cd hack/recipes && go mod tidy
	git diff --exit-code -- api config go.mod go.sum test/browser hack/recipes

$(TOOLS)/controller-gen $(TOOLS)/kustomize $(TOOLS)/setup-envtest: hack/tools/go.mod
	@mkdir -p $(TOOLS)
	cd hack/tools && go build -o $(TOOLS)/ tool
	@touch $(TOOLS)/controller-gen $(TOOLS)/kustomize $(TOOLS)/setup-envtest

$(TOOLS)/golangci-lint: hack/lint/go.mod
	@mkdir -p $(TOOLS)
	cd hack/lint && go build -o $(TOOLS)/golangci-lint tool
