# The two commands to know: `make demo` and `make test`. Both set up what they need.
.PHONY: demo test check fix test-packages test-images constraints benchmark clean
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

# Some minutes, several GB in /tmp, and root: both container images.
test-images: .venv/ready
	BUILD_IMAGES=1 $(BIN)/pytest -s tests/containers

# The versions that the images hold: the newest that pyproject.toml admits.
constraints:
	@rm -rf build/pins && $(PYTHON) -m venv build/pins
	@build/pins/bin/pip install --quiet --upgrade --only-binary :all: setuptools '.[s3]'
	@echo "# What the images hold, by version, so that the same sources make the same image. Renewed by: make constraints" \
	  >containers/constraints.txt
	@build/pins/bin/pip freeze --all --exclude pip --exclude xdmod-cloud >>containers/constraints.txt
	@rm -rf build

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
