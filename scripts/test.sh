#!/usr/bin/env bash
# Runs all tests with the given arguments of `cargo test`, and adds up the results of the test binaries.
# .run/log/test.log has the output, and .run/log/test-summary the sum.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

LOG="$RUN/log/test.log"
SUMMARY="$RUN/log/test-summary"
mkdir -p "$RUN/log"
rm -f "$SUMMARY"

# The short campaign of faults has its own servers. If it was interrupted, it could not stop them.
stop_servers_of_chaos() {
    local run="$RUN/chaos/short/servers"
    [[ ! -d $run ]] || BACKSCROLL_RUN="$run" "$CHECKOUT/scripts/services.sh" stop
}
trap stop_servers_of_chaos EXIT

status=0
cargo test --workspace --no-fail-fast "$@" 2>&1 | tee "$LOG" || status=$?

read -r passed failed < <(
    awk '/^test result:/ {
        for (i = 2; i <= NF; i++) {
            if ($i == "passed;") passed += $(i - 1)
            if ($i == "failed;") failed += $(i - 1)
        }
    } END { print passed + 0, failed + 0 }' "$LOG"
)
printf '%s passed, %s failed\n' "$passed" "$failed" | tee "$SUMMARY"

if ((status == 0 && passed == 0)); then die "no test ran"; fi
if ((status == 0 && failed > 0)); then status=1; fi
exit "$status"
