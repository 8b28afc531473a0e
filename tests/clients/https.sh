#!/bin/bash
# A cluster whose front doors speak HTTPS alone, by their own certificates in the cluster: aws, boto3,
# curl, node and strict checks believe them, functions call the API, certificates are renewed under load
# by lapwing certs, metrics tell of another one; and what is refused at the start.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
: "${SAMPLES:?the samples folder}"
here=$(dirname "$(readlink -f "$0")")

boto3_https() { TEST_DATA=$TEST_DIR/data LAPWING=$LAPWING /usr/bin/python3 "$here/https.py" "$1"; }
curl_believes() { curl -sS --fail "$AWS_ENDPOINT_URL/_lapwing/v1/health" | grep -q ready; }
node_believes() {
    node -e 'require("https").get(process.argv[1], a => process.exit(a.statusCode == 200 ? 0 : 1))' \
        "$AWS_ENDPOINT_URL/_lapwing/v1/health"
}
# The CA is a strict check's own affair, too, so the certificates of all programs are looked at, not only
# those that a front door shows.
strictly_valid() {
    local certificate name purpose

    for certificate in "$TEST_DIR"/data/zone-*/*.crt; do
        for purpose in sslserver sslclient; do
            openssl verify -x509_strict -purpose "$purpose" -CAfile "$TEST_DIR/data/ca.crt" "$certificate" || return 1
        done
        for name in localhost s3.localhost bucket.s3.localhost; do
            openssl verify -x509_strict -verify_hostname "$name" -CAfile "$TEST_DIR/data/ca.crt" "$certificate" || return 1
        done
        for name in 127.0.0.1 ::1; do
            openssl verify -x509_strict -verify_ip "$name" -CAfile "$TEST_DIR/data/ca.crt" "$certificate" || return 1
        done
        ! openssl verify -x509_strict -verify_hostname example.org -CAfile "$TEST_DIR/data/ca.crt" "$certificate" || return 1
    done
}
status_works() { "$LAPWING" status | grep -q ' live '; }
status_needs_the_ca() {
    ! env -u AWS_CA_BUNDLE -u SSL_CERT_FILE "$LAPWING" status >"$TEST_DIR/status.out" 2>&1 &&
        grep -q certificate "$TEST_DIR/status.out"
}

# refused PROGRAM INI TEXT FLAG...: it does not start, and its one line has the text.
refused() {
    local program=$1 ini=$TEST_DIR/data/zone-a/$2 text=$3 out

    shift 3
    if out=$("$BUILD/$program" --config "$ini" "$@" 2>&1); then
        echo "it started"
        return 1
    fi
    echo "$out"
    grep -qF -- "$text" <<<"$out"
}

refused_certificates() {
    local key=$TEST_DIR/data/zone-a/controlplane.key cert=$TEST_DIR/data/zone-a/controlplane.crt
    local door=controlplane/lapwing-controlplane

    refused $door controlplane.ini "https.key_file is not set" "--https.cert_file=$cert" &&
        refused $door controlplane.ini "/nowhere.pem" --https.cert_file=/nowhere.pem "--https.key_file=$key" &&
        refused $door controlplane.ini "$cert: no private key" "--https.cert_file=$cert" "--https.key_file=$cert" &&
        refused $door controlplane.ini "$key: no certificate" "--https.cert_file=$key" "--https.key_file=$key"
}

refused_plain() {
    refused controlplane/lapwing-controlplane controlplane.ini "set listen.plain_http = yes" --listen.api=0.0.0.0:1 &&
        refused controlplane/lapwing-controlplane controlplane.ini "set objstore.plain_http = yes" \
            --objstore.addresses=192.0.2.1:1 &&
        refused objstore/lapwing-objstore objstore.ini "set listen.plain_http = yes" --listen.http=0.0.0.0:1 &&
        refused worker/agent/lapwing-worker worker.ini "set api.plain_http = yes" --api.addresses=http://192.0.2.1:1 &&
        refused worker/agent/lapwing-worker worker.ini "set objstore.plain_http = yes" --objstore.addresses=192.0.2.1:1
}

plain_is_told() { grep -hq 'https_refused .*spoke plain HTTP' "$TEST_DIR"/data/zone-*/controlplane.ini.log; }

