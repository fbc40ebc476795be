# `make` sets everything up and does the main job; `make help` lists the doors.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
SAMPLE := build/sample
# Small models: one thread for each process is fastest, and two that fight for a core are very slow.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PYTHONPATH := $(CURDIR)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := all
.PHONY: all help setup bubblewrap build check-build sample grade test doors resilience browser execute untouched colab lab bench release lint lock clean site site-check

all: build grade ## set up, build the notebooks, grade the sample class (what `make` does)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## make .venv with the exact versions of requirements.lock

$(READY): requirements.lock
	@echo "Setting up $(VENV): torch alone takes some minutes"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --progress-bar on --disable-pip-version-check -r requirements.lock
	@# the checkout itself: `import dlcourse` in every kernel, `python -m autograder` from anywhere
	@echo "$(CURDIR)" > "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/course.pth"
	@touch $@

bubblewrap:
	@command -v bwrap > /dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq bubblewrap; } > /dev/null 2>&1 \
	  || { echo "Error: bubblewrap is needed to grade: sudo apt-get install bubblewrap"; exit 1; }

build: $(READY) ## student notebooks and keys from the masters, and the assignments for otter and nbgrader in build/
	@$(PY) -m autograder build
	@$(PY) -m autograder assignments

check-build: $(READY) ## fail if what is committed is not what the masters make
	@$(PY) -m autograder build --check

sample: $(READY)
	@$(PY) -m autograder sample --out $(SAMPLE)/submitted

grade: sample bubblewrap ## grade the sample class in the sandbox
	@$(PY) -m autograder grade $(SAMPLE)/submitted --out $(SAMPLE)/graded

test: $(READY) bubblewrap check-build lint ## the tests, in about 5 minutes
	$(PY) -m pytest -q -n 2 --dist worksteal

doors: $(READY) bubblewrap ## grade the sample class with otter and nbgrader too, and compare
	$(PY) -m pytest -q -m slow -n 2 --dist loadgroup

resilience: $(READY) bubblewrap ## kill the grader at twenty moments, and a worker of its cluster; grade a thousand broken notebooks
	$(PY) -m pytest -q -m resilience

browser: $(READY) ## a student's first hour in JupyterLab, in a real browser (needs chromium)
	$(PY) -m pytest -q -m browser

execute: $(READY) ## run every reference notebook; kept with outputs in build/solutions
	@$(PY) -m autograder execute

untouched: $(READY) ## run every student notebook as it is handed out
	@$(PY) -m autograder execute --untouched

colab: $(READY) ## a notebook where nothing of the course is installed, as in Colab; from a release, with packages from PyPI
	@$(PY) -m tests.colab

lab: $(READY) ## JupyterLab on the notebooks
	$(VENV)/bin/jupyter lab --notebook-dir notebooks

bench: $(READY) bubblewrap ## CPU seconds, peak memory and latencies, kept in build/bench.json
	@$(PY) -m autograder bench

release: $(READY) ## write the public course repository: make release DEST=../student-repo
	@test -n "$(DEST)" || { echo "Error: say where to: make release DEST=../student-repo"; exit 1; }
	@$(PY) -m autograder build
	@$(PY) -m autograder release "$(DEST)"

site: $(READY) ## the book: executed notebooks without answers, guides and API, as one static site in build/site/html
	@$(PY) -m autograder.build.book

site-check: site/node_modules ## read every page of the book in a browser, without a network (needs node and chromium)
	@node site/check.cjs build/site/html

site/node_modules: site/package.json
	@npm install --prefix site --no-package-lock --no-audit --no-fund --silent && touch $@

lint: $(READY)
	@$(VENV)/bin/ruff check --quiet .

lock: $(READY) ## show what is installed, to renew requirements.lock by hand
	@$(PY) -m pip freeze | grep -viE '^(nvidia|triton|cuda)'

clean: ## remove .venv and everything in build/
	rm -rf $(VENV) build
