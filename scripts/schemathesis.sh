#!/usr/bin/env bash
# Runs schemathesis with the given arguments. It sends requests that the OpenAPI document allows, and requests that it
# forbids. It is fetched once into the cache, in exact versions with the digests of their wheels
# (scripts/schemathesis.txt).
#
#   schemathesis.sh run http://127.0.0.1:8080/openapi.json
#
# To update the list: echo schemathesis | uv pip compile --universal --generate-hashes --python-version 3.11 -

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

REQUIREMENTS="$CHECKOUT/scripts/schemathesis.txt"

fetch() {
    [[ -d $INSTALLED ]] && return
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip ca-certificates
    say "fetching schemathesis, once"
    local fresh
    fresh=$(mktemp -d "$CACHE/tools/fetching.XXXXXX")
    # shellcheck disable=SC2064 # this folder
    trap "rm -rf '$fresh'" EXIT
    python3 -m pip install --quiet --only-binary=:all: --require-hashes --target "$fresh" -r "$REQUIREMENTS" >&2 \
        || die "schemathesis could not be fetched from PyPI (see above), and it is needed to test the HTTP interface: try again with a network"
    mv "$fresh" "$INSTALLED"
    trap - EXIT
}

has python3 || install_packages python3 python3-pip ca-certificates
# Its compiled parts are for one version of Python.
PYTHON=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
INSTALLED="$CACHE/tools/schemathesis-$(sha256sum <"$REQUIREMENTS" | cut -c1-12)-python$PYTHON"

mkdir -p "$CACHE/tools"
exec 9>"$CACHE/tools/schemathesis.lock"
flock 9
fetch
exec 9>&-

export PYTHONPATH="$INSTALLED" PYTHONDONTWRITEBYTECODE=1
exec python3 -m schemathesis.cli "$@"