# The store of zone a by itself, on a port of TLS, by its own certificate in the cluster.
store_speaks_https() {
    local pid answer port=$((TEST_PORT + 49)) rc=1

    "$BUILD/objstore/lapwing-objstore" --config "$TEST_DIR/data/zone-a/objstore.ini" \
        "--listen.http=https://127.0.0.1:$port" >"$TEST_DIR/store.out" 2>&1 &
    pid=$!
    wait_for grep -q ' ready ' "$TEST_DIR/store.out"
    answer=$(curl -sS --cacert "$TEST_DIR/data/ca.crt" "https://127.0.0.1:$port/bucket/key" 2>&1)
    [[ $answer == *"<Code>AccessDenied</Code>"* ]] && rc=0
    kill "$pid"
    wait "$pid"
    echo "$answer"
    cat "$TEST_DIR/store.out"
    return $rc
}

metrics() { # metrics PORT
    curl -sS --fail --aws-sigv4 aws:amz:us-east-1:lapwing --user test:test "https://127.0.0.1:$1/_lapwing/v1/metrics"
}
metrics_without_certificate() {
    metrics "$TEST_PORT" >"$TEST_DIR/metrics" &&
        grep -q '^lapwing_raft_term{group="storage"} [1-9]' "$TEST_DIR/metrics" &&
        grep -q '^lapwing_workers{state="live"} 3$' "$TEST_DIR/metrics" &&
        grep -q '^lapwing_https_handshakes{state="waiting"} 0$' "$TEST_DIR/metrics" &&
        ! grep lapwing_https_certificate "$TEST_DIR/metrics"
}

# A front door by itself, of zone a's configuration, with a certificate of [https]: its end is told, too.
metrics_of_another() {
    local alone=$TEST_DIR/alone port=$((TEST_PORT + 48)) pid expires rc=1

    mkdir "$alone" &&
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 29 -subj /CN=other \
            -addext subjectAltName=IP:127.0.0.1 -keyout "$alone/other.key" -out "$alone/other.crt" || return 1
    sed "/^[23] = /d; s|^dir = .*|dir = $alone|; s|^api = .*|api = https://127.0.0.1:$port|" \
        "$TEST_DIR/data/zone-a/controlplane.ini" >"$alone/ini"
    printf '[https]\ncert_file = %s/other.crt\nkey_file = %s/other.key\n' "$alone" "$alone" >>"$alone/ini"
    "$BUILD/controlplane/lapwing-controlplane" --config "$alone/ini" >"$alone/out" 2>&1 &
    pid=$!
    wait_for grep -q ' ready ' "$alone/out"
    CURL_CA_BUNDLE=$alone/other.crt metrics "$port" >"$alone/metrics"
    expires=$(awk '$1 == "lapwing_https_certificate_expires_seconds" { print $2 }' "$alone/metrics")
    [ "$expires" = "$(date -d "$(openssl x509 -in "$alone/other.crt" -noout -enddate | cut -d= -f2)" +%s)" ] &&
        grep -q 'certificate_expires .*use=https .*days_left=2[89]' "$alone/out" && rc=0
    kill "$pid"
    wait "$pid"
    cat "$alone/out" "$alone/metrics"
    return $rc
}

start_cluster --zones 3 --https
check "curl believes the cluster" curl_believes
if command -v node >/dev/null; then
    check "node believes the cluster" node_believes
fi
check "strict checks believe the certificates of all programs" strictly_valid
check "lapwing status works" wait_for status_works
check "lapwing status wants the CA" status_needs_the_ca
check "metrics tell of groups, workers and handshakes, and of no certificate twice" wait_for metrics_without_certificate
check "aws walks hello-python" "$SAMPLES/hello-python/walkthrough.sh"
check "boto3, links, functions that call the API, plain HTTP, old TLS" boto3_https api
check "plain HTTP to the port is in the log" plain_is_told
check "certificates are renewed under load" boto3_https renew
stop_cluster >/dev/null
check "wrong certificate files are told of at the start" refused_certificates
check "an object store speaks HTTPS, too" store_speaks_https
check "metrics and log tell when a certificate of [https] runs out" metrics_of_another
check "plain HTTP off loopback is refused at the start" refused_plain
start_cluster --zones 3
check "plain HTTP again" status_works
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
finish
