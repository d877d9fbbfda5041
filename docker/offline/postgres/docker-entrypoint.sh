#!/usr/bin/env bash
# What the official image's entry point does, as far as the labs rely on it: POSTGRES_USER, _PASSWORD and _DB.
set -euo pipefail
if [[ ${1:0:1} = - ]]; then set -- postgres "$@"; fi
if [[ $1 = postgres && $(id -u) = 0 ]]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    exec gosu postgres "$0" "$@"
fi
if [[ $1 = postgres && ! -s $PGDATA/PG_VERSION ]]; then
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    [[ -n ${POSTGRES_PASSWORD:-} ]] || { echo "POSTGRES_PASSWORD is not set." >&2; exit 1; }
    initdb --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --auth-host=scram-sha-256
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    # A server that only this script can reach, for as long as the database is made.
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    [[ $database = postgres ]] || psql -U "$user" -d postgres -v ON_ERROR_STOP=1 -c "CREATE DATABASE \"$database\""
    pg_ctl -D "$PGDATA" -m fast -w stop
    sed -i "s/^#\?listen_addresses.*/listen_addresses = '*'/" "$PGDATA/postgresql.conf"
fi
exec "$@"
