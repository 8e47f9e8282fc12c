#!/usr/bin/env bash
# Checks licences, bans, sources and advisories of the dependencies against deny.toml, with cargo-deny from our cache.
# The advisories are in a remote database. If it cannot be reached, the script says so and does not fail.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

VERSION=0.20.2
TOOLS="$CACHE/tools/cargo-deny-$VERSION"

if [[ ! -x $TOOLS/bin/cargo-deny ]]; then
    say "building cargo-deny $VERSION, once"
    # In its own folder; otherwise cargo would use the settings of this checkout.
    mkdir -p "$TOOLS"
    (cd "$TOOLS" && CARGO_TARGET_DIR="$TOOLS/build" cargo install --quiet --locked --root "$TOOLS" "cargo-deny@$VERSION")
    rm -rf "$TOOLS/build"
fi

ADVISORIES="RustSec's database (https://github.com/rustsec/advisory-db)"
FETCH_SECONDS_MAX=120

deny() { "$TOOLS/bin/cargo-deny" --log-level error --all-features "$@"; }

deny check --hide-inclusion-graph licenses bans sources

if timeout "$FETCH_SECONDS_MAX" "$TOOLS/bin/cargo-deny" --log-level error fetch db >/dev/null 2>&1; then
    deny check --disable-fetch --hide-inclusion-graph advisories
else
    say "advisories NOT CHECKED: $ADVISORIES cannot be reached from here. Run 'make check' on a machine that can reach it."
fi
