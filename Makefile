# make all · test · test-all · lint · bench · bench-gpu · bench-kills · cost · tables · tables-check · index · commit · pull · release · clean. Each sets the environment up first.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
SHELL := /bin/bash

VENV := .venv
STAMP := $(VENV)/.installed
# Relative, for a folder whose path has a space.
BIN := $(VENV)/bin
# How results become tables; nothing that needs data or checkpoints.
REPORTING := table figure claims summary page
# Of the quick run, what `dvc push` puts into the remote: the outputs without `push: false` in dvc.yaml.
SHIPPED := $(addprefix results/quick/,metrics gates tables figures claims.csv report.html records/measure.json records/report.json)
# A preset laid over params.yaml: make all PRESET=workflow/presets/cifar10.yaml
PRESET :=
# Goes on after a run that was killed.
SNAKEMAKE := $(BIN)/python workflow/alone.py $(BIN)/snakemake --cores all
# Last on the line: it takes every word that follows for another file.
OVERLAY := $(if $(PRESET),--configfile $(PRESET))

export PATH := $(CURDIR)/$(BIN):$(PATH)

# DVC as it is set up here works in a git repository only; a downloaded ZIP is none.
NEEDS_GIT := git rev-parse --git-dir >/dev/null 2>&1 || { \
  echo "DVC needs a git repository, and this folder is in none: run git init, then this again." >&2; exit 1; }

# DVC keeps nothing that lies behind a link; it would say so after hours of computing.
NEEDS_NO_LINK := for folder in data data/processed results; do [ ! -L $$folder ] || { \
  echo "DVC keeps nothing behind a link, and $$folder is one: make it a folder, and link data/raw alone, or set" >&2; \
  echo "raw.root in params.yaml (docs/data.md). Without DVC, make all works with the link." >&2; exit 1; }; done

.PHONY: all env test test-all lint bench bench-gpu bench-kills cost tables tables-check index commit pull release clean

all: env
	$(SNAKEMAKE) all $(OVERLAY)

env: $(STAMP)

$(STAMP): requirements.lock requirements-no-deps.lock pyproject.toml
	@for python in "$$PYTHON" python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  [ -n "$$python" ] || continue; \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    found="$$python"; break; \
	  fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "clearfilters needs Python 3.11 or newer, with its venv module; none was found on PATH." >&2; \
	  echo "Install one (Debian: apt install python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$found" --version); torch is large, this takes minutes"; \
	"$$found" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-no-deps.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

# A process per core, four at most: each imports torch.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

# Without those marked slow: whole small runs under Snakemake and DVC, real data, trainings.
test: env
	$(PYTEST) -m "not slow"

test-all: env
	$(PYTEST)

lint: env
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	workflow/lint
	$(BIN)/actionlint .github/workflows/ci.yml

bench: env
	$(BIN)/python -m benchmarks

# The same on a GPU, where there is one: benchmarks/results/gpu-<card>.json.
bench-gpu: env
	$(BIN)/python -m benchmarks.gpu

# A quick run that is killed 20 times, against one left alone: half an hour on two cores.
bench-kills: env
	$(BIN)/python -m benchmarks.kills

# Where the time of the quick run went.
cost: env
	$(BIN)/python workflow/cost.py

# Tables, figures, claims and report from the recorded measurements alone: in a clone without data
# and checkpoints, make tables PRESET=workflow/presets/cifar10-pilot.yaml. A measurement that is missing or
# was made with other parameters is an error.
tables: env
	$(SNAKEMAKE) tables figures report summary --allowed-rules tables figures report contact_sheet $(REPORTING) \
	  --forcerun $(REPORTING) $(OVERLAY)

# Every run in git (workflow/committed_runs.yaml): its tables, claims and figures' numbers, made again
# from its measurements, against those in git; names what differs, and a measurement that was changed.
tables-check: env
	$(BIN)/python workflow/tables_check.py

# results/index.html, over every run that has a page; from the pages alone, nothing else is made.
index: env
	$(BIN)/clearfilters index --results results --out results/index.html

# After Snakemake: let DVC record what it made. Its stages ask Snakemake, which has nothing to do.
commit: env
	@$(NEEDS_GIT)
	@$(NEEDS_NO_LINK)
	$(SNAKEMAKE) all
	$(BIN)/dvc repro
	$(BIN)/dvc status

# Trained networks, and the quick run's measurements, tables, figures and page, as they were recorded: no
# training. Left out is what the remote in this repository does not have (docs/dvc.md). A file that was
# changed here is left, with an error that names it; make pull FORCE=--force replaces it. Bare
# `dvc checkout --force` would also delete what was made here and is not shipped.
FORCE :=
pull: env
	@$(NEEDS_GIT)
	$(BIN)/dvc pull $(FORCE) --remote repository --recursive results
	$(BIN)/dvc pull $(FORCE) --remote repository $(SHIPPED)

# The quick run made and recorded, and what is shipped of it put into the remote in this repository, without
# what no pointer names any more, here (other experiments' files too) and there. Then commit what git shows.
release: commit
	$(BIN)/dvc push --remote repository
	$(BIN)/dvc gc --workspace --cloud --remote repository --force
	git add dvc.lock remote results/quick
	git status --short

# What can be made again from params.yaml and the raw data: the quick run, and the tools' caches.
clean:
	rm -rf data/processed/quick results/quick
	rm -rf .snakemake .mypy_cache .ruff_cache .pytest_cache .hypothesis build
