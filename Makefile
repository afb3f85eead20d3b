# Everything a newcomer or a machine runs. `make` alone lists it.
#
# Each target sets up what it needs in .venv, once: a stamp file in there says that it is done, and the work is done
# again only when pyproject.toml or constraints.txt are newer.

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check --no-input install -qq --constraint constraints.txt

# The first Python that is new enough and can make a virtualenv. Debian's own may lack that part (python3-venv), and
# one put in front of it by a version manager may be too old: so both are asked.
ABLE   := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach python,python3 /usr/bin/python3,\
            $(shell $(python) -c '$(ABLE)' 2>/dev/null && echo $(python))))

# $(call needs,COMMAND,PACKAGE) ends it at once, with a sentence, where a command is missing.
needs = @command -v $(1) >/dev/null || { echo "This needs the command $(1). On Debian: apt-get install $(2)" >&2; exit 1; }

ARGS ?=

# So many tests at a time: most of them wait for processes of their own. Those of one file stay together, in order.
WORKERS ?= 4
PYTEST  := $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile

# What takes five minutes hangs; but packages and whole machines have to be made before the first test of them.
PATIENT := -o faulthandler_timeout=900

.DEFAULT_GOAL := help
.PHONY: help run test test-system test-systemd check format bench night picture bundle deb clean

help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run  ## start a collector and an agent for this very host (ARGS="--port 9000" is handed on)
	@exec $(BIN)/watchkeeper up $(ARGS)

test: $(VENV)/.dev  ## run the tests of all parts, some minutes (ARGS="-k spool" is handed on)
	@exec $(PYTEST) --ignore=tests/system --ignore=tests/systemd $(ARGS)

test-system: $(VENV)/.dev  ## run the slow ones: whole programs that are killed, cut off, and looked at in a browser
	@exec $(PYTEST) tests/system $(ARGS)

test-systemd: $(VENV)/.dev  ## install the Debian packages on machines with a real systemd, and try them (needs root)
	@exec $(BIN)/python -m pytest tests/systemd $(PATIENT) $(ARGS)

check: $(VENV)/.dev  ## look the code over: style, layout, types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(VENV)/.dev  ## repair what can be repaired without thinking
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(VENV)/.dev  ## measure, and print the table
	@exec $(BIN)/python -m tests.bench $(ARGS)

night: $(VENV)/.dev  ## live through a scripted night and write docs/a-night.md
	$(call needs,ip,iproute2)
	$(call needs,chromium,chromium)
	@test "$$(id -u)" = 0 || { echo "This makes network namespaces, and needs root for it." >&2; exit 1; }
	@exec $(BIN)/python -m tests.system.night $(ARGS)

picture: $(VENV)/.dev  ## take the pictures of the README and of docs/advice.md from real pages
	$(call needs,chromium,chromium)
	@exec $(BIN)/python -m tests.system.picture $(ARGS)

bundle: $(VENV)/.run  ## build what the collector's installer brings to hosts (ARGS="cp311-x86_64" for one kind alone)
	@PIP='$(BIN)/python -m pip' PYTHON=$(BIN)/python packaging/bundle/build $(VENV)/bundles $(ARGS)

deb: $(VENV)/.run  ## build the Debian packages, into dist/
	@PIP='$(BIN)/python -m pip' packaging/deb/build dist

clean:  ## remove what make has made (what was measured, in .watchkeeper, stays)
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find agent rules collector tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with its venv module is needed. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up a virtualenv of our own in $(VENV) ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing Watchkeeper and what it stands on (the first time this takes a minute) ..."
	@$(PIP) --upgrade setuptools
	@$(PIP) --no-build-isolation --editable '.[collector]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "Installing what the tests and checks need ..."
	@$(PIP) --no-build-isolation --editable '.[collector,dev]'
	@touch $@
