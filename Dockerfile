# The controller, and the CLI for pipelines. Two stages: nothing that builds is in the image that runs.
FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/rollout
COPY pyproject.toml README.md LICENSE ./
COPY policies policies
COPY rollout rollout
# Bytecode is compiled here: the root of the image is read-only, and each start would compile anew.
RUN /opt/rollout/bin/pip install ".[state,dashboard,notify]" \
 && /opt/rollout/bin/pip uninstall --yes pip \
 && python -m compileall -q -j 0 /opt/rollout/lib

FROM python:3.12-slim
LABEL org.opencontainers.image.title="agent-rollout" \
      org.opencontainers.image.description="Progressive delivery for AI agents"
COPY --from=build /opt/rollout /opt/rollout
ENV PATH=/opt/rollout/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["rollout"]
CMD ["daemon", "--all-namespaces", "--listen", "0.0.0.0:8080"]
