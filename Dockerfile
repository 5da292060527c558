# Two stages: one builds the wheel and an environment from the locked, hashed dependencies; the
# other takes that environment, and runs it as a user without rights on a read-only root.

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/monitor
ENV PATH=/opt/monitor/bin:$PATH
WORKDIR /src
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY monitor ./monitor
RUN hatchling build -t wheel -d /wheel \
    && pip install --no-deps --no-index /wheel/*.whl \
    && pip uninstall -y hatchling editables

FROM python:3.11-slim
ENV PATH=/opt/monitor/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /data monitor \
    && install -d -o monitor -g monitor -m 0750 /data
COPY --from=build /opt/monitor /opt/monitor
USER 10001
# A relative path in database_url lands here.
WORKDIR /data
VOLUME /data
EXPOSE 8365
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8365/healthz', timeout=4)"]
ENTRYPOINT ["monitor"]
CMD ["run", "--config", "/etc/monitor/checks.yaml"]
