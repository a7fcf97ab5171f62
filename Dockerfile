# syntax=docker/dockerfile:1
# One image for web, worker, beat and the one-shot commands; docker-compose.yml says
# which container runs what. It holds no secret, neither in a layer nor in its history.

FROM python:3.11-slim-bookworm AS packages
WORKDIR /app
RUN python -m venv /venv
COPY requirements.txt ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM packages AS static
COPY manage.py ./
COPY portal portal
COPY accounts accounts
COPY transfers transfers
COPY templates templates
COPY static static
# The settings want to be complete; these values are made here and stay in this stage.
RUN printf '00000001:%s\n' "$(head -c 32 /dev/urandom | base64)" > /tmp/vault-keys \
 && PORTAL_SECRET_KEY="$(head -c 48 /dev/urandom | base64 -w 0)" \
    PORTAL_VAULT_KEYS_FILE=/tmp/vault-keys \
    PUBLIC_BASE_URL=https://build.invalid \
    GLOBUS_CLIENT_ID=00000000-0000-4000-8000-000000000000 \
    GLOBUS_CLIENT_SECRET=unused \
    DATABASE_URL=postgresql:///unused \
    REDIS_URL=redis://unused \
    /venv/bin/python manage.py collectstatic --no-input

# The stand-in of Globus, for tests and for trying things out. It is an image of its
# own (docker build --target sandbox) and no part of the portal's.
FROM python:3.11-slim-bookworm AS sandbox
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin sandbox
WORKDIR /app
COPY --from=packages /venv /venv
COPY sandbox sandbox
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001
# It listens on loopback alone: run it with --network host, or in another's network.
ENTRYPOINT ["python", "-m", "sandbox"]

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin causeway
WORKDIR /app
COPY --from=packages /venv /venv
COPY --from=static /app /app
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001
EXPOSE 8000
CMD ["gunicorn", "--config", "python:portal.gunicorn", "portal.wsgi", \
     "--bind", "0.0.0.0:8000", "--no-control-socket", "--worker-tmp-dir", "/dev/shm"]
