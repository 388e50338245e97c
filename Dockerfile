# The host for a machine with docker or podman: `just image` builds it, compose.yaml adds a broker.
# PYTHON_IMAGE may be any Debian-like image that has python3 (3.11 or newer).
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
ENV UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
# python:*-slim can make virtual environments, a plain Debian cannot
RUN python3 -c 'import ensurepip, venv' 2>/dev/null \
    || (apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null)
COPY requirements requirements
RUN python3 -m venv /tools && /tools/bin/pip install -qq --require-hashes -r requirements/tools.txt
RUN python3 -m venv --without-pip /app/.venv \
    && /tools/bin/uv pip sync --quiet --python /app/.venv/bin/python --require-hashes requirements/run.txt
# a prop whose own requirements fail is one line here, and an error of that prop when the host runs
COPY scripts/prop-requirements scripts/prop-requirements
COPY props props
RUN scripts/prop-requirements /tools/bin/uv /app/.venv/bin/python || true
COPY pyproject.toml README.md LICENSE ./
COPY halloween_host halloween_host
COPY worker_host worker_host
COPY builtins builtins
RUN /tools/bin/hatchling build -t wheel -d dist 2>/dev/null \
    && /tools/bin/uv pip install --quiet --python /app/.venv/bin/python --no-deps dist/*.whl

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 900 --user-group --home-dir /app --shell /usr/sbin/nologin halloween
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY props props
# the latch of a panic, and what workers store, outlive the container there
RUN install -d -o halloween -g halloween -m 700 /var/lib/halloween
VOLUME /var/lib/halloween
ENV STATE_DIR=/var/lib/halloween
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER halloween
# asks the broker, as a stage hand would: is the host online, and does its uptime come
HEALTHCHECK --interval=30s --timeout=20s --start-period=30s --retries=2 CMD ["halloween-host", "health"]
CMD ["halloween-host", "run"]
