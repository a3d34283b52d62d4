# The platform: web, worker, beat and management commands, from one image. Build from the checkout's root:
#   docker build -f docker/server.Dockerfile -t forecourt-server .
FROM python:3.12-slim-bookworm AS build
COPY requirements.lock /build/
RUN python -m venv /opt/forecourt \
 && /opt/forecourt/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes \
    -r /build/requirements.lock \
 && python -c "import glob; open(glob.glob('/opt/forecourt/lib/python*/site-packages')[0] + '/forecourt.pth', 'w').write('/srv/forecourt\n')"
COPY manage.py pyproject.toml /srv/forecourt/
COPY tenants /srv/forecourt/tenants
COPY clusters /srv/forecourt/clusters
COPY metering /srv/forecourt/metering
COPY billing /srv/forecourt/billing
COPY portal /srv/forecourt/portal
COPY forecourt /srv/forecourt/forecourt
COPY docs /srv/forecourt/docs
WORKDIR /srv/forecourt
# Static files are a part of the image; the signing key that collecting them made is not.
ENV FORECOURT_DATA_DIR=/var/lib/forecourt DJANGO_SETTINGS_MODULE=forecourt.settings
RUN /opt/forecourt/bin/python -m django compile_locales \
 && /opt/forecourt/bin/python -m django build_fonts \
 && /opt/forecourt/bin/python -m django collectstatic --no-input --verbosity 0 \
 && rm /var/lib/forecourt/secret-key \
 && /opt/forecourt/bin/python -m compileall -q /srv/forecourt \
 && chmod -R a+rX /srv/forecourt /var/lib/forecourt

FROM python:3.12-slim-bookworm
# Documents in Chinese need a face that has its letters; this one is 5 MB (Apache-2.0).
RUN apt-get -qq update \
 && apt-get -qq install --yes --no-install-recommends fonts-wqy-microhei >/dev/null \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin forecourt
COPY --from=build /opt/forecourt /opt/forecourt
COPY --from=build /srv/forecourt /srv/forecourt
COPY --from=build /var/lib/forecourt /var/lib/forecourt
WORKDIR /srv/forecourt
ENV PATH=/opt/forecourt/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    FORECOURT_DATA_DIR=/var/lib/forecourt DJANGO_SETTINGS_MODULE=forecourt.settings
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
CMD ["granian", "--interface", "wsgi", "--no-ws", "--host", "0.0.0.0", "--port", "8080", "--workers", "2", \
     "--blocking-threads", "16", "--respawn-failed-workers", "--workers-kill-timeout", "10", "--log-level", "warning", \
     "forecourt.wsgi:application"]
