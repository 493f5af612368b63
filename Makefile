# Sotto. `make help` lists the targets; `make run` is the one to start with.

GO       ?= go
NPM      ?= npm
FUZZTIME ?= 20s
LISTEN   ?= :8443

# Where tests leave screenshots and recordings.
ARTIFACTS ?= artifacts

# The version is stamped here and not by the Go tool, which fails in a work
# tree that belongs to another user.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/sotto-sfu/sotto/internal/buildinfo.version=$(VERSION)
BUILD   := $(GO) build -trimpath -buildvcs=false -ldflags='$(LDFLAGS)'
TOOL    := $(GO) tool -modfile=tools/go.mod
NPM_CI  := $(NPM) ci --no-audit --no-fund --loglevel=error

WEB_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' \
	-not -path 'web/public/core.wasm*' -not -path 'web/public/wasm_exec.js' \
	-not -name '*.go' -not -path 'web/test*' 2>/dev/null)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run build web wasm test test-go test-web e2e browsers lint lint-go lint-web lint-docs fmt fuzz bench interop clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build everything and serve on https://localhost:8443
	@exec bin/sotto-sfu serve --listen '$(LISTEN)'

build: web ## build the page and both programs into bin/
	@mkdir -p bin
	$(BUILD) -o bin/ ./cmd/...

# --- the page -----------------------------------------------------------------

web: web/dist/index.html ## build the page into web/dist

web/dist/index.html: $(WEB_SOURCES) web/node_modules/.package-lock.json web/public/core.wasm web/public/wasm_exec.js
	cd web && $(NPM) run --silent build
	@touch web/dist/.gitkeep $@

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && $(NPM_CI)
	@touch $@

# The Go tool knows best whether the core is up to date, so it always looks; a
# file that did not change keeps its time, and the page is not built again.
wasm: web/public/core.wasm ## build the end-to-end encryption core
web/public/core.wasm: FORCE
	@mkdir -p bin web/public
	GOOS=js GOARCH=wasm $(GO) build -trimpath -buildvcs=false -ldflags='-s -w' -o bin/core.wasm ./web/wasm
	@cmp -s bin/core.wasm $@ || cp bin/core.wasm $@

web/public/wasm_exec.js: FORCE
	@mkdir -p web/public
	@cmp -s "$$($(GO) env GOROOT)/lib/wasm/wasm_exec.js" $@ || cp "$$($(GO) env GOROOT)/lib/wasm/wasm_exec.js" $@

.PHONY: FORCE
FORCE:

# --- checks -------------------------------------------------------------------

test: test-go test-web e2e ## every test: Go with the race detector, the page, real browsers

# One package at a time: calls run against the clock, and a neighbour that
# takes both cores of a small machine would be taken for a bad network.
test-go: ## the Go tests, with the race detector
	@scripts/ensure-tools
	$(GO) build -race ./...
	$(GO) test -race -p 1 -timeout 15m ./...

test-web: web/node_modules/.package-lock.json web/public/core.wasm web/public/wasm_exec.js ## the page's unit tests, and its core in Node
	cd web && $(NPM) test --silent
	node web/wasm/smoke.mjs web/public/core.wasm

e2e: build browsers e2e/node_modules/.package-lock.json ## calls in real browsers; E2E=name picks tests
	@mkdir -p $(ARTIFACTS)
	cd e2e && node run.mjs $(E2E)

browsers: ## find Chromium and Firefox, or install them on Debian
	@scripts/ensure-browsers

e2e/node_modules/.package-lock.json: e2e/package-lock.json
	cd e2e && $(NPM_CI)
	@touch $@

interop: interop/node_modules/.package-lock.json ## MLS against ts-mls, an independent implementation; SEED=n
	cd interop && $(GO) vet -tags interop . && SEED=$(SEED) $(GO) test -tags interop -count=1 -timeout 10m

interop/node_modules/.package-lock.json: interop/package-lock.json
	cd interop && $(NPM_CI)
	@touch $@

lint: lint-go lint-web lint-docs ## formatting, vet, staticcheck, tsc, the page's linter, links

lint-go:
	@scripts/gofumpt-check
	$(GO) vet ./...
	GOOS=js GOARCH=wasm $(GO) vet ./web/wasm
	$(TOOL) staticcheck ./...
	staticcheck="$$($(TOOL) -n staticcheck)" && GOOS=js GOARCH=wasm "$$staticcheck" ./web/wasm

lint-web: web/node_modules/.package-lock.json
	cd web && $(NPM) run --silent check

lint-docs:
	@scripts/check-links

fmt: ## format the Go code
	$(TOOL) gofumpt -l -w $$(scripts/go-files)

fuzz: ## run every fuzz target for FUZZTIME (default 20s)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz

bench: ## run every benchmark
	$(GO) test -run '^$$' -bench . -benchmem ./...

clean: ## remove what was built; the data folder stays
	rm -rf bin $(ARTIFACTS) web/public/core.wasm* web/public/wasm_exec.js web/node_modules e2e/node_modules interop/node_modules
	find web/dist -mindepth 1 -not -name .gitkeep -delete
