# shellcheck shell=bash
# Redis: sessions, caches, presence and rate limits.

# shellcheck disable=SC2034 # read by name in services.sh
redis_process=redis-server
# shellcheck disable=SC2034
redis_stop_signal=TERM
REDIS_LIBRARIES=""

find_redis() {
    REDIS_SERVER=$(command -v redis-server || true)
    [[ -n $REDIS_SERVER ]] && usable "$REDIS_SERVER" && return

    local unpacked
    if unpacked=$(fetch_debian_package redis-server); then
        REDIS_SERVER="$unpacked/usr/bin/redis-server"
        REDIS_LIBRARIES=$(library_folders "$unpacked")
        [[ -x $REDIS_SERVER ]] && return
    fi
    die "Redis could not be fetched: install redis-server, or set BACKSCROLL_REDIS_URL."
}

redis_version() {
    with_libraries "$REDIS_LIBRARIES" "$REDIS_SERVER" --version | sed 's/.* v=\([0-9.]*\).*/\1/'
}

configure_redis() {
    make_service_folder "$DATA/redis"
    {
        cat "$CHECKOUT/scripts/services/redis.conf"
        printf 'bind 127.0.0.1\nport %s\ndir %s\nrequirepass %s\n' "$REDIS_PORT" "\"$DATA/redis\"" "$REDIS_PASSWORD"
    } | write_as_service_user "$DATA/redis.conf"
}

launch_redis() {
    with_libraries "$REDIS_LIBRARIES" launch redis "$REDIS_SERVER" "$DATA/redis.conf"
}

# While Redis loads its files, it refuses commands. It answers PING with PONG only when it has loaded them.
redis_answers() {
    local authenticated
    ask "$REDIS_PORT" authenticated "AUTH $REDIS_PASSWORD"$'\r\nPING\r\n' 2 && [[ $authenticated == *+PONG* ]]
}

prepare_redis() { :; }

redis_urls() { printf 'BACKSCROLL_REDIS_URL=redis://:%s@127.0.0.1:%s\n' "$REDIS_PASSWORD" "$REDIS_PORT"; }
