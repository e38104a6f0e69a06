# Kustiq for Stripe. `make` alone lists what there is to do.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN        := $(CURDIR)/bin
TOOL       := go tool -modfile=$(CURDIR)/hack/tools/go.mod
HELM       := go tool -modfile=$(CURDIR)/hack/helm/go.mod helm
# What the chart is rendered for where there is no cluster to ask.
KUBERNETES := 1.37.2
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS    := -s -w -X github.com/kustiq/kustiq/internal/version.Version=$(VERSION)
DATA_DIR   ?= $(CURDIR)/.kustiq
ARGS       ?=
PACKAGES   ?= ./...
TEST_FLAGS ?= -count=1 -timeout=30m
FUZZ_TIME  ?= 30s
GENERATED  := api/v1alpha1/zz_generated.deepcopy.go config/crd/bases config/rbac/role.yaml config/workloads charts/kustiq/files docs/reference dashboard/assets
# Of make image: the image's name without its tag, where it goes, and for which machines.
IMAGE           ?= ghcr.io/kustiq/kustiq
DIST            ?= $(CURDIR)/dist
IMAGE_PLATFORMS ?= linux/amd64 linux/arm64
# Of make e2e: the command that gives a cluster's nodes an image from a tar, and the commit that is upgraded from.
IMAGE_LOAD      ?= kind load image-archive
E2E_PREVIOUS    ?= $(shell git log -1 --skip=1 --format=%h -- charts/kustiq/templates 2>/dev/null)

# What go build -v says, as a line now and then; anything else, such as an error, as it is.
COUNTED := awk '/^go: downloading / {if (++d % 25 == 0) {print "  fetched " d " modules"; fflush()} next} \
  /^[A-Za-z0-9._~\/-]+$$/ {if (++n % 200 == 0) {print "  compiled " n " packages"; fflush()} next} {print; fflush()}'

export CGO_ENABLED ?= 0

##@ Use
.PHONY: help
help: ## List these targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Start everything on this machine with the demo account (ARGS=--once ends at the at-risk table)
	@$(BIN)/kustiq dev --data-dir $(DATA_DIR) $(ARGS)

.PHONY: build
build: tools-present ## Build bin/kustiq and bin/kubectl-kustiq
	@echo "building bin/kustiq and bin/kubectl-kustiq (the first build fetches and compiles all libraries)"
	@go build -v -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/kustiq ./cmd/kubectl-kustiq 2>&1 | $(COUNTED)

.PHONY: image
image: tools-present ## Write container images for IMAGE_PLATFORMS into DIST, without a container engine
	@binaries=""; \
	for platform in $(IMAGE_PLATFORMS); do \
	  echo "building kustiq for $$platform"; \
	  GOOS=$${platform%/*} GOARCH=$${platform#*/} go build -v -trimpath -tags image -ldflags '$(LDFLAGS)' -o $(DIST)/bin/$$platform/kustiq ./cmd/kustiq 2>&1 | $(COUNTED); \
	  binaries="$$binaries $$platform=$(DIST)/bin/$$platform/kustiq"; \
	done; \
	go run -C hack/image . -repository '$(IMAGE)' -version '$(VERSION)' -out $(DIST) \
	  -revision "$$(git rev-parse HEAD 2>/dev/null || true)" -created "$$(git log -1 --format=%ct 2>/dev/null || echo 0)" $$binaries

.PHONY: control-plane
control-plane: build ## Find, download or build etcd, kube-apiserver and kubectl; print their folder
	@$(BIN)/kustiq control-plane

##@ Check
.PHONY: browser
browser: ## Fetch Chromium and axe-core for the browser tests where that is possible
	@hack/browser.sh

.PHONY: postgres
postgres: ## Install PostgreSQL for the tests where there is no server and that is possible
	@hack/postgres.sh

