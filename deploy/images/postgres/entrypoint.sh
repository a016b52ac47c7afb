#!/bin/bash
# What the public image does for POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB, and for the scripts of
# /docker-entrypoint-initdb.d. The temporary server has no TCP port, so that nothing finds it ready too early.
set -euo pipefail

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres} database=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
  : "${POSTGRES_PASSWORD:?must be set}"
  initdb --no-sync --encoding=UTF8 --locale=C.UTF-8 --username="$user" --auth-local=trust \
    --auth-host=scram-sha-256 --pwfile=<(printf '%s' "$POSTGRES_PASSWORD") >/dev/null
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl --silent --wait -o "-c listen_addresses=''" start
  if [ "$database" != postgres ]; then createdb --username="$user" "$database"; fi
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) . "$script" ;;
      *.sql) psql --quiet -v ON_ERROR_STOP=1 --username="$user" --dbname="$database" --file="$script" ;;
    esac
  done
  pg_ctl --silent --wait -m fast stop
fi
[ "$1" != postgres ] || set -- "$@" -c listen_addresses='*'
exec "$@"
