# shellcheck shell=bash
# Shared by every script here: folders, messages, and required programs.
# Scripts source this file. It is never run.

set -euo pipefail

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# The folder of this checkout's servers. A campaign of faults has its own folder and servers.
RUN=${BACKSCROLL_RUN:-$CHECKOUT/.run}

# A bare environment (cron, some CI) may lack HOME, which is needed to find the caches and Rust.
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
export HOME
# shellcheck disable=SC2034 # for the scripts that source this file
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/backscroll"

say() { printf '%s\n' "$*" >&2; }

die() {
    say "backscroll: $*"
    exit 1
}

is_root() { [[ $(id -u) == 0 ]]; }

has() { command -v "$1" >/dev/null 2>&1; }

# Installs Debian packages if root runs this; otherwise names the missing ones.
install_packages() {
    if ! is_root || ! has apt-get; then die "these packages are missing; install them: $*"; fi
    say "installing $*"
    apt_install "$@" >/dev/null 2>&1 || { apt-get update -qq >&2 && apt_install "$@" >&2; } \
        || die "apt-get could not install: $*"
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# Rust is never installed from here: developers choose how they install it.
require_rust() {
    has cargo || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    has cargo || die "Rust is missing: install the stable toolchain (rustup.rs), and run this again."

    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$CHECKOUT/Cargo.toml")
    found=$(cd "$CHECKOUT" && cargo --version | cut -d' ' -f2)
    printf '%s\n' "$wanted" "$found" | sort -VC \
        || die "Rust $found is too old: Backscroll needs $wanted or later (rustup update stable)."

    has cc || install_packages build-essential pkg-config
}

# Exports the addresses of the servers that `services.sh start` wrote down.
load_services_env() {
    [[ -r $RUN/services.env ]] || die "no servers are running: run 'make services'"
    set -a
    # shellcheck source=/dev/null
    source "$RUN/services.env"
    set +a
}
