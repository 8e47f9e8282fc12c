#!/usr/bin/env bash
# Writes the documents that the program knows best: the HTTP interface and the events.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

# Through a file beside it: a failed build must not leave an empty document.
generate() {
    local verb=$1 document=$2
    if ! cargo run --quiet --bin backscroll -- "$verb" >"$document.new"; then
        rm -f "$document.new"
        die "backscroll $verb failed, $document is as it was"
    fi
    mv "$document.new" "$document"
    say "wrote $document"
}

generate openapi docs/openapi.json
generate events docs/EVENTS.md
generate settings docs/SETTINGS.md
