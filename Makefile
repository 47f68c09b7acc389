# `make demo` shows it, `make install` sets it up for your Slack, `make test` tests it. Each sets up what it needs first.
VENV ?= .venv
PYTHON ?= python3
READY := $(VENV)/.ready
INSTALLED := $(VENV)/.installed
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo install test images check pictures system-packages clean

# Everything is installed at the versions of constraints.txt; done again only when they or the dependencies change.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) hatchling editables
	$(PIP) torch==2.13.0
	$(PIP) --no-build-isolation -e '.[model]'
	touch $@

$(READY): $(INSTALLED)
	$(PIP) --no-build-isolation -e '.[model,dev]'
	touch $@

# What a real Slack needs: the environment, and a file for the tokens that only its owner reads.
install: $(INSTALLED)
	@[ -e .env ] || { cp .env.example .env && chmod 600 .env; }
	@echo "Now make the app and give it its tokens: $(VENV)/bin/beto setup"

# The main job, working, on this machine: a simulated Slack, the bot, and a chat page. Ctrl-C ends it.
demo: $(READY)
	@exec $(VENV)/bin/beto demo $(if $(EXIT),--exit) $(if $(PORT),--port $(PORT)) $(if $(BASE),--base $(BASE))

# Most tests wait for processes: three at once keep two cores busy.
TESTS_AT_ONCE ?= 3

# All tests, or those that ARGS names. Redis comes with the Python packages; PostgreSQL and Chromium from Debian where we may install them.
test: $(READY) system-packages
	$(VENV)/bin/pytest $(if $(ARGS),$(ARGS),-n $(TESTS_AT_ONCE))

# The images, really built by buildah on a Debian of debootstrap's (or on IMAGES_BASE), and every service run in them.
images: $(READY) system-packages
	@.ci/system-packages buildah debootstrap
	$(VENV)/bin/pytest -m images -s tests/images

check: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --num-workers 2
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python .ci/audit

# The pictures of the documents, taken of the real page.
pictures: $(READY) system-packages
	$(VENV)/bin/python -m tests.pictures

system-packages:
	@.ci/system-packages

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
