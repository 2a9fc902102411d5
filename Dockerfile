# Streamgauge without root, without a home, and fit for a read-only root file system (give it a tmpfs at /tmp).
#   docker build -t streamgauge .
#   docker run --read-only --tmpfs /tmp -v ./streamgauge.yaml:/etc/streamgauge/streamgauge.yaml:ro streamgauge
FROM python:3.11.14-slim-bookworm AS build
# `demo` adds the data and the embedded broker of `streamgauge demo`.
ARG EXTRA=
ENV UV_PROJECT_ENVIRONMENT=/opt/streamgauge UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY detectors ./detectors
COPY stream ./stream
# What uv.lock names, by hash, and nothing else.
RUN uv sync --frozen --compile-bytecode --no-dev --no-editable ${EXTRA:+--extra "$EXTRA"}

FROM python:3.11.14-slim-bookworm
COPY --from=build /opt/streamgauge /opt/streamgauge
ENV PATH=/opt/streamgauge/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65534:65534
WORKDIR /tmp
EXPOSE 6066
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:6066/ready', timeout=4)"]
ENTRYPOINT ["streamgauge"]
CMD ["run", "/etc/streamgauge/streamgauge.yaml"]
