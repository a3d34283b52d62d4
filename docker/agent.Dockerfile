# The node agent alone: nothing of Django, nothing of the platform. Build from the checkout's root:
#   docker build -f docker/agent.Dockerfile -t forecourt-agent .
FROM python:3.12-slim-bookworm AS build
# What `pip install forecourt` brings without extras, at the locked versions and hashes.
ARG PACKAGES="anyio certifi cffi cryptography h11 httpcore httpx idna msgspec nvidia-ml-py pycparser typing-extensions zstandard"
COPY requirements.lock /build/
RUN awk -v packages="$PACKAGES" \
    'BEGIN { n = split(packages, list, " "); for (i = 1; i <= n; i++) wanted[list[i]] = 1 } \
     /^[a-z0-9]/ { split($1, pin, "=="); keep = pin[1] in wanted } keep' /build/requirements.lock > /build/agent.lock \
 && python -m venv /opt/forecourt \
 && /opt/forecourt/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes \
    -r /build/agent.lock
COPY metering/__init__.py metering/gzip_bodies.py metering/wire*.py /srv/forecourt/metering/
COPY metering/agent /srv/forecourt/metering/agent
RUN /opt/forecourt/bin/python -m compileall -q /srv/forecourt

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10002 --home-dir /var/lib/forecourt-agent --shell /usr/sbin/nologin forecourt-agent \
 && install -d -o 10002 -g 10002 -m 0700 /var/lib/forecourt-agent
COPY --from=build /opt/forecourt /opt/forecourt
COPY --from=build /srv/forecourt /srv/forecourt
# The utility capability is what brings NVML into the container.
ENV PATH=/opt/forecourt/bin:$PATH PYTHONPATH=/srv/forecourt PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility \
    FORECOURT_AGENT_STATE_DIR=/var/lib/forecourt-agent
VOLUME /var/lib/forecourt-agent
USER 10002:10002
# On SIGTERM the agent reads once more and ships; what it cannot ship stays on disk.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=6s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9810/healthz', timeout=5)"]
ENTRYPOINT ["python", "-m", "metering.agent"]
CMD ["run"]
