#!/bin/bash
# The behaviour of the official postgres image's entrypoint that users and
# tools rely on: POSTGRES_PASSWORD|USER|DB|INITDB_ARGS|HOST_AUTH_METHOD and
# their _FILE twins, PGDATA, /docker-entrypoint-initdb.d, a temporary server
# without TCP while it initialises, refusal to start without a password.
set -Eeuo pipefail

from_file() { # NAME DEFAULT: $NAME, or the content of the file $NAME_FILE
  local name=$1 file=${1}_FILE
  if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
    echo "error: both $name and $file are set" >&2; exit 1
  fi
  if [ -n "${!file:-}" ]; then export "$name"="$(<"${!file}")"; else export "$name"="${!name:-$2}"; fi
  unset "$file"
}

# "image -c setting=value" means the server, as does "image postgres …".
if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi

# Anything else, and a server that is only asked a question, initialises
# nothing.
server=yes
[ "${1:-}" = postgres ] || server=no
for arg in "$@"; do
  case $arg in --help | '-?' | --version | -V | --describe-config | -C) server=no ;; esac
done
if [ $server = no ]; then exec "$@"; fi

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /run/postgresql
  chmod 700 "$PGDATA"
  chown -R postgres: "$PGDATA"
  chown postgres: /run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [ -s "$PGDATA/PG_VERSION" ]; then
  echo 'PostgreSQL Database directory appears to contain a database; Skipping initialization'
  exec "$@"
fi

from_file POSTGRES_PASSWORD ''
from_file POSTGRES_USER postgres
from_file POSTGRES_DB "$POSTGRES_USER"
from_file POSTGRES_INITDB_ARGS ''
: "${POSTGRES_HOST_AUTH_METHOD:=scram-sha-256}"
if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
  echo 'Error: Database is uninitialized and superuser password is not specified. You must specify POSTGRES_PASSWORD to a non-empty value.' >&2
  exit 1
fi

pwfile=$(mktemp)
printf '%s\n' "$POSTGRES_PASSWORD" >"$pwfile"
pw=
if [ -n "$POSTGRES_PASSWORD" ]; then pw=--pwfile=$pwfile; fi
# The arguments are a shell's words, as in the official image.
eval 'initdb --username="$POSTGRES_USER" $pw '"$POSTGRES_INITDB_ARGS"
rm -f "$pwfile"
printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"

export PGUSER=$POSTGRES_USER PGPASSWORD=$POSTGRES_PASSWORD PGHOST=/run/postgresql
pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
if [ "$POSTGRES_DB" != postgres ]; then
  psql -v ON_ERROR_STOP=1 -X -d postgres -v db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
fi
run_sql() { psql -v ON_ERROR_STOP=1 -X --no-password -d "$POSTGRES_DB"; }
shopt -s nullglob
for f in /docker-entrypoint-initdb.d/*; do
  echo "$0: running $f"
  case $f in
    *.sh) if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
    *.sql) run_sql <"$f" ;;
    *.sql.gz) gunzip -c "$f" | run_sql ;;
    *.sql.xz) xzcat "$f" | run_sql ;;
    *.sql.zst) zstd -dc "$f" | run_sql ;;
    *) echo "$0: ignoring $f" ;;
  esac
done
pg_ctl -D "$PGDATA" -m fast -w stop
unset PGUSER PGPASSWORD PGHOST
echo 'PostgreSQL init process complete; ready for start up.'
exec "$@"
