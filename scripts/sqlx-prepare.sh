#!/usr/bin/env bash
# Generates .sqlx/: Postgres's description of every checked statement, so that other builds need no database.
# sqlx's macros write it while they compile against a temporary database with all migrations.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

SCRATCH=backscroll_sqlx_$$
# shellcheck source=scripts/scratch.sh
source "$CHECKOUT/scripts/scratch.sh"

compile_against_scratch_database() {
    local fresh=target/sqlx-fresh
    rm -rf "$fresh"
    mkdir -p "$fresh" .sqlx
    # Otherwise cargo would not run the macros of crates that it has built already.
    touch -- */src/lib.rs api/src/main.rs tests/it/main.rs
    SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$CHECKOUT/$fresh" \
        DATABASE_URL="$SCRATCH_URL?options=-csearch_path%3Dread,public" \
        cargo check --workspace --all-targets
    rm -f .sqlx/query-*.json
    find "$fresh" -name 'query-*.json' -exec mv -t .sqlx {} +
    say ".sqlx: $(find .sqlx -name 'query-*.json' | wc -l) statements"
}

create_scratch_database
trap drop_scratch_database EXIT
run_migrations
compile_against_scratch_database
