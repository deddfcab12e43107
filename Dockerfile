# One image for web, worker and sweeper; compose.yaml chooses by command.

FROM python:3.11-slim-bookworm AS build
# An index with smaller (CPU-only) torch wheels, given as --build-arg WHEEL_INDEX=...; empty takes pip's default alone.
ARG WHEEL_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# For the rare machine that a package ships no wheel for; it stays in this stage.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY requirements.txt /src/
RUN python -m venv /opt/bonescan \
    && /opt/bonescan/bin/pip install ${WHEEL_INDEX:+--extra-index-url "$WHEEL_INDEX"} -r /src/requirements.txt

FROM python:3.11-slim-bookworm
# WeasyPrint's libraries, letters that the shipped font lacks, the client programs of backup and restore.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        fonts-dejavu-core fonts-noto-cjk fonts-noto-core libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 postgresql-client tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/bonescan --create-home --shell /usr/sbin/nologin bonescan
COPY --from=build /opt/bonescan /opt/bonescan
COPY . /app
WORKDIR /app
# Static files lie in the image, not in the volume, so that an upgrade brings its own. Fontconfig caches in /tmp.
ENV PATH=/opt/bonescan/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 \
    DJANGO_SETTINGS_MODULE=bonescan.settings BONESCAN_HOME=/var/lib/bonescan STATIC_ROOT=/app/staticfiles \
    XDG_CACHE_HOME=/tmp/cache WEB_BIND=0.0.0.0:8000
# The key serves this one command; the running containers read theirs from a secret.
RUN SECRET_KEY=only-to-collect-static-files python manage.py collectstatic --no-input --verbosity 0 \
    && python -m compileall -q /app /opt/bonescan/lib \
    && rm -rf /var/lib/bonescan/* && chown bonescan: /var/lib/bonescan
USER bonescan
VOLUME /var/lib/bonescan
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "deploy/healthcheck.py", "web"]
ENTRYPOINT ["tini", "--"]
CMD ["gunicorn", "-c", "deploy/gunicorn.conf.py"]
