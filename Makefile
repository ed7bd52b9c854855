# The two commands to know: `make demo` and `make test`. Both set up what they need.
.PHONY: demo test check fix test-packages benchmark clean
PYTHON ?= python3
BIN := .venv/bin

demo: .venv/ready
	@$(BIN)/python -m demo

test: .venv/ready check test-packages
	$(BIN)/pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-packages:
	@tests/real/install-packages

benchmark: .venv/ready
	$(BIN)/python -m benchmarks

.venv/ready: pyproject.toml
	@echo "Setting up .venv (a minute, once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv .venv || { echo "Install Debian's python3-venv, then try again"; exit 2; }
	@$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
