#!/usr/bin/env bash
# Builds the benchmarks and the server that they drive, and measures. Expects the servers' addresses in the environment: call it by
# `make bench`.
#
#   bench.sh [ROW]   the rows whose names begin so; TRY=1 in the environment: a short trial, nothing is written;
#                    ARCHIVE=FILE: over that export

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

# Both at once: what they share is built once.
built=$(cargo build --release --bin backscroll --bench bench --message-format=json-render-diagnostics)
program=$(sed -n 's/.*"kind":\["bench"\].*"executable":"\([^"]*\)".*/\1/p' <<<"$built" | tail -n 1)
[[ -x $program ]] || die "cargo does not say where the benchmarks are"
# Not through cargo, so that signals reach them.
exec "$program" "$@"
