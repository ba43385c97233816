# The two commands a fresh machine needs are `make table` and `make test`.
# Each makes .venv from requirements.lock on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Which build of PyTorch: that of the lock, or one of PyTorch's own index: cpu (200 MB), or cu126
# for Pascal and Volta cards and for drivers from 525 on. Said once: `make TORCH=cpu table`.
BUILT := $(shell cat $(VENV)/torch 2>/dev/null)
TORCH ?= $(BUILT)
ifneq ($(filter-out cpu cu126,$(TORCH)),)
$(error TORCH is $(TORCH), expected cpu or cu126, or nothing for the build of requirements.lock)
endif
ifneq ($(and $(wildcard $(VENV)/ready),$(filter-out $(TORCH)+,$(BUILT)+)),)
$(error $(VENV) holds $(or $(BUILT),the lock's) build of PyTorch, not $(or $(TORCH),the lock's): make clean first)
endif
OF_TORCH := ^(torch|torchvision|triton|cuda-|nvidia-)

SITE_BIN := .venv-site/bin

# Where tests write, if there is room: they sync thousands of small files, each of which takes a
# disk 10 ms. Programs that they write there must be allowed to run.
MEMORY = $(shell test -z "$$TMPDIR" && test -w /dev/shm && \
	! grep -q ' /dev/shm .*noexec' /proc/mounts && \
	test $$(df -Pk /dev/shm | awk 'END {print $$4}') -gt 4000000 && echo TMPDIR=/dev/shm)

.PHONY: table paper test test-cluster test-strict lab site test-browser example fuzz clean

table: $(VENV)/ready  ## train, evaluate and compare all 16 rows at the demo profile
	$(BIN)/deeplab table

paper: $(VENV)/ready  ## the cells of the paper's own tables at three seeds, and what each ingredient is worth
	$(BIN)/deeplab table --rows 'paper_*' --seeds 0 --seeds 1 --seeds 2

test: $(VENV)/ready  ## unit tests and every lesson under nbval, a file at a time in two processes
	$(MEMORY) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests notebooks --nbval-lax --nbval-current-env \
		--nbval-cell-timeout=120 --ignore=notebooks/row.ipynb --ignore=notebooks/report.ipynb \
		--ignore=notebooks/paper.ipynb --ignore=tests/cluster --ignore=tests/browser

test-cluster: $(VENV)/ready  ## rows on a real SLURM, skipped where Debian's packages of it are missing
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 4 $(AGAIN) tests/cluster

test-strict: $(VENV)/ready  ## every lesson with its outputs compared, but for what varies (tests/nbval.cfg)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile notebooks/[0-9f-gy]*.ipynb --nbval --nbval-current-env \
		--nbval-cell-timeout=120 --nbval-sanitize-with tests/nbval.cfg

fuzz: $(VENV)/ready  ## a million mutated pictures, weights, archives and texts through their readers
	$(MEMORY) DEEPLAB_FUZZ=50000 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 tests/*/test_fuzz_*.py
	$(MEMORY) DEEPLAB_FUZZ=3000 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 tests/runs/test_flips.py

test-gpu: $(VENV)/ready  ## what only a GPU can show; writes results/gpu-tests-cuda.md, to send back
	$(BIN)/python -m pytest -q tests/gpu

lab: $(VENV)/ready  ## open the course
	$(BIN)/jupyter lab notebooks --config=notebooks/lab_config.py

site: .venv-site/ready  ## the course as pages to read: build/site/html/index.html
	$(SITE_BIN)/python notebooks/site/build.py

test-browser: $(VENV)/ready site  ## the site and JupyterLab in chromium, as a reader uses them
	$(SITE_BIN)/python -m pytest -q $(AGAIN) --confcutdir=tests/browser tests/browser

example:  ## after `make table`: commit its table, figures and one notebook as the example of the README
	rm -rf results/example && mkdir results/example
	cp -r results/demo/table.csv results/demo/table.md results/demo/figures results/example
	[ ! -d results/demo/paper ] || { mkdir results/example/paper && \
		cp -r $(addprefix results/demo/paper/,table.csv page.md figures) results/example/paper && \
		$(BIN)/python notebooks/site/keep.py results/demo/paper/paper.ipynb results/example/paper.ipynb; }
	$(BIN)/python notebooks/site/keep.py $(firstword $(wildcard $(addsuffix /seed0/notebook.ipynb,results/demo/voc_r50_d16 results/demo/*))) \
		results/example/row.ipynb
	$(BIN)/python notebooks/site/keep.py results/demo/report.ipynb results/example/report.ipynb

$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "deeplab needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
ifneq ($(TORCH),)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--index-url https://download.pytorch.org/whl/$(TORCH) \
		$$(sed -nE 's/^(torch|torchvision)==([0-9.]+)$$/\1==\2+$(TORCH)/p' requirements.lock)
	grep -vE '$(OF_TORCH)' requirements.lock > $(VENV)/requirements
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/requirements
	echo $(TORCH) > $(VENV)/torch
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
endif
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv-site/ready: notebooks/site/requirements.lock
	$(PYTHON) -m venv .venv-site
	$(SITE_BIN)/python -m pip install --quiet --disable-pip-version-check -r notebooks/site/requirements.lock
	@touch $@

clean:  ## remove the environment, drawn data and demo runs
	rm -rf $(VENV) .venv-site build/site data/miniature results/demo
