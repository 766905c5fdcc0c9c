#!/bin/bash
# The behaviour of the official mysql and mariadb images' entrypoints that users
# and tools rely on: MYSQL_ROOT_PASSWORD|ROOT_HOST|DATABASE|USER|PASSWORD,
# MYSQL_ALLOW_EMPTY_PASSWORD and MYSQL_RANDOM_ROOT_PASSWORD, their _FILE and
# MARIADB_ twins, /docker-entrypoint-initdb.d, a temporary server without TCP
# while it initialises, refusal to start without a password.
set -Eeuo pipefail

datadir=/var/lib/mysql socket=/var/run/mysqld/mysqld.sock
die() { echo "error: $*" >&2; exit 1; }
note() { echo "[Entrypoint]: $*"; }

# setting NAME… DEFAULT: the first of the variables that is set, itself or by
# its _FILE twin, becomes the value of all of them.
setting() {
  local name file value='' default=${*: -1}
  for name in "${@:1:$#-1}"; do
    file=${name}_FILE
    [ -z "${!name:-}" ] || [ -z "${!file:-}" ] || die "both $name and $file are set"
    if [ -n "${!file:-}" ]; then value=$(<"${!file}"); elif [ -n "${!name:-}" ]; then value=${!name}; fi
    unset "$file"
    [ -z "$value" ] || break
  done
  for name in "${@:1:$#-1}"; do export "$name"="${value:-$default}"; done
}

# quoted STRING: a literal of SQL.
quoted() {
  local s=${1//\\/\\\\}
  printf "'%s'" "${s//\'/\\\'}"
}
identifier() { printf '`%s`' "${1//\`/\`\`}"; }

# "image --setting=value" means the server, as does "image mysqld …".
if [ "${1:0:1}" = - ]; then set -- mysqld "$@"; fi
case ${1:-} in mysqld | mariadbd) server=yes ;; *) server=no ;; esac
# A server that is only asked a question initialises nothing.
for arg in "$@"; do
  case $arg in --help | '-?' | --version | -V | --print-defaults) server=no ;; esac
done
if [ $server = no ]; then exec "$@"; fi

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$datadir" "${socket%/*}"
  find "$datadir" "${socket%/*}" ! -user mysql -exec chown mysql: {} +
  exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" "$@"
fi
if [ -d "$datadir/mysql" ]; then exec "$@"; fi

setting MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD ''
setting MARIADB_ROOT_HOST MYSQL_ROOT_HOST '%'
setting MARIADB_DATABASE MYSQL_DATABASE ''
setting MARIADB_USER MYSQL_USER ''
setting MARIADB_PASSWORD MYSQL_PASSWORD ''
setting MARIADB_ALLOW_EMPTY_ROOT_PASSWORD MYSQL_ALLOW_EMPTY_PASSWORD ''
setting MARIADB_RANDOM_ROOT_PASSWORD MYSQL_RANDOM_ROOT_PASSWORD ''
if [ -z "$MYSQL_ROOT_PASSWORD$MYSQL_ALLOW_EMPTY_PASSWORD$MYSQL_RANDOM_ROOT_PASSWORD" ]; then
  die 'Database is uninitialized and password option is not specified: you need to specify one of MYSQL_ROOT_PASSWORD, MYSQL_ALLOW_EMPTY_PASSWORD and MYSQL_RANDOM_ROOT_PASSWORD'
fi
[ "$MYSQL_USER" != root ] || die 'MYSQL_USER cannot be root'
if [ -n "$MYSQL_RANDOM_ROOT_PASSWORD" ]; then
  MYSQL_ROOT_PASSWORD=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')
  note "GENERATED ROOT PASSWORD: $MYSQL_ROOT_PASSWORD"
fi

note 'Initializing database files'
if [ "$FLAVOUR" = mariadb ]; then
  client=mariadb
  mariadb-install-db --datadir="$datadir" --auth-root-authentication-method=normal --skip-test-db "${@:2}" >/dev/null
else
  client=mysql
  "$@" --initialize-insecure
fi
note 'Starting temporary server'
"$@" --skip-networking --socket="$socket" &
pid=$!
as_root() { MYSQL_PWD=${password-} "$client" --no-defaults --protocol=socket --socket="$socket" --user=root --comments "$@"; }
until as_root --execute='select 1' >/dev/null 2>&1; do
  kill -0 $pid 2>/dev/null || die 'the temporary server ended (see above)'
  sleep 0.1
done
{
  [ "$FLAVOUR" = mariadb ] || echo 'SET SESSION sql_log_bin = 0;'
  if [ "$FLAVOUR" = mariadb ]; then
    echo "DELETE FROM mysql.global_priv WHERE User = '' OR User = 'root' AND Host <> 'localhost'; FLUSH PRIVILEGES;"
  fi
  if [ -n "$MYSQL_ROOT_HOST" ] && [ "$MYSQL_ROOT_HOST" != localhost ]; then
    echo "CREATE USER 'root'@$(quoted "$MYSQL_ROOT_HOST") IDENTIFIED BY $(quoted "$MYSQL_ROOT_PASSWORD");"
    echo "GRANT ALL ON *.* TO 'root'@$(quoted "$MYSQL_ROOT_HOST") WITH GRANT OPTION;"
  fi
  [ -z "$MYSQL_DATABASE" ] || echo "CREATE DATABASE IF NOT EXISTS $(identifier "$MYSQL_DATABASE");"
  if [ -n "$MYSQL_USER" ] && [ -n "$MYSQL_PASSWORD" ]; then
    echo "CREATE USER $(quoted "$MYSQL_USER")@'%' IDENTIFIED BY $(quoted "$MYSQL_PASSWORD");"
    [ -z "$MYSQL_DATABASE" ] || echo "GRANT ALL ON $(identifier "${MYSQL_DATABASE//_/\\_}").* TO $(quoted "$MYSQL_USER")@'%';"
  fi
  echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "$MYSQL_ROOT_PASSWORD");"
} | as_root --database=mysql
password=$MYSQL_ROOT_PASSWORD
run_sql() { as_root ${MYSQL_DATABASE:+--database="$MYSQL_DATABASE"}; }
shopt -s nullglob
for f in /docker-entrypoint-initdb.d/*; do
  note "running $f"
  case $f in
    *.sh) if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
    *.sql) run_sql <"$f" ;;
    *.sql.gz) gunzip -c "$f" | run_sql ;;
    *.sql.xz) xzcat "$f" | run_sql ;;
    *.sql.zst) zstd -dc "$f" | run_sql ;;
    *) note "ignoring $f" ;;
  esac
done
note 'Stopping temporary server'
kill -TERM $pid
wait $pid || die 'the temporary server did not end well (see above)'
note 'init process done. Ready for start up.'
exec "$@"
