#!/usr/bin/env bash
# Builds the benchmarks and the server, and measures. Call it by `make bench`, which puts the servers' addresses into
# the environment.
#
#   bench.sh [ROW]   measure the rows whose names begin with ROW. In the environment: TRY=1 is a short trial that writes
#                    nothing; ARCHIVE=FILE measures with that export

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

# One command builds both, so that shared code is built once.
built=$(cargo build --release --bin backscroll --bench bench --message-format=json-render-diagnostics)
program=$(sed -n 's/.*"kind":\["bench"\].*"executable":"\([^"]*\)".*/\1/p' <<<"$built" | tail -n 1)
[[ -x $program ]] || die "cargo does not print the path of the benchmarks"
# Not through cargo, so that signals reach the program.
exec "$program" "$@"
