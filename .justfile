# What people type, and what .ci/run and pre-commit call. The tools are those of .venv, or of the environment that is active.

set positional-arguments

export PATH := justfile_directory() / ".venv/bin" + ":" + env("PATH")

# List the tasks
[private]
default:
    @just --list --unsorted

# Run the tests in parallel; arguments go to pytest
test *arguments:
    pytest "$@"

# Check format and style
lint:
    ruff format --check .
    ruff check .

# Check types
types:
    mypy

# Check which module may import which
imports:
    lint-imports --no-cache

# Check that generated files agree with their sources
drift:
    python .ci/generate_protos.py --check
    python -m edgeclients.http.openapi --check
    python .ci/generate_pages.py --check

# Build the one-directory bundle, and use it
bundle:
    python .ci/check_bundle.py

# Test the store on Debian's servers, where they can be installed
servers:
    .ci/check_debian_servers

# Verify the unit with systemd's programs, where they can be installed
unit:
    .ci/check_systemd

# Send mutated conversations to the gRPC server, for so many seconds
fuzz seconds="30":
    python -m tests.lane.fuzzing {{seconds}}

# Run everything that CI runs, one task after the other
check: lint types imports drift test bundle unit servers fuzz

# Format the code, and apply fixes that are safe
format:
    ruff format .
    ruff check --fix .

# Write the generated files
generate:
    python .ci/generate_protos.py
    python -m edgeclients.http.openapi
    python .ci/generate_pages.py

# Choose the versions that go into the executables
lock:
    python -m pip install --quiet "uv>=0.9"
    uv pip compile {{lock_options}} pyproject.toml --extra cloud --extra labels --output-file packaging/requirements.lock
    uv pip compile {{lock_options}} packaging/tools.in --output-file packaging/tools.lock

lock_options := "--quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url"

# Measure; arguments go to the bench
bench *arguments:
    python -m tests.perf "$@"
