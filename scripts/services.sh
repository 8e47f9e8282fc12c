#!/usr/bin/env bash
# Postgres, NATS, Redis, Elasticsearch and an object store for this checkout alone: with their own data and ports, bound
# to 127.0.0.1.
#
#   services.sh start [--temporary] [SERVER…]
#                                     fetch and start the servers that do not run; write .run/services.env. Without
#                                     names: Postgres, NATS and Redis
#   services.sh stop [--temporary]    stop the servers that `start` (or `start --temporary`) started
#   services.sh status                one line per server; fails unless all run
#   services.sh env                   the addresses, as `export` lines for eval
#   services.sh psql [ARGUMENT…]      psql; without the address of a database, in the database of this checkout
#   services.sh pg_dump ARGUMENT…     pg_dump of the Postgres that `start` starts; pg_restore likewise
#   services.sh redis-server [ARGUMENT…]
#                                     start one more Redis in the foreground; tests make a cluster of them
#   services.sh nats-server [ARGUMENT…]
#                                     start one more NATS in the foreground; tests start one with TLS
#   services.sh elasticsearch FOLDER  start one more Elasticsearch in the foreground, with the configuration in FOLDER;
#                                     tests start one with users and TLS
#   services.sh debian FOLDER PROGRAM [ARGUMENT…]
#                                     run a program of Debian's packages in FOLDER, in the foreground: postgres, initdb,
#                                     psql, pg_dump, pg_restore, nats-server, redis-server, nginx, promtool or
#                                     systemd-analyze. If root runs it, FOLDER and the program get the service user
#   services.sh crash SERVER…         kill the servers with kill -9
#   services.sh wipe SERVER…          the same, and delete their data
#   services.sh freeze SERVER…        stop the processes (SIGSTOP) until `thaw SERVER…`
#   services.sh destroy               stop, and delete the data of this checkout
#
# BACKSCROLL_DATA_IN_MEMORY=1 in the environment keeps the data of servers that have none yet in memory, if there is room:
# they are lost when the machine stops. The tests of a fresh clone are faster by a fifth.
# BACKSCROLL_RUN in the environment names another folder in place of .run, for servers beside those of this checkout.
# BACKSCROLL_POSTGRES_URL, _NATS_URL, _REDIS_URL, _ELASTICSEARCH_URL or _OBJECT_STORE_URL in the environment names a
# server of yours, which is used in place of a new one.
# Needs bash 5, Linux and util-linux. scripts/services/fetch.sh fetches everything else.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/services/fetch.sh
source "$CHECKOUT/scripts/services/fetch.sh"
# shellcheck source=scripts/services/postgres.sh
source "$CHECKOUT/scripts/services/postgres.sh"
# shellcheck source=scripts/services/nats.sh
source "$CHECKOUT/scripts/services/nats.sh"
# shellcheck source=scripts/services/redis.sh
source "$CHECKOUT/scripts/services/redis.sh"
# shellcheck source=scripts/services/elasticsearch.sh
source "$CHECKOUT/scripts/services/elasticsearch.sh"
# shellcheck source=scripts/services/object_store.sh
source "$CHECKOUT/scripts/services/object_store.sh"
# shellcheck source=scripts/services/debian.sh
source "$CHECKOUT/scripts/services/debian.sh"

SERVERS=(postgres nats redis elasticsearch object_store)
ALWAYS=(postgres nats redis)
WAIT_SECONDS_MAX=300 # after a crash Postgres may replay its log; Elasticsearch takes minutes on a busy machine
RELAUNCHES_MAX=10    # after a crash its child processes hold the data for a moment
LOG_BYTES_MAX=$((10 * 1024 * 1024))
# Every port; the object store has several, for its parts.
PORTS=({POSTGRES,NATS,REDIS,ELASTICSEARCH,OBJECT_STORE}_PORT OBJECT_STORE_{GRPC,{MASTER,VOLUME,FILER}{,_GRPC}}_PORT)
MEMORY=/dev/shm # a folder of the system whose files are in memory
PORT_MIN=20000 # up to 31999: below the ports that Linux gives to outgoing connections
PORT_COUNT=12000

