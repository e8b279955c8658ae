# One verb per chore. Each first makes what it needs, in .venv, with plain pip and no root.
#
#   make run ARGS="--port 8000"        make test ARGS="-k wire"        make run PYTHON=python3.12

PY := .venv/bin/python
# Apart, so that the app's environment stays lean.
AUDIT := .venv-audit/bin/python

# A user's own settings for Python and pip must not reach into .venv.
unexport PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX
export PIP_USER := 0

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test lint format bench soak fuzz audit clean tfjs venv ready-run ready-dev ready-audit

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo '  ARGS="..." is handed on, for example: make run ARGS="--port 8000", make test ARGS="-k wire"'

run: ready-run ## start the app on the sample
	@$(PY) -m tfjs || echo "The app goes on without it: text is written on the server only. make tfjs tries again." >&2
	@exec $(PY) app.py $(ARGS)

test: ready-dev tfjs ## run every test, the page in real Chromium included
	@$(PY) -m tests.browser.chromium
	$(PY) -m pytest $(ARGS)

lint: ready-dev ## check style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: ready-dev ## write the code in the one style, and mend what can be mended
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

bench: ready-dev ## measure it: prints a table, writes JSON
	$(PY) -m benchmarks $(ARGS)

soak: ready-dev ## use it for minutes at random, and look whether it holds more than before
	INFERENCE_SOAK_FRAMES=100000 $(PY) -m pytest -s tests/soak $(ARGS)

fuzz: ready-dev ## feed every parser with bytes that nobody thought of, ten seconds each
	$(PY) -m fuzz $(ARGS)

audit: ready-audit ## ask whether a pinned package has a known vulnerability; one that cannot be asked for fails
	@for pins in run dev audit npm; do \
	  $(AUDIT) -m pip_audit --strict --no-deps --disable-pip --progress-spinner off -r requirements/$$pins.txt $(ARGS) || exit 1; \
	done

tfjs: ready-run ## fetch TF.js, which writes text in the browser
	@$(PY) -m tfjs

clean: ## remove .venv and every cache
	rm -rf .venv .venv-audit tfjs/served fuzz/crashes .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name .git -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

# A .venv that starts, has pip and is of the version asked for is kept; a broken or half-made one is made again.
# PYTHON names the interpreter. Without it the first that fits is taken, python3 before the others.
fits := import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))
version := import sys; print("%d.%d" % sys.version_info[:2])
install_one := install one, or name one: make run PYTHON=/path/to/python3.12
venv:
	@found=; \
	for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python3.10); do \
	  if "$$python" -c '$(fits)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if $(PY) -c 'import pip; $(fits)' 2>/dev/null; then \
	  [ -n "$(PYTHON)" ] || exit 0; \
	  [ -z "$$found" ] || [ "$$($(PY) -c '$(version)')" != "$$("$$found" -c '$(version)')" ] || exit 0; \
	fi; \
	if [ -z "$$found" ]; then \
	  python="$(or $(PYTHON),python3)"; \
	  echo "error: Python 3.10 to 3.13 is needed, and $$python is $$("$$python" --version 2>/dev/null || echo missing) ($(install_one))" >&2; \
	  exit 1; \
	fi; \
	if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "error: $$found has no venv or no ensurepip: install them (on Debian and Ubuntu: apt-get install python3-venv)" >&2; \
	  exit 1; \
	fi; \
	echo "Making .venv with $$("$$found" --version)"; \
	"$$found" -m venv --clear .venv

# The development pins hold all of the run-time ones, so that both are ready after them.
ready-run: venv
	$(call install,run,.venv/.ready-run)

ready-dev: venv
	$(call install,dev,.venv/.ready-run .venv/.ready-dev)

ready-audit: venv
	@[ ! .venv-audit/.ready -nt requirements/audit.txt ] || exit 0; \
	$(PY) -m venv --clear .venv-audit && \
	$(AUDIT) -m pip install --disable-pip-version-check --no-input --progress-bar off -q -r requirements/audit.txt && \
	touch .venv-audit/.ready

# pip prints pages; one line that moves says as much. On a terminal only: in a log its silence is right.
# pip's exit status goes round the pipe through a file, because not every /bin/sh knows pipefail.
define install
	@[ ! .venv/.ready-$(1) -nt requirements/$(1).txt ] || exit 0; \
	echo "Installing requirements/$(1).txt into .venv (3.4 GB when done, some minutes the first time) ..."; \
	if [ -t 1 ]; then line='\r\033[K  %.70s'; wipe='\r\033[K'; else line=; wipe=; fi; \
	rm -f .venv/.ready-*; \
	{ $(PY) -m pip install --disable-pip-version-check --no-input --progress-bar off -r requirements/$(1).txt \
	    2> .venv/.pip-errors; echo $$? > .venv/.pip-status; } | while read -r said; do \
	  case $$said in Collecting*|Processing*|Installing*) printf "$$line" "$$said";; esac; done; printf "$$wipe"; \
	[ "$$(cat .venv/.pip-status)" = 0 ] || { cat .venv/.pip-errors >&2; \
	  echo "error: pip could not install requirements/$(1).txt: its message is above" >&2; exit 1; }; \
	touch $(2)
endef
