# shellcheck shell=bash
# The programs of Debian's packages, for the servers that an operator on Debian has: Postgres, NATS, Redis and nginx.
# tests/it/operators starts them beside the servers of this checkout. Nothing is installed: packages are unpacked into
# the cache.

# Runs a program in a folder, in the foreground. If root runs this, the folder and the program get the service user.
run_debian() {
    (($# >= 2)) || die "usage: services.sh debian FOLDER PROGRAM [ARGUMENT…]"
    local folder=$1 program=$2
    shift 2
    mkdir -p "$RUN/log"
    choose_service_user
    choose_server_cache
    find_debian_program "$program"
    # Files that the program has written belong to the service user already. Servers that run in the folder remove files
    # meanwhile, which is no failure.
    if is_root; then
        find "$folder" -ignore_readdir_race -uid 0 -exec chown -h "$SERVICE_UID:$SERVICE_GID" {} + 2>/dev/null || true
    fi
    cd "$folder"
    # Programs look for files of the user there, which the service user could not read.
    export HOME=$folder
    # `exec` replaces this shell, so that signals reach the program.
    with_libraries "$DEBIAN_LIBRARIES" exec "${AS_SERVICE_USER[@]}" "$DEBIAN_PROGRAM" "$@"
}

# Sets DEBIAN_PROGRAM and DEBIAN_LIBRARIES. The package comes first: the program in PATH may be of another version.
find_debian_program() {
    local name=$1 package unpacked
    package=$(package_with "$name")
    DEBIAN_LIBRARIES=""
    # If Debian's Postgres is installed, its package depends on nothing that could be fetched.
    if [[ $package == postgresql ]] && find_program_in "$name" /usr; then return; fi
    if unpacked=$(fetch_debian_package "$package") && find_program_in "$name" "$unpacked" "$unpacked/usr"; then
        DEBIAN_LIBRARIES=$(library_folders "$unpacked")$(systemd_libraries "$unpacked")
        return
    fi
    DEBIAN_PROGRAM=$(command -v "$name") || die "$name could not be fetched: install Debian's package $package"
}

package_with() {
    case $1 in
        postgres | initdb | psql | pg_dump | pg_restore) printf 'postgresql\n' ;;
        nats-server | redis-server | nginx) printf '%s\n' "$1" ;;
        promtool) printf 'prometheus\n' ;;
        systemd-analyze) printf 'systemd\n' ;;
        *) die "services.sh debian knows no program $1" ;;
    esac
}

# Sets DEBIAN_PROGRAM to the program below one of the folders. Several versions of Postgres may be there: the oldest.
find_program_in() {
    local name=$1 folder
    shift
    for folder in "$@"; do
        for DEBIAN_PROGRAM in "$folder"/lib/postgresql/*/bin/"$name" "$folder"/{sbin,bin}/"$name"; do
            [[ -x $DEBIAN_PROGRAM ]] && return
        done
    done
    return 1
}

# systemd's programs share a library that lies in a folder of its own.
systemd_libraries() {
    local folder
    folder=$(find "$1" -name 'libsystemd-shared-*.so' -printf '%h\n' -quit)
    printf '%s' "${folder:+:$folder}"
}
