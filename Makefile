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
PKG  ?= ./... ./testdata/summary
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
demo: build ## gate a dangerous change and its safe rewrite on a million orders (ENGINE=mysql)
	@ENGINE=$(ENGINE) testdata/demo/demo.sh

.PHONY: prepare
prepare: ## install what the tests need, where this user may
	@testdata/install.sh cc postgresql xz mydumper mysql mariadb

.PHONY: test
test: prepare ## all tests
	@# -count 1: go's cache knows nothing of servers and programs that came or went.
	go test $(if $(filter -v,$(ARGS)),,-json) -count 1 -timeout 20m $(ARGS) $(PKG) $(if $(filter -v,$(ARGS)),,| go run ./testdata/summary)

.PHONY: image
image: ## the container image migration-gate:dev (BASE=debian:trixie-slim)
	@BASE=$(BASE) testdata/images/product.sh migration-gate:dev

.PHONY: test-images
test-images: ## the container tests and the image's own, on images built here from Debian packages
	@testdata/images/test.sh $(ARGS)

.PHONY: act
act: ## the example workflow under nektos/act: a pull request that fails, and one that passes
	@testdata/act/act.sh

.PHONY: lint
lint: ## gofmt, vet, staticcheck and actionlint
	@out=$$(gofmt -l $$(git ls-files '*.go')) && { [ -z "$$out" ] || { echo "not gofmt-ed:"; echo "$$out"; exit 1; }; }
	@for f in $$(git ls-files '*.sh' .ci/run); do bash -n "$$f" || exit 1; done
	go vet ./... ./testdata/summary ./testdata/images/product
	CGO_ENABLED=0 go vet ./gate/migration/...
	go run $(STATICCHECK) ./... ./testdata/summary ./testdata/images/product
	go run $(ACTIONLINT) -shellcheck= -pyflakes= .github/workflows/*.yml testdata/act/migrations.yml

.PHONY: fmt
fmt: ## gofmt -w
	gofmt -w $$(git ls-files '*.go')

.PHONY: bench
bench: prepare ## the figures of the README: accuracy, cost, start-up
	go test -p 1 -run '^$$' -bench . -benchtime 1x -timeout 60m $(ARGS) $(PKG) | grep -v 'no test files'

.PHONY: soak
soak: prepare ## the tests again and again under the race detector (N=10)
	go test -race -count $(or $(N),10) -timeout 3h $(ARGS) $(PKG)

.PHONY: clean
clean: ## what was built here; not what targets of yours are running
	rm -rf bin dist
