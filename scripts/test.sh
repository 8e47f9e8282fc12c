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

# A test that never ends would hold the run until somebody loses patience, and nobody would know which test it is. If the
# log has had no new line for this time, the run ends with the names.
SILENCE_SECONDS_MAX=900
end_at_silence() {
    local tests=$1 silence
    while sleep 15; do
        silence=$(($(date +%s) - $(stat -c %Y "$LOG")))
        if ((silence < SILENCE_SECONDS_MAX)); then continue; fi
        say "no test has ended for $SILENCE_SECONDS_MAX seconds. These have not ended:"
        comm -23 <(sed -n 's/^test \(.*\) has been running for over .*/\1/p' "$LOG" | sort -u) \
            <(sed -n 's/^test \(.*\) \.\.\. .*/\1/p' "$LOG" | sort -u)
        kill -TERM -- "-$tests" 2>/dev/null || true
        return
    done
}

watcher=""
clean_up() {
    [[ -z $watcher ]] || kill "$watcher" 2>/dev/null || true
    stop_servers_of_chaos
}
trap clean_up EXIT

# No comment has an example, and to look for some in every crate takes most of a minute.
if (($# == 0)); then set -- --tests; fi

# Tests wait for servers. One more than there are cores keeps the cores busy.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) + 1))}

status=0
: >"$LOG"
# The tests get their own process group, so that they can be ended with everything that they started.
set -m
(cargo test --workspace --no-fail-fast "$@" 2>&1 | tee "$LOG") &
tests=$!
set +m
for signal in INT TERM HUP; do
    # shellcheck disable=SC2064 # this signal, now
    trap "kill -$signal -- -$tests 2>/dev/null || true" "$signal"
done
end_at_silence "$tests" &
watcher=$!
# A trapped signal ends `wait` early, while the tests may still be ending.
while :; do
    status=0
    wait "$tests" || status=$?
    kill -0 "$tests" 2>/dev/null || break
done

read -r passed failed < <(
    awk '/^test result:/ {
        for (i = 2; i <= NF; i++) {
            if ($i == "passed;") passed += $(i - 1)
            if ($i == "failed;") failed += $(i - 1)
        }
    } END { print passed + 0, failed + 0 }' "$LOG"
)
# Below about 1 % of the disk, the object store and NATS refuse to write. The messages of their tests do not say so.
DISK_GB_MIN=4
free_gb=$(df -BG --output=avail "$CHECKOUT" | tail -n 1 | tr -dc 0-9)
if ((failed > 0 && free_gb < DISK_GB_MIN)); then
    say "the disk has only $free_gb GB left, and servers refuse to write when it is almost full: free some space, and try again"
fi
printf '%s passed, %s failed\n' "$passed" "$failed" | tee "$SUMMARY"

if ((status == 0 && passed == 0)); then die "no test ran"; fi
if ((status == 0 && failed > 0)); then status=1; fi
exit "$status"