main() {
    local verb=${1:-help}
    shift || true
    case $verb in
        start) start "$@" ;;
        stop) stop "$@" ;;
        status) status ;;
        env) sed -n 's/^BACKSCROLL_/export &/p' "$RUN/services.env" ;;
        psql) open_psql "$@" ;;
        pg_dump | pg_restore) run_postgres_program "$verb" "$@" ;;
        redis-server) run_another_redis "$@" ;;
        nats-server) run_another_nats "$@" ;;
        elasticsearch) run_another_elasticsearch "$@" ;;
        debian) run_debian "$@" ;;
        crash) crash "$@" ;;
        wipe) wipe "$@" ;;
        freeze) signal_servers STOP "$@" ;;
        thaw) signal_servers CONT "$@" ;;
        destroy) destroy ;;
        *) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
    esac
}

# --- the verbs ---

start() {
    local lifetime=""
    if [[ ${1:-} == --* ]]; then
        lifetime=$1
        shift
    fi
    local server missing=() wanted=("${@:-${ALWAYS[@]}}")
    LAUNCHED=()

    take_the_lock
    choose_service_user
    choose_data_folder
    load_state
    trap stop_what_a_failed_start_left EXIT

    for server in "${wanted[@]}"; do
        if is_external "$server" || is_running "$server"; then continue; fi
        missing+=("$server")
    done
    choose_server_cache
    for server in "${missing[@]}"; do "find_$server"; done
    for server in "${missing[@]}"; do ensure_ports "$server"; done
    save_state
    for server in "${missing[@]}"; do bring_up "$server"; done
    for server in "${wanted[@]}"; do report "$server"; done

    write_services_env
    remember_lifetime "$lifetime" "${missing[@]}"
    trap - EXIT
}

stop() {
    [[ -d $RUN ]] || return 0
    take_the_lock
    locate_data_folder || return 0
    local names=("${SERVERS[@]}")
    if [[ ${1:-} == --temporary ]]; then
        mapfile -t names < <(cat "$RUN/temporary" 2>/dev/null || true)
    fi
    stop_servers "${names[@]}"
    rm -f "$RUN/temporary"
}

