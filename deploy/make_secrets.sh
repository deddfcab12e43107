#!/usr/bin/env bash
# Makes what compose.yaml expects in deploy/: passwords and keys (once, never overwritten) and, for a trial, a
# self-signed certificate. Usage: deploy/make_secrets.sh [NAME-OF-THE-PORTAL]
set -euo pipefail
cd "$(dirname "$0")"
name=${1:-localhost}
mkdir -p secrets tls
# Only the folders keep others out: a container's user has another number than the files' owner and must read them.
chmod 700 secrets tls

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
[ -s secrets/secret_key ] || { random; random; } > secrets/secret_key
[ -s secrets/postgres_password ] || random > secrets/postgres_password
[ -s secrets/database_url ] ||
    printf 'postgres://bonescan:%s@postgres:5432/bonescan' "$(cat secrets/postgres_password)" > secrets/database_url
if [ ! -s tls/fullchain.pem ]; then
    openssl req -x509 -newkey rsa:3072 -sha256 -days 90 -nodes -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
        -keyout tls/privkey.pem -out tls/fullchain.pem 2>/dev/null
    echo "deploy/tls holds a self-signed certificate for $name: replace both files by the hospital's before real use."
fi
chmod 644 secrets/* tls/*
