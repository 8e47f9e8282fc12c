#!/usr/bin/env bash
# Writes the documents that are generated from the code: the HTTP interface, the events and the settings.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

# Writes to a new file first: a failed build must not leave an empty document.
generate() {
    local verb=$1 document=$2
    if ! cargo run --quiet --bin backscroll -- "$verb" >"$document.new"; then
        rm -f "$document.new"
        die "backscroll $verb failed; $document is unchanged"
    fi
    mv "$document.new" "$document"
    say "wrote $document"
}

generate openapi docs/openapi.json
generate events docs/EVENTS.md
generate settings docs/SETTINGS.md
