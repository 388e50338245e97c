# `./just RECIPE` needs python3 and git only; with just and uv of your own, type `just RECIPE`.

set positional-arguments

[private]
@list:
    "{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Run the host with this folder's props and builtins (`just run --broker mqtt://haunt.local`).
[no-exit-message]
@run *options: setup
    exec .venv/bin/halloween-host run "$@"

# Show the messages on the broker as they come, of all props or of one (`just watch fogger`).
[no-exit-message]
@watch *options: setup
    exec .venv/bin/halloween-host watch "$@"

# Run every test, on a real mosquitto, four at a time; options go to pytest (`just test -n0 tests/mqtt -x`).
[no-exit-message]
@test *options: setup-dev mosquitto compiler
    exec .venv/bin/python -m pytest -n4 --dist=worksteal "$@"

# Check style, types (mypy strict), import contracts and the documents' examples.
check: setup-dev mosquitto
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
    .venv/bin/lint-imports
    .venv/bin/python -m pytest tests/test_docs.py

# Format the code and repair what ruff can repair.
fmt: setup-dev
    .venv/bin/ruff check --fix-only .
    .venv/bin/ruff format .

# Play 2,000 stories and 10,000 panic trials on the rehearsal stage (some twenty minutes; `just stories -k panic`).
[no-exit-message]
@stories *options: setup-dev
    STORIES=2000 TRIALS=10000 exec .venv/bin/python -m pytest -s tests/stories "$@"

# Feed random packet streams to our MQTT reader and to paho's (a minute; an hour: `FUZZ_S=3600 just fuzz`).
[no-exit-message]
@fuzz *options: setup-dev
    exec .venv/bin/python -m tests.mqtt.fuzz "$@"

# Run CPython's own asyncio tests on the loop that legacy workers get.
[no-exit-message]
@asyncio-suite *options: setup-dev
    exec .venv/bin/python -m tests.legacy.cpython_suite "$@"

# Measure client and host beside their peers (`just bench --quick`: three minutes; `--list`, `--only receive`).
[no-exit-message]
@bench *options: setup-dev mosquitto compiler
    exec .venv/bin/python -m benchmarks "$@"

# Show where one row's variant spends its time, ours unless named (`just profile receive-qos0-v311 gmqtt`).
[no-exit-message]
@profile *row: setup-dev mosquitto compiler
    exec .venv/bin/python -m benchmarks.profile "$@"

# Measure how long a night takes on the rehearsal stage: 5 hours, 50 props, 100,000 messages.
[no-exit-message]
@bench-stage *options: setup-dev
    exec .venv/bin/python -m benchmarks.stage "$@"

# Measure on a mosquitto how fast 50 workers stop: panic, crash, SIGKILL (`just bench-stop --panics 50`).
[no-exit-message]
@bench-stop *options: setup-dev mosquitto
    exec .venv/bin/python -m benchmarks.stop "$@"

# Do every fault to a real host, many times, and hold each promise against it (`just faults --only cable`; `--quick`).
[no-exit-message]
@faults *options: setup-dev mosquitto compiler faketime
    exec .venv/bin/python -m faults "$@"

# Build the container image with docker, podman or buildah.
@image name="halloween-host":
    scripts/image "$1"

# Build the image on a bare Debian by buildah and try it: walk-through, health, SIGTERM (as root, some minutes).
[no-exit-message]
@image-test *base: setup-dev mosquitto
    scripts/image-test "$@"

# Try the systemd unit on a real systemd, in a container of systemd-nspawn (as root, some minutes).
[no-exit-message]
@unit-test:
    scripts/unit-test

# Make .venv what the lock files name; the other recipes do this themselves.
[no-exit-message]
@setup:
    scripts/setup

[no-exit-message, private]
@setup-dev:
    scripts/setup dev

# Write the lock files from pyproject.toml (`just lock --upgrade`).
@lock *options: setup
    scripts/lock "$@"

# Remove .venv and whatever tools left behind.
@clean:
    rm -rf .venv .venv.lock .bench .faults .systemd .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
    find . -name __pycache__ -type d -prune -exec rm -rf {} +

[no-exit-message, private]
@mosquitto:
    PATH="$PATH:/usr/sbin:/usr/local/sbin"; command -v mosquitto mosquitto_sub >/dev/null \
        || scripts/install-packages "mosquitto mosquitto-clients" mosquitto

[no-exit-message, private]
@compiler:
    command -v "${CC:-cc}" >/dev/null || scripts/install-packages "gcc libc6-dev" gcc

# Sets the clock of a host that runs; without it that one fault is not done.
[no-exit-message, private]
@faketime:
    command -v faketime >/dev/null || ! command -v apt-get >/dev/null || scripts/install-packages faketime
