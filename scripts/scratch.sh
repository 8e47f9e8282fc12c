# A temporary database with the migrations, for scripts that generate files from it. Source this file, and set SCRATCH.
# shellcheck shell=bash

# The last path segment of the address names the database.
SCRATCH_URL=${BACKSCROLL_POSTGRES_URL%%\?*}
SCRATCH_URL="${SCRATCH_URL%/*}/$SCRATCH"

ask() {
    local url=$1
    shift
    "$CHECKOUT/scripts/services.sh" psql "$url" --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$@"
}

create_scratch_database() {
    ask "$BACKSCROLL_POSTGRES_URL" --command "SET client_min_messages = warning" \
        --command "CREATE DATABASE $SCRATCH"
}

drop_scratch_database() {
    ask "$BACKSCROLL_POSTGRES_URL" --command "DROP DATABASE $SCRATCH WITH (FORCE)"
}

# Up to a version, or all.
run_migrations() {
    local until=${1:-} migration
    local LC_ALL=C # sorts by the time stamps in the names
    for migration in migrations/postgres/*.sql; do
        if [[ -n $until && $(basename "$migration" | cut -d_ -f1) > $until ]]; then break; fi
        ask "$SCRATCH_URL" --single-transaction --file "$migration" || die "$migration failed"
    done
}