crash() {
    local server pid processes=()
    for server in "$@"; do mapfile -t -O ${#processes[@]} processes < <(processes_of "$server"); done
    signal_servers KILL "$@"
    for server in "$@"; do wait_until_gone "$server"; done
    # The children too: while they live, the data and the port are in use.
    for pid in "${processes[@]}"; do wait_until_dead "$pid"; done
}

wipe() {
    crash "$@"
    local server
    for server in "$@"; do rm -rf "${DATA:?}/$server"; done
}

status() {
    locate_data_folder || die "no server was started here: run 'make services'"
    load_state
    local server all_run=0
    for server in "${SERVERS[@]}"; do
        if is_external "$server"; then
            print_line "$server" "" "" "yours"
        elif is_running "$server"; then
            print_line "$server" "" "$(port_of "$server")" "running, process $(pid_of "$server")"
        elif [[ " ${ALWAYS[*]} " != *" $server "* ]]; then
            print_line "$server" "" "" "not started"
        else
            print_line "$server" "" "" "stopped"
            all_run=1
        fi
    done
    return $all_run
}

open_psql() {
    load_services_env
    # Without the address of a database: the database of this checkout.
    if [[ ${1:--} == -* ]]; then set -- "$BACKSCROLL_POSTGRES_URL" "$@"; fi
    run_postgres_program psql "$@"
}

run_postgres_program() {
    local program=$1
    shift
    choose_service_user
    choose_server_cache
    find_postgres
    with_postgres_libraries "$POSTGRES_BIN/$program" "$@"
}

run_another_redis() {
    mkdir -p "$RUN/log"
    choose_service_user
    choose_server_cache
    find_redis
    # `exec` replaces this shell, so that signals reach the server.
    with_libraries "$REDIS_LIBRARIES" exec "$REDIS_SERVER" "$@"
}

run_another_nats() {
    mkdir -p "$RUN/log"
    choose_service_user
    choose_server_cache
    find_nats
    exec "$NATS_SERVER" "$@"
}

run_another_elasticsearch() {
    local folder=$1
    mkdir -p "$RUN/log" "$folder/tmp"
    choose_service_user
    choose_server_cache
    find_elasticsearch
    configure_java "$folder" "$folder/tmp"
    if is_root; then chown -R "$SERVICE_UID:$SERVICE_GID" "$folder"; fi
    choose_elasticsearch_command "$folder" "$folder/tmp"
    with_libraries "$ELASTICSEARCH_LIBRARIES" exec "${AS_SERVICE_USER[@]}" "${ELASTICSEARCH_COMMAND[@]}"
}

destroy() {
    stop
    locate_data_folder && rm -rf "$DATA"
    rm -rf "$RUN/data" "$RUN/state.env" "$RUN/services.env" "$RUN/log" "$RUN"/*.pid
}

# --- one start or stop at a time ---

take_the_lock() {
    mkdir -p "$RUN/log"
    [[ -O $RUN ]] || die "$RUN belongs to another account: start the servers with that account"
    # The logs may contain messages of people.
    chmod 700 "$RUN/log"
    exec 9>"$RUN/services.lock"
    flock 9
}

# --- the account of the servers, and the folder of their data ---

# Postgres refuses to run as root, and no server needs to.
choose_service_user() {
    AS_SERVICE_USER=()
    is_root || return 0
    SERVICE_UID=$(id -u nobody)
    SERVICE_GID=$(id -g nobody)
    AS_SERVICE_USER=(setpriv --reuid "$SERVICE_UID" --regid "$SERVICE_GID" --clear-groups --)
}

as_service_user() {
    # In the root folder, because the service user may not be able to enter the caller's folder.
    (cd / && with_postgres_libraries "${AS_SERVICE_USER[@]}" "$@")
}

choose_data_folder() {
    chmod 755 "$RUN"
    locate_data_folder && forget_data_of_the_original && return
    if [[ -n ${BACKSCROLL_DATA_IN_MEMORY:-} ]] && memory_has_room; then
        DATA=$(mktemp -d "$MEMORY/backscroll-XXXXXXXX")
        ln -sfn "$DATA" "$RUN/data"
    elif is_root && ! "${AS_SERVICE_USER[@]}" test -x "$RUN"; then
        # The service user cannot enter this checkout, such as one in `mktemp -d`: the data go to a folder that it can.
        mkdir -p /var/lib/backscroll
        chmod 755 /var/lib/backscroll
        DATA=$(mktemp -d /var/lib/backscroll/XXXXXXXX)
        ln -sfn "$DATA" "$RUN/data"
    else
        DATA="$RUN/data"
        mkdir -p "$DATA"
    fi
    make_service_folder "$DATA"
    printf '%s\n' "$CHECKOUT" | write_as_service_user "$DATA/checkout"
}

# Whether the data of the servers and the tests themselves have room in memory: the data take up to 4 GB.
memory_has_room() {
    local available free
    available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
    free=$(df --output=avail --block-size=1M "$MEMORY" 2>/dev/null | tail -n 1) || return 1
    ((available >= 16384 && free >= 8192))
}

locate_data_folder() {
    DATA=$(readlink -e "$RUN/data") && [[ -e $DATA/checkout ]]
}

# If a checkout was copied with its .run, that .run points to the data of the original.
forget_data_of_the_original() {
    local recorded
    recorded=$(<"$DATA/checkout")
    [[ $recorded == "$CHECKOUT" ]] && return
    if [[ -L $RUN/data && $(readlink -e "${RUN/#"$CHECKOUT"/"$recorded"}/data") == "$DATA" ]]; then
        rm -f "$RUN/data" "$RUN/state.env" "$RUN"/*.pid
        return 1
    fi
    printf '%s\n' "$CHECKOUT" | write_as_service_user "$DATA/checkout"
}

make_service_folder() {
    mkdir -p "$1"
    chmod 700 "$1"
    give_to_service_user "$1"
}

install_as_service_user() { write_as_service_user "$2" <"$1"; }

write_as_service_user() {
    (umask 077 && cat >"$1")
    give_to_service_user "$1"
}

give_to_service_user() {
    if is_root; then chown "$SERVICE_UID:$SERVICE_GID" "$1"; fi
}

usable() { [[ -x $1 ]] && as_service_user test -x "$1"; }

# --- ports and passwords, which stay the same between starts ---

load_state() {
    local name
    for name in "${PORTS[@]}"; do printf -v "$name" ''; done
    # shellcheck source=/dev/null
    if [[ -e $RUN/state.env ]]; then source "$RUN/state.env"; fi
    POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-$(random_password)}
    POSTGRES_ADMIN_PASSWORD=${POSTGRES_ADMIN_PASSWORD:-$(random_password)}
    NATS_PASSWORD=${NATS_PASSWORD:-$(random_password)}
    REDIS_PASSWORD=${REDIS_PASSWORD:-$(random_password)}
    OBJECT_STORE_PASSWORD=${OBJECT_STORE_PASSWORD:-$(random_password)}
}

save_state() {
    local name
    for name in "${PORTS[@]}" {POSTGRES,POSTGRES_ADMIN,NATS,REDIS,OBJECT_STORE}_PASSWORD; do
        printf '%s=%s\n' "$name" "${!name}"
    done | write_private "$RUN/state.env"
}

# With a letter first, because the configuration of NATS reads a value that begins with a digit as a number.
random_password() { printf 'p%s' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"; }

write_private() {
    (umask 077 && cat >"$1.new")
    mv "$1.new" "$1"
}

ensure_ports() {
    local variable
    for variable in "${PORTS[@]}"; do
        if [[ $variable == "${1^^}"_* ]]; then ensure_port "$variable"; fi
    done
}

# Keeps the port of the last start if it is still free.
ensure_port() {
    local variable=$1
    local port=${!variable}
    while [[ -z $port ]] || is_taken "$variable" "$port"; do
        port=$((PORT_MIN + SRANDOM % PORT_COUNT))
    done
    printf -v "$variable" '%s' "$port"
}

is_taken() {
    local variable=$1 port=$2 other
    for other in "${PORTS[@]}"; do
        [[ $other != "$variable" && ${!other} == "$port" ]] && return
    done
    # 0A: listening. A closed connection to an earlier process does not count.
    awk -v port="$(printf ':%04X' "$port")" '$4 == "0A" && index($2, port) { found = 1 } END { exit !found }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

port_of() {
    local variable="${1^^}_PORT"
    printf '%s' "${!variable}"
}

is_external() {
    local url="BACKSCROLL_${1^^}_URL"
    [[ -n ${!url:-} ]]
}

# --- processes ---

pid_of() { cat "$RUN/$1.pid" 2>/dev/null; }

# The process id alone proves nothing: it may belong to another process now. The server has the right name, and works in
# its data folder.
is_running() {
    local pid name="${1}_process"
    pid=$(pid_of "$1") && [[ -n $pid ]] || return 1
    [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "${!name}" ]] \
        && [[ $(readlink "/proc/$pid/cwd" 2>/dev/null) == "$DATA/$1" ]]
}

# Runs a server in its own session, so that Ctrl-C in a terminal ends the command that uses it, and not the server.
launch() {
    local server=$1 log="$RUN/log/$1.log"
    shift
    if [[ -e $log && $(stat -c %s "$log") -gt $LOG_BYTES_MAX ]]; then mv "$log" "$log.old"; fi
    (
        cd "$DATA/$server"
        exec setsid "${AS_SERVICE_USER[@]}" "$@"
    ) </dev/null >>"$log" 2>&1 8>&- 9>&- &
    printf '%s\n' $! >"$RUN/$server.pid"
    LAUNCHED+=("$server")
}

bring_up() {
    local server=$1 began=$EPOCHREALTIME
    "configure_$server"
    "launch_$server"
    wait_until_answers "$server"
    "prepare_$server"
    print_line "$server" "$("${server}_version")" "$(port_of "$server")" "started in $(seconds_since "$began") s"
}

wait_until_answers() {
    local server=$1 relaunches=0 deadline=$((SECONDS + WAIT_SECONDS_MAX))
    until "${server}_answers" && is_running "$server"; do
        ((SECONDS < deadline)) || die "$server does not answer after $WAIT_SECONDS_MAX s: .run/log/$server.log"
        if ! kill -0 "$(pid_of "$server")" 2>/dev/null; then
            ((relaunches++ < RELAUNCHES_MAX)) || die "$server does not start: $(tail -n 3 "$RUN/log/$server.log")"
            sleep 0.5
            "launch_$server"
        fi
        sleep 0.05
    done
}

# Sends lines to a port of this machine, and reads as many lines of the answer.
ask() {
    local port=$1 connection received all=""
    local -n answer=$2
    local question=$3 lines=${4:-1}
    { exec {connection}<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    { printf '%s' "$question" >&"$connection"; } 2>/dev/null || true
    while ((lines-- > 0)) && IFS= read -r -t 2 received <&"$connection"; do all+=$received; done
    exec {connection}>&-
    # shellcheck disable=SC2034 # the variable of the caller
    answer=$all
}

# Signals the children too: those of Postgres notice a killed parent late, and a stopped parent never.
signal_servers() {
    local signal=$1 server pid
    shift
    take_the_lock
    locate_data_folder || die "no server was started here: run 'make services'"
    for server in "$@"; do
        is_running "$server" || continue
        for pid in $(processes_of "$server"); do kill "-$signal" "$pid" 2>/dev/null || true; done
    done
}

# Prints the process of a server and its children, whichever thread started them.
processes_of() {
    local pid
    pid=$(pid_of "$1") || return 0
    printf '%s\n' "$pid"
    cat "/proc/$pid"/task/*/children 2>/dev/null | tr ' ' '\n' | sed '/^$/d'
}

wait_until_dead() {
    local deadline=$((SECONDS + WAIT_SECONDS_MAX))
    while kill -0 "$1" 2>/dev/null && [[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) != Z* ]]; do
        ((SECONDS < deadline)) || die "process $1 does not end"
        sleep 0.05
    done
}

