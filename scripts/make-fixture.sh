#!/usr/bin/env bash
# Makes the database of this release, for the upgrade tests of later releases, in tests/fixtures/releases/VERSION. It
# uses every part of the API on its own database (tests/src/tour), and dumps that database. Run it once for each release, on
# the commit of the release:
#
#   scripts/with-services.sh scripts/make-fixture.sh
#
# It needs a pg_dump that is at least as new as the Postgres. Use Postgres 15, the oldest that Backscroll supports
# (BACKSCROLL_POSTGRES_URL): every newer Postgres restores its dump. PG_DUMP names the program if it is not on the path.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
export FIXTURE_FOLDER="$CHECKOUT/tests/fixtures/releases/$version"
[[ ! -e $FIXTURE_FOLDER ]] || die "$FIXTURE_FOLDER exists already: the database of a release is made only once"
FIXTURE_COMMIT=$(git rev-parse HEAD)
PG_DUMP=${PG_DUMP:-pg_dump}
has "$PG_DUMP" || die "$PG_DUMP is missing: install the client programs of Postgres, or set PG_DUMP"
FIXTURE_EVENTS=${FIXTURE_EVENTS:-10000} # approximately
export FIXTURE_COMMIT FIXTURE_EVENTS PG_DUMP

cargo run --package tests --features fixture --bin make_fixture

# Later releases are compared with it (tests/it/clients/contract.rs).
cp docs/openapi.json "$FIXTURE_FOLDER/openapi.json"
