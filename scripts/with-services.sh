#!/usr/bin/env bash
# Runs a command with the servers up and their addresses in its environment; afterwards stops those
# that it had to start. The exit status is the command's. ALSO in the environment names servers beyond those that everything needs.
#
#   with-services.sh COMMAND [ARGUMENT…]

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SERVICES="$CHECKOUT/scripts/services.sh"
# Of two commands that share the servers, the one that ends last stops them: each holds this lock while it runs.
mkdir -p "$RUN"
exec 8>"$RUN/users.lock"
flock --shared 8

# shellcheck disable=SC2086 # a word for each
"$SERVICES" start --temporary ${ALSO:+postgres nats redis $ALSO} 8>&-
load_services_env

# shellcheck disable=SC2317 # the trap calls it
release_services() {
    trap '' INT TERM HUP
    flock --unlock 8
    if flock --exclusive --nonblock 8; then "$SERVICES" stop --temporary 8>&- || true; fi
}
trap release_services EXIT

# The command gets a process group of its own, so that a signal to us alone reaches all that it started.
set -m
"$@" </dev/null 8>&- &
command=$!
set +m
for signal in INT TERM HUP; do
    # shellcheck disable=SC2064 # this signal, now
    trap "kill -$signal -- -$command 2>/dev/null || true" "$signal"
done

# A trapped signal ends `wait` early, while the command may still be closing down.
while :; do
    status=0
    wait "$command" || status=$?
    kill -0 "$command" 2>/dev/null || break
done
# What it left in its group, such as a child that ignores Ctrl-C, would be an orphan.
kill -TERM -- "-$command" 2>/dev/null || true
exit "$status"
