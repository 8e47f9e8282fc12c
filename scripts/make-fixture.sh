#!/usr/bin/env bash
# Makes the database that is kept of this release, for the upgrade tests of later ones, in the folder
# tests/fixtures/releases/VERSION. It takes a tour through the API on a database of its own (tests/src/tour), and dumps it.
# Once for each release, on the commit of the release:
#
#   scripts/with-services.sh scripts/make-fixture.sh
#
# Needs a pg_dump that is at least as new as the Postgres. Postgres 15, the oldest that Backscroll runs on, makes a dump that
# each newer one restores: BACKSCROLL_POSTGRES_URL names it. PG_DUMP names the program, where it is not on the path.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
export FIXTURE_FOLDER="$CHECKOUT/tests/fixtures/releases/$version"
[[ ! -e $FIXTURE_FOLDER ]] || die "$FIXTURE_FOLDER is there: what a release has left is not made anew"
FIXTURE_COMMIT=$(git rev-parse HEAD)
PG_DUMP=${PG_DUMP:-pg_dump}
has "$PG_DUMP" || die "there is no $PG_DUMP: install the client programs of Postgres, or set PG_DUMP"
FIXTURE_EVENTS=${FIXTURE_EVENTS:-10000} # about so many
export FIXTURE_COMMIT FIXTURE_EVENTS PG_DUMP

cargo run --package tests --features fixture --bin make_fixture
