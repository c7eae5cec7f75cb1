# make test   set up everything, and run the tests with both Qt bindings
# make demo   set up everything, and show what the plugin does
# make lint   format, lint, type and import checks
# make docs   build the documentation into out/docs
# make docs-pictures   draw the pictures of the documentation
#
# PYTHON=python3.12 chooses the interpreter of the environment in .venv.
# VENV=FOLDER uses an environment of your own; nothing is installed into it.

PYTHON ?= python3
VENV ?= .venv

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
SYSTEM := Windows
else
BIN := $(VENV)/bin
SYSTEM := $(shell uname -s)
endif
PY := $(BIN)/python

# Linux without a display draws to a virtual one.
ON_DISPLAY :=
TEST_JOBS := 1
DEMO_OPTIONS :=
ifeq ($(SYSTEM),Linux)
ifeq ($(DISPLAY)$(WAYLAND_DISPLAY),)
ON_DISPLAY := xvfb-run -a -s "-screen 0 1600x1000x24"
# On displays of their own, windows of several runs do not take the focus from each other.
TEST_JOBS := 2
DEMO_OPTIONS := --headless --picture out/demo.png --json out/demo.json
endif
endif

METHOD := tests/editing tests/network tests/traversal
TEST_READY :=
LINT_READY :=
DOCS_READY :=
ifeq ($(origin VENV),file)
TEST_READY := $(VENV)/.ready-test
LINT_READY := $(VENV)/.ready-lint
DOCS_READY := $(VENV)/.ready-docs
endif

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DELETE_ON_ERROR:
.PHONY: test test-core test-method test-pyqt6 test-pyside6 demo lint docs docs-pictures system-packages

# Small arrays all over the tests: more threads only wait for each other.
test test-core test-method test-pyqt6 test-pyside6: export OMP_NUM_THREADS = 1
test: $(TEST_READY) system-packages
	$(MAKE) --no-print-directory --output-sync=target --jobs=$(TEST_JOBS) test-pyside6 test-pyqt6 test-core test-method

# In two halves: whoever of two jobs ends first takes the next.
test-core: $(TEST_READY)
	PYTEST_QT_API=pyqt6 $(PY) -m pytest $(METHOD:%=--ignore=%) --ignore=tests/plugin $(PYTEST_OPTIONS)

test-method: $(TEST_READY)
	PYTEST_QT_API=pyqt6 $(PY) -m pytest $(METHOD) $(PYTEST_OPTIONS)

test-pyqt6 test-pyside6: $(TEST_READY) system-packages
	QT_API=$(@:test-%=%) PYTEST_QT_API=$(@:test-%=%) $(ON_DISPLAY) $(PY) -m pytest tests/plugin $(PYTEST_OPTIONS)

demo: $(TEST_READY) system-packages
	$(if $(DEMO_OPTIONS),mkdir -p out)
	$(BIN)/napari-spaceediting demo $(DEMO_OPTIONS)
	$(if $(DEMO_OPTIONS),@echo "No display: see out/demo.png and out/demo.json.")

lint: $(LINT_READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(BIN)/lint-imports --no-cache
	$(PY) -m npe2 validate napari.yaml

# A link within the pages that leads nowhere is a warning, and a warning an error.
docs: $(DOCS_READY)
	$(PY) -m sphinx --fail-on-warning --keep-going --fresh-env --builder html docs out/docs
	@echo "See out/docs/index.html."

docs-pictures: $(TEST_READY) system-packages
	$(ON_DISPLAY) $(PY) docs/make_pictures.py

system-packages:
	@sh tools/system-packages.sh

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.ready-test: $(VENV)/pyvenv.cfg pyproject.toml
	$(PY) -m pip install --editable ".[test]"
	@touch $@

$(VENV)/.ready-lint: $(VENV)/.ready-test
	$(PY) -m pip install --group dev
	@touch $@

$(VENV)/.ready-docs: $(VENV)/pyvenv.cfg pyproject.toml
	$(PY) -m pip install --editable ".[docs]"
	@touch $@
