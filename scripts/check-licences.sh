#!/usr/bin/env bash
# Checks licences, bans and sources of the dependencies against deny.toml, with cargo-deny from our cache.
# Not its advisories: a check that must pass offline cannot ask a database.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

VERSION=0.20.2
TOOLS="$CACHE/tools/cargo-deny-$VERSION"

if [[ ! -x $TOOLS/bin/cargo-deny ]]; then
    say "building cargo-deny $VERSION, once"
    # From its own folder, or cargo would build with the settings of this checkout.
    mkdir -p "$TOOLS"
    (cd "$TOOLS" && CARGO_TARGET_DIR="$TOOLS/build" cargo install --quiet --locked --root "$TOOLS" "cargo-deny@$VERSION")
    rm -rf "$TOOLS/build"
fi

"$TOOLS/bin/cargo-deny" --log-level error --all-features check --hide-inclusion-graph licenses bans sources
