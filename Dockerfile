# One image, three commands: serve, work, migrate.
FROM python:3.13-slim AS build
# requirements-otel.txt gives an image that can export traces.
ARG REQUIREMENTS=requirements.txt
WORKDIR /build
COPY requirements.txt requirements-otel.txt requirements-build.txt ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r "$REQUIREMENTS" \
    && pip install --no-cache-dir --require-hashes -r requirements-build.txt
COPY pyproject.toml setup.cfg setup.py README.md ./
COPY sql sql
COPY migrations migrations
COPY deploy deploy
COPY docs docs
COPY service service
RUN pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /wheels . \
    && /opt/venv/bin/pip install --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lotus-manage" \
      org.opencontainers.image.description="Simulates, records, reviews and proves portfolio changes" \
      org.opencontainers.image.revision="$REVISION"
# A name for any user id: the migration runner asks for one, and containers often run without an entry.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOGNAME=lotus \
    DPM_SUPPORTABILITY_SQL_PATH=/data/lotus-manage.db \
    PROPOSAL_SQL_PATH=/data/lotus-manage.db \
    DPM_METRICS_PORT=9464 \
    DPM_DRAIN_SECONDS=5
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin lotus \
    && install --directory --owner=lotus --group=lotus /data
COPY --from=build /opt/venv /opt/venv
# Nothing is written but /data, and /tmp by `serve --processes` (sockets of its processes); the rest may be read-only.
WORKDIR /data
USER 10001
VOLUME /data
# The API, a worker, and the metrics of a server.
EXPOSE 8000 8001 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
ENTRYPOINT ["lotus-manage"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
