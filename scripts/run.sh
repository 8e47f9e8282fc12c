#!/usr/bin/env bash
# Builds Backscroll, and serves it with a workspace to try. Call it by `make run`, which puts the servers' addresses
# into the environment.
#
#   run.sh [FILE]   import this Slack export in place of the sample

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export_file=${1:-}
if [[ -n $export_file ]]; then
    [[ -r $export_file ]] || die "the export $export_file cannot be read"
    export_file=$(realpath -- "$export_file")
fi

cd "$CHECKOUT"
require_rust

# The key that seals personal data. Without it, sealed data cannot be read again: keep a copy of the file.
ensure_master_key() {
    [[ -z ${BACKSCROLL_MASTER_KEY:-} ]] || return 0
    local secrets="$RUN/secrets.env"
    if [[ ! -s $secrets ]]; then
        (umask 077 && printf 'BACKSCROLL_MASTER_KEY=%s\n' "$(head -c 32 /dev/urandom | base64 -w 0)" >"$secrets.new")
        mv "$secrets.new" "$secrets"
    fi
    set -a
    # shellcheck source=/dev/null
    source "$secrets"
    set +a
}

# Without it, the program does not know its commit. A checkout without git has none.
BACKSCROLL_COMMIT=$(git -C "$CHECKOUT" describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null || true)
export BACKSCROLL_COMMIT

backscroll() { cargo run --profile quick --quiet --bin backscroll -- "$@"; }

cargo build --profile quick --bin backscroll
ensure_master_key
backscroll migrate
# `exec` replaces this shell, and cargo replaces itself by the program, so that signals reach the program.
exec cargo run --profile quick --quiet --bin backscroll -- demo ${export_file:+--export "$export_file"}
