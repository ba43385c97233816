# The two commands a fresh machine needs are `make table` and `make test`.
# Each makes .venv from requirements.lock on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: table test test-cluster lab example fuzz clean

table: $(VENV)/ready  ## train, evaluate and compare all 16 rows at the demo profile
	$(BIN)/deeplab table

test: $(VENV)/ready  ## unit tests and every lesson under nbval, a file at a time in two processes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests notebooks --nbval-lax --nbval-current-env \
		--nbval-cell-timeout=120 --ignore=notebooks/row.ipynb --ignore=notebooks/report.ipynb \
		--ignore=tests/cluster

test-cluster: $(VENV)/ready  ## rows on a real SLURM, skipped where Debian's packages of it are missing
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 4 tests/cluster

fuzz: $(VENV)/ready  ## a million mutated pictures, weights, archives and texts through their readers
	DEEPLAB_FUZZ=50000 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -k mutated tests

lab: $(VENV)/ready  ## open the course
	$(BIN)/jupyter lab notebooks

example:  ## after `make table`: commit its table and figures as the example of the README
	rm -rf results/example && mkdir results/example
	cp -r results/demo/table.csv results/demo/table.md results/demo/figures results/example

$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "deeplab needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

clean:  ## remove the environment, drawn data and demo runs
	rm -rf $(VENV) data/miniature results/demo
