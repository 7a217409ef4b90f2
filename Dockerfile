# The gateway's image: `make image`. The builder's steps are replayed without a container engine by
# tests/house/test_dockerfile.py. A release build passes the base image by digest (CONTRIBUTING.md).
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS builder
ENV PIP_CACHE_DIR=/cache/pip \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    UV_CACHE_DIR=/cache/uv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src

# What changes rarely comes first: the installer, then every package, each checked against its hash.
COPY requirements/uv.txt requirements/run.txt requirements/
RUN --mount=type=cache,target=/cache \
    python -m venv --without-pip /app \
    && python -m pip --python /app/bin/python install --quiet --no-deps --require-hashes -r requirements/uv.txt \
    && /app/bin/uv pip sync --quiet --python /app/bin/python --require-hashes requirements/run.txt

# Then both distributions, built with the pinned backend and without asking an index for anything.
COPY LICENSE README.md pyproject.toml ./
COPY clients/python clients/python
COPY execsvc execsvc
RUN --mount=type=cache,target=/cache \
    /app/bin/uv pip install --quiet --python /app/bin/python --offline --no-deps --no-build-isolation ./clients/python . \
    && /app/bin/uv pip uninstall --quiet --python /app/bin/python \
        editables hatchling packaging pathspec pluggy tomlkit trove-classifiers uv \
    && mkdir /data

FROM ${PYTHON_IMAGE}
COPY --from=builder /app /app
COPY --from=builder --chown=65532:65532 /data /data
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    EXECSVC_STORE=sqlite:////data/execsvc.db
# Everything but /data may be mounted read-only; nothing in the image belongs to this user.
USER 65532:65532
WORKDIR /data
VOLUME ["/data"]
EXPOSE 50051 51051
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["execsvc", "health"]
ENTRYPOINT ["execsvc"]
CMD ["serve"]
