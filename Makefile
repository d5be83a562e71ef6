# A thin door to meson, ninja and the scripts in tools/. `make help` lists what there is.
BUILD  ?= build/plain
PREFIX ?= /usr/local
PYTHON ?= /usr/bin/python3
DEPS   ?= build test
export PYTHON

all: ## build the program: build/plain/holdfast
	@tools/deps.sh build
	@tools/build.sh plain

run: all ## start the demonstration: a region dies, the answers move
	$(BUILD)/holdfast demo

test: ## run every test; the last line is "N passed, N failed"
	@tools/deps.sh build test
	@$(PYTHON) tools/test_run.py

bench: ## compare with NSD, Knot, gdnsd and PowerDNS
	@tools/deps.sh build test bench
	@tools/build.sh plain
	@bench/run

fuzz: ## run each fuzz target for FUZZ_SECONDS (30)
	@tools/deps.sh build fuzz
	@tools/fuzz.sh

lint: ## clang-format, clang-tidy, cppcheck, gcc -fanalyzer, the checks of the tree
	@tools/deps.sh build lint
	@tools/lint.sh

format: ## lay the C files out (clang-format 14)
	@tools/deps.sh lint
	find src sim test bench -name '*.[ch]' -print0 | xargs -0 clang-format-14 -i

install: all ## install under DESTDIR and PREFIX (/usr/local)
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	meson install -C $(BUILD)

deps: ## install the Debian packages that are missing (DEPS="build test bench lint fuzz")
	@tools/deps.sh $(DEPS)

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: all run test bench fuzz lint format install deps clean help
