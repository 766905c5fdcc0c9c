# migration-gate: everything a contributor runs. `make` lists it.
#
# The targets work as root and as an ordinary user, with and without a Docker
# engine, and say what they skipped. Only Go and git must be there already.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help

BIN         := bin/migration-gate
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
ACTIONLINT  := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
# Packages to test, and anything more for `go test` (ARGS='-run Foo -v').
PKG  ?= ./... ./testdata/summary ./testdata/support
ARGS ?=

# PostgreSQL's grammar is C; where there is no compiler, go itself turns cgo off
# and the grammar's wasm twin takes over.

# The commit goes into the binary where git answers for this checkout; one of
# another owner, or none at all, must not stop the build.
BUILD := go build -trimpath -buildvcs=$(shell git status --porcelain >/dev/null 2>&1 && echo true || echo false)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/migration-gate
	$(BUILD) -o $(BIN) .

.PHONY: dist
dist: ## dist/migration-gate, statically linked, for other machines of this kind
	$(BUILD) -tags netgo,osusergo -ldflags '-s -w -linkmode external -extldflags "-static"' -o dist/migration-gate .
	@! ldd dist/migration-gate 2>/dev/null | grep '=>' || { echo 'dist/migration-gate is not static' >&2; exit 1; }

.PHONY: demo
demo: build ## gate a dangerous change and its safe rewrite on a million orders (ENGINE=mysql, LAYOUT=flyway)
	@ENGINE=$(ENGINE) LAYOUT=$(LAYOUT) testdata/demo/demo.sh

.PHONY: demos
demos: build ## the demonstration in every layout, on fewer orders
	@$(call recorded,make demos) \
	for layout in golang-migrate goose dbmate flyway sql-migrate plain; do \
	  log=$$(LAYOUT=$$layout DEMO_ORDERS=200000 testdata/demo/demo.sh 2>&1) || { printf '%s\n' "$$log"; exit 1; }; \
	  printf '%-15s %s\n' "$$layout" "$$(printf '%s\n' "$$log" | tail -n 1)"; \
	done && $(call compared,make demos)

# What tests prove is recorded, and docs/support.md held against it (UPDATE=1
# makes the page what they proved).
recorded = MG_SUPPORT=$$(mktemp) && export MG_SUPPORT && trap 'rm -f "$$MG_SUPPORT"' EXIT &&
compared = go run ./testdata/support -by "$(1)" $(if $(UPDATE),-update) $(if $(CI),,-lenient) "$$MG_SUPPORT"

.PHONY: prepare
prepare: ## install what the tests need, where this user may
	@testdata/install.sh cc postgresql bzip2 lz4 xz zstd mydumper mysql mariadb

.PHONY: test
test: prepare ## all tests
	@# -count 1: go's cache knows nothing of servers and programs that came or went.
	@$(call recorded,make test) \
	go test $(if $(filter -v,$(ARGS)),,-json) -count 1 -timeout 20m $(ARGS) $(PKG) $(if $(filter -v,$(ARGS)),,| go run ./testdata/summary) \
	$(if $(ARGS)$(if $(filter ./...,$(PKG)),,part),,&& $(call compared,make test))

.PHONY: test-tools
test-tools: prepare ## the layouts held against the real migration tools
	@testdata/install.sh dbmate flyway
	@$(call recorded,make test-tools) \
	go test $(if $(filter -v,$(ARGS)),,-json) -count 1 -timeout 20m $(ARGS) ./testdata/toolstest $(if $(filter -v,$(ARGS)),,| go run ./testdata/summary) \
	$(if $(ARGS),,&& $(call compared,make test-tools))

.PHONY: image
image: ## the container image migration-gate:dev (BASE=debian:trixie-slim)
	@BASE=$(BASE) testdata/images/product.sh migration-gate:dev

.PHONY: test-images
test-images: ## the container tests and the image's own, on images built here from Debian packages
	@testdata/images/test.sh $(ARGS)

.PHONY: pre-commit
pre-commit: ## the pre-commit hooks, installed by pre-commit itself from this checkout
	@testdata/pre-commit.sh

.PHONY: act
act: ## the example workflow under nektos/act: a pull request that fails, and one that passes
	@testdata/act/act.sh

.PHONY: lint
lint: ## gofmt, vet, staticcheck and actionlint
	@out=$$(gofmt -l $$(git ls-files '*.go')) && { [ -z "$$out" ] || { echo "not gofmt-ed:"; echo "$$out"; exit 1; }; }
	@for f in $$(git ls-files '*.sh' .ci/run); do bash -n "$$f" || exit 1; done
	go vet -C testdata/tools .
	go vet ./... ./testdata/summary ./testdata/support ./testdata/histories ./testdata/toolstest ./testdata/images/product
	CGO_ENABLED=0 go vet ./gate/migration/...
	go run $(STATICCHECK) ./... ./testdata/summary ./testdata/support ./testdata/histories ./testdata/toolstest ./testdata/images/product
	go run $(ACTIONLINT) -shellcheck= -pyflakes= .github/workflows/*.yml testdata/act/migrations.yml

.PHONY: fmt
fmt: ## gofmt -w
	gofmt -w $$(git ls-files '*.go')

.PHONY: bench
bench: prepare ## the figures of the README: accuracy, cost, start-up
	go test -p 1 -run '^$$' -bench . -benchtime 1x -timeout 60m $(ARGS) $(PKG) | grep -v 'no test files'

.PHONY: histories
histories: build ## replay real projects' histories as pull requests (ONLY=names CLONES=dir)
	@go run ./testdata/histories -only '$(ONLY)' -clones '$(CLONES)'

.PHONY: soak
soak: prepare ## the tests again and again under the race detector (N=10), and real fuzzing (FUZZ=5m each)
	go test -race -count $(or $(N),10) -timeout 3h $(ARGS) $(PKG)
	MG_FUZZ_FILES=2000 go test -timeout 2h -run 'PiecesDoWhatPsqlDoes' ./gate/migration ./snapshot/postgres
	for f in migration.FuzzLexer migration.FuzzSplit migration.FuzzFacts postgres.FuzzSplitAsTheGrammar postgres.FuzzSplit; do \
	  case $$f in migration.*) p=./gate/migration ;; *) p=./snapshot/postgres ;; esac; \
	  go test -run '^$$' -fuzz "^$${f#*.}$$" -fuzztime $(or $(FUZZ),5m) -fuzzminimizetime 10x $$p || exit; \
	done

.PHONY: clean
clean: ## what was built here; not what targets of yours are running
	rm -rf bin dist
