#!/usr/bin/env bash
# Lints an OpenAPI document with Redocly and Spectral. A warning is an error. The linters are fetched once into the
# cache, in the exact versions of tests/openapi-lint/package-lock.json.
#
#   openapi-lint.sh docs/openapi.json

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# == 1 ]] || die "usage: openapi-lint.sh DOCUMENT"
DOCUMENT=$(realpath "$1")
RULES="$CHECKOUT/tests/openapi-lint"
INSTALLED="$CACHE/tools/openapi-lint-$(sha256sum <"$RULES/package-lock.json" | cut -c1-12)"

fetch() {
    [[ -d $INSTALLED ]] && return
    say "fetching the linters of OpenAPI documents, once"
    local fresh
    fresh=$(mktemp -d "$CACHE/tools/fetching.XXXXXX")
    # shellcheck disable=SC2064 # this folder
    trap "rm -rf '$fresh'" EXIT
    cp "$RULES/package.json" "$RULES/package-lock.json" "$fresh"
    (cd "$fresh" && npm ci --ignore-scripts --no-audit --no-fund --loglevel error >&2) \
        || die "the linters could not be fetched from npm (see above): try again with a network"
    mv "$fresh" "$INSTALLED"
    trap - EXIT
}

# Without Node.js on this machine, that of the generators is used.
has npm || exec "$CHECKOUT/scripts/clients.sh" "${BASH_SOURCE[0]}" "$DOCUMENT"

mkdir -p "$CACHE/tools"
exec 9>"$CACHE/tools/openapi-lint.lock"
flock 9
fetch
exec 9>&-

# Redocly would report its use, and ask for its latest version.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
"$INSTALLED/node_modules/.bin/redocly" lint --config "$RULES/redocly.yaml" "$DOCUMENT"
"$INSTALLED/node_modules/.bin/spectral" lint --ruleset "$RULES/spectral.yaml" --fail-severity hint --quiet "$DOCUMENT"
