# The commands that stay fixed; docs/development.md says more about each.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PORT ?= 8000

.PHONY: venv cli demo test lint bench faults browser screenshots lock

venv: $(VENV)/.stamp

$(VENV)/.stamp: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Causeway needs Python 3.11 or newer; set PYTHON= to one."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	  || { echo "Python's venv module is missing (Debian: apt-get install python3-venv)."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV); this takes a minute or two."
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# globus-cli, for the tests of the sandbox. It has an environment of its own because it
# pins another globus-sdk than the portal's.
cli: .venv-cli/.stamp

.venv-cli/.stamp: requirements-cli.txt | venv
	@$(PYTHON) -m venv .venv-cli
	@echo "Installing globus-cli into .venv-cli."
	.venv-cli/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-cli.txt
	@touch $@

# exec, so that make's signals reach the demo itself; and should make be killed with one
# that cannot be passed on, the demo sees that its parent is gone.
demo: venv
	@exec $(PY) manage.py demo --stop-with-parent --port $(PORT) $(if $(ONCE),--once)

# Browser tests drive Debian's Chromium, or the one that CHROMIUM names.
browser:
	@sh tests/browser/install.sh

# A third of the time tests wait for a browser, a worker or a server: three for two cores.
WORKERS = $(shell $(PYTHON) -c 'import os; print(len(os.sched_getaffinity(0)) * 3 // 2)')

test: venv cli browser
	$(PY) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: venv
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy .
	$(PY) -m djlint templates sandbox/templates --check --lint --quiet
	$(PY) -m tests.lint

bench: venv
	$(PY) -m bench $(if $(ONLY),--only $(ONLY))

faults: venv
	$(PY) -m bench --faults $(if $(ONLY),--only $(ONLY))

# The pictures in docs/images.
screenshots: venv browser
	$(PY) -m tests.browser.for_docs

# Writes the lock files anew from requirements*.in. Needs uv.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 requirements.in -o requirements.txt
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 requirements-cli.in -o requirements-cli.txt