.PHONY: test
test: build browser postgres ## Run every test: unit, real API server, receiver to score, the whole slice
	@assets="$$($(BIN)/kustiq control-plane)"; \
	KUBEBUILDER_ASSETS="$$assets" KUSTIQ_BIN=$(BIN) $(TOOL) gotestsum --format pkgname-and-test-fails --format-hide-empty-pkg \
	  --packages '$(PACKAGES)' -- $(TEST_FLAGS)

.PHONY: e2e
e2e: tools-present ## Install into the cluster of KUBECONFIG, kill pods, roll, upgrade, uninstall (IMAGE_LOAD='kind load image-archive')
	@IMAGE='$(IMAGE)' IMAGE_LOAD='$(IMAGE_LOAD)' VERSION='$(VERSION)' PREVIOUS='$(E2E_PREVIOUS)' DIST='$(DIST)' hack/e2e.sh

.PHONY: fuzz
fuzz: tools-present ## Run every fuzz target for FUZZ_TIME (30s) each
	@for package in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    echo "fuzzing $$package $$target for $(FUZZ_TIME)"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) $$package | grep -v '^fuzz: elapsed'; \
	  done; \
	done

.PHONY: bench
bench: ## Run the benchmarks (make bench PACKAGES=./engine/scoring for one package)
	@go test -run '^$$' -bench . -benchmem -timeout 60m $(PACKAGES)

.PHONY: verify
verify: generate frontend lint ## Fail when generated files, go.mod files or the linter find something to change
	@go mod tidy -diff
	@cd hack/tools && go mod tidy -diff
	@cd hack/controlplane && go mod tidy -diff
	@cd hack/image && go mod tidy -diff
	@cd hack/helm && go mod tidy -diff
	@git diff --exit-code -- $(GENERATED) || { echo "generated files have drifted: commit what make generate wrote"; exit 1; }
	@test -z "$$(git status --porcelain -- $(GENERATED))" || { git status --short -- $(GENERATED); echo "commit the generated files"; exit 1; }
	@echo "no drift"

.PHONY: lint
lint: ## Run the linter, import rules included
	@$(TOOL) golangci-lint run $(PACKAGES)

##@ Change
.PHONY: generate
generate: ## Write deepcopy functions, CRDs and RBAC from the Go types, the API reference, and the manifests from the chart
	@$(TOOL) controller-gen object paths=./api/...
	@$(TOOL) controller-gen crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	@$(TOOL) controller-gen rbac:roleName=kustiq-operator paths=./controllers/... output:rbac:artifacts:config=config/rbac
	@$(TOOL) crd-ref-docs --log-level=ERROR --source-path=api --config=hack/reference/config.yaml --renderer=markdown --output-path=docs/reference/api.md
	@cp config/crd/bases/*.yaml charts/kustiq/files/crds/
	@cp config/rbac/{role,role_bindings,dashboard,tenant_roles}.yaml charts/kustiq/files/rbac/
	@$(HELM) template kustiq charts/kustiq -n kustiq-system --kube-version $(KUBERNETES) --set crds.install=false \
	  | awk -f hack/workloads.awk > config/workloads/workloads.yaml

.PHONY: frontend
frontend: ## Bundle what the dashboard's pages load (needs node and npm)
	@cd dashboard/frontend && npm ci --silent && npm run --silent build

.PHONY: screenshots
screenshots: browser ## Take the pictures of docs/dashboard.md anew (needs Chromium)
	@mkdir -p docs/images
	@KUSTIQ_BIN=$(BIN) KUSTIQ_PICTURES=$(CURDIR)/docs/images go test -count=1 -run TestPicturesForTheDocs ./test/browser

.PHONY: fmt
fmt: ## Format the Go code
	@gofmt -w $$(git ls-files '*.go')

.PHONY: clean
clean: ## Remove what was built and the data of make run (the control plane stays in the user's cache)
	@rm -rf $(BIN) $(DATA_DIR) $(DIST)

.PHONY: tools-present
tools-present:
	@command -v go >/dev/null || { echo "Kustiq builds with Go 1.26 or newer, and the go command is not on the PATH: see https://go.dev/doc/install"; exit 1; }
