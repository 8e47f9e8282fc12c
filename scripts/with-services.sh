#!/usr/bin/env bash
# Runs a command with the servers running and their addresses in its environment. Afterwards it stops the servers that
# it started. The exit status is the command's. ALSO in the environment names further servers.
#
#   with-services.sh COMMAND [ARGUMENT…]

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SERVICES="$CHECKOUT/scripts/services.sh"
# If two commands share the servers, the last one to end stops them. Each holds this lock while it runs.
mkdir -p "$RUN"
exec 8>"$RUN/users.lock"
flock --shared 8

# shellcheck disable=SC2086 # one word for each server
"$SERVICES" start --temporary ${ALSO:+postgres nats redis $ALSO} 8>&-
load_services_env
# Not for the servers that the command starts: chaos kills them, and their data must be on disk.
unset BACKSCROLL_DATA_IN_MEMORY

# shellcheck disable=SC2317 # the trap calls it
release_services() {
    trap '' INT TERM HUP
    flock --unlock 8
    if flock --exclusive --nonblock 8; then "$SERVICES" stop --temporary 8>&- || true; fi
}
trap release_services EXIT

# The command gets its own process group, so that a signal to this script reaches every process of the command.
set -m
"$@" </dev/null 8>&- &
command=$!
set +m
for signal in INT TERM HUP; do
    # shellcheck disable=SC2064 # this signal, now
    trap "kill -$signal -- -$command 2>/dev/null || true" "$signal"
done

# A trapped signal ends `wait` early, while the command may still be stopping.
while :; do
    status=0
    wait "$command" || status=$?
    kill -0 "$command" 2>/dev/null || break
done
# Ends the processes that the command left behind, such as a child that ignores Ctrl-C.
kill -TERM -- "-$command" 2>/dev/null || true
exit "$status"
