# Two commands do everything: `make up` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
SWIFT ?= swift
# What `make up` runs: `release` (what users get) or `debug` (builds in half the time).
CONFIG ?= release
ARGS ?=
# Programs for users carry Swift's own libraries in them: nothing has to be installed beside.
BUILD := $(SWIFT) build -c $(CONFIG) $(if $(filter release,$(CONFIG)),--static-swift-stdlib)
STAMPS := .build/stamps
# Suites that need the processor or the clock for themselves: they run one group after the other, and the rest last.
TEST_GROUPS := 'Network' 'EndToEnd' 'Simulation|ObjectStoreTests|MetaManagerTests|SyncControllerTests' 'Loopback|HTTPServingTests|EdgeTransportTests'
.DEFAULT_GOAL := help

.PHONY: help up down build test check format bench sim clean deps test-deps

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: build  ## installs what is missing, builds, starts everything on one machine, runs a pod on the edge node
	@.build/$(CONFIG)/kubeedge up $(ARGS)

down:  ## stops and cleans what `make up` made
	@.build/$(CONFIG)/kubeedge down $(ARGS)

build: deps  ## builds the programs
	@scripts/step "building the programs ($(CONFIG))" $(BUILD) --product kubeedge
	@scripts/step "building cloudcore ($(CONFIG))" $(BUILD) --product cloudcore
	@scripts/step "building edgecore ($(CONFIG))" $(BUILD) --product edgecore

test: test-deps  ## installs what is missing, builds, runs every test
	@scripts/step "building the tests" $(SWIFT) build --build-tests
	@$(if $(ARGS),,for group in $(TEST_GROUPS); do $(SWIFT) test --skip-build --disable-xctest --filter "^($$group)\." || exit 1; done)
	@$(SWIFT) test --skip-build --disable-xctest $(or $(ARGS),$(foreach group,$(TEST_GROUPS),--skip "^($(subst ',,$(group)))\."))

check: deps  ## formatting, house rules, warnings as errors
	@scripts/step "formatting" $(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Testing Tests
	@scripts/step "building tidy" env ROOMS=TidyRules,tidy $(SWIFT) build --scratch-path .build/tidy --product tidy
	@.build/tidy/debug/tidy .

format:  ## formats every file
	@$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Testing Tests

bench: build  ## the benchmarks with their tables
	@Benchmarks/run $(ARGS)

sim: test-deps  ## the simulation over a range of seeds: make sim SEEDS=10000 FROM=0
	@SIM_SEEDS=$(or $(SEEDS),1000) SIM_FROM=$(or $(FROM),0) ROOMS=Simulation $(SWIFT) test --disable-xctest --filter Simulation

deps: $(STAMPS)/packages

test-deps: deps $(STAMPS)/test-packages

$(STAMPS)/packages: scripts/install-packages
	@scripts/install-packages libsqlite3-dev libyaml-dev zlib1g-dev containerd runc containernetworking-plugins busybox-static iproute2 iptables
	@mkdir -p $(@D) && touch $@

$(STAMPS)/test-packages: scripts/install-packages
	@scripts/install-packages sqlite3 kubectl python3-venv docker-registry apache2-utils
	@scripts/python-client .build/python
	@mkdir -p $(@D) && touch $@

clean:  ## removes what was built
	@rm -rf .build
