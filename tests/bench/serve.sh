#!/bin/bash
# Usage: serve.sh TARN - the whole way of a line: HTTP, scanner, store, in a server process of its own.
#
# Method: `tarn bench ingest` posts the load of 64 nodes (one POST of 580 lines a node and interval,
# keep-alive); the figure is the CPU time of the server process, system included, per line.
set -eu
tarn=$(realpath "$1")
dir=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || kill -TERM "$server" 2>/dev/null || true
    wait || true
    rm -rf "$dir"
}
trap end EXIT
cd "$dir"

serve() { # [tarn's own settings]
    "$tarn" bench ingest --print-config |
        sed "s/127.0.0.1:8082/127.0.0.1:0/; 1s/{/{\"tarn\":{$1},/" >config.json
    "$tarn" serve -config config.json -loglevel info >out 2>log &
    server=$!
    for _ in $(seq 500); do
        port=$(sed -n 's/.*(port \([0-9]*\)).*/\1/p' log)
        [ -z "$port" ] || return 0
        sleep 0.02
    done
    cat log
    exit 1
}

stop() {
    kill -TERM "$server"
    wait "$server"
    server=
    rm -rf var
}

best() { # the lowest of the server's figures in three runs
    for _ in 1 2 3; do
        "$tarn" bench ingest --url "http://127.0.0.1:$port" --server-pid "$server" --ticks 60
    done | sed -n 's/^server: \([0-9.]*\) ns.*/\1/p' | sort -n | head -1
}

serve ''
echo "idle server: $(awk '/RssAnon|VmRSS/ { printf "%s %.1f MiB ", $1, $2 / 1024 }' "/proc/$server/status")"
echo "HTTP end to end, every answer after its sync:  $(best) ns of server CPU a line"
stop
serve '"durability":"interval"'
echo "HTTP end to end, synced once a second:         $(best) ns of server CPU a line; the reference, never synced, takes 1100-1500"
stop
