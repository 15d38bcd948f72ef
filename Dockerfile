FROM python:3.13-slim AS build
COPY requirements.txt /build/requirements.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r /build/requirements.txt

FROM python:3.13-slim
# A name for any user id: the migration runner asks for one, and containers often run without an entry.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LOGNAME=lotus \
    DPM_SUPPORTABILITY_SQL_PATH=/data/lotus-manage.db
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin lotus \
    && install --directory --owner=lotus --group=lotus /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY sql sql
COPY migrations migrations
COPY service service
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