stop_servers() {
    local server signal signalled=()
    for server in "$@"; do
        if is_running "$server"; then
            signal="${server}_stop_signal"
            kill -"${!signal}" "$(pid_of "$server")"
            signalled+=("$server")
        fi
    done
    for server in "${signalled[@]}"; do wait_until_gone "$server"; done
}

wait_until_gone() {
    local server=$1 deadline=$((SECONDS + WAIT_SECONDS_MAX))
    while is_running "$server"; do
        ((SECONDS < deadline)) || die "$server (process $(pid_of "$server")) does not stop"
        sleep 0.05
    done
    rm -f "$RUN/$server.pid"
    print_line "$server" "" "" "stopped"
}

stop_what_a_failed_start_left() { stop_servers "${LAUNCHED[@]}"; }

# `make test` and `make run` stop the servers that they started. A start without the option keeps all servers running.
remember_lifetime() {
    local lifetime=$1
    shift
    if [[ $lifetime != --temporary ]]; then
        rm -f "$RUN/temporary"
    elif (($# > 0)); then
        printf '%s\n' "$@" >>"$RUN/temporary"
    fi
}

# --- messages for the user, and the file for programs ---

report() {
    local server=$1 url="BACKSCROLL_${1^^}_URL"
    if is_external "$server"; then
        print_line "$server" "" "" "yours, at $url"
    elif [[ " ${LAUNCHED[*]} " != *" $server "* ]]; then
        print_line "$server" "" "$(port_of "$server")" "already running"
    fi
}

print_line() {
    local server=$1 version=$2 port=$3 state=$4
    say "$(printf '%-13s %-7s %-16s %s' "$server" "$version" "${port:+127.0.0.1:$port}" "$state")"
}

seconds_since() { awk -v a="${1/,/.}" -v b="${EPOCHREALTIME/,/.}" 'BEGIN { printf "%.1f", b - a }'; }

write_services_env() {
    local server url
    for server in "${SERVERS[@]}"; do
        if ! is_external "$server"; then
            # Only a server that was started once has a port, and so an address.
            if [[ -n $(port_of "$server") ]]; then "${server}_urls"; fi
            continue
        fi
        for url in "BACKSCROLL_${server^^}"_{URL,ADMIN_URL,ACCESS_KEY,SECRET_KEY}; do
            if [[ -n ${!url:-} ]]; then printf '%s=%q\n' "$url" "${!url}"; fi
        done
    done | write_private "$RUN/services.env"
}

main "$@"
