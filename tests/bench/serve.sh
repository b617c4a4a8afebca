#!/bin/bash
# Usage: serve.sh TARN - the whole way of a line: HTTP, scanner, store, in a server process of its own.
#
# Method: `tarn bench ingest` posts the load of 64 nodes (one POST of 580 lines a node and interval,
# keep-alive); the figure is the CPU time of the server process, system included, per line. Latency is
# measured at 100,000 samples/s, from when each request was due; syncs as the server times them.
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

paced() { # TICKS: "MEDIAN P99" of the answers at 100,000 samples/s, in ms
    "$tarn" bench ingest --url "http://127.0.0.1:$port" --rate 100000 --ticks "$1" |
        sed -n 's/^latency: median \([0-9.]*\) ms, 99 % \([0-9.]*\) ms.*/\1 \2/p'
}

syncs() { # "BOUND COUNT" of each bucket of the server's syncs so far
    curl -s "http://127.0.0.1:$port/metrics" |
        sed -n 's/^tarn_log_sync_seconds_bucket{le="\([^"]*\)"} /\1 /p'
}

sync_p99() { # BEFORE AFTER: the bound in ms of the bucket with the 99th percentile of the syncs between
    paste -d' ' "$1" "$2" |
        awk '{ le[NR] = $1; n[NR] = $4 - $2 }
             END { for (i = 1; n[i] < 0.99 * n[NR]; i++); print le[i] * 1000 }'
}

checkpoints() { # one after the other, until killed
    while curl -sf -o "$dir/checkpoint" -X POST "http://127.0.0.1:$port/api/checkpoint"; do
        echo done >>checkpoints.done
    done
}

latency() {
    local quiet busy loop n
    paced 10 >warm
    syncs >before
    quiet=$(paced 30)
    syncs >after
    echo "answer at 100,000 samples/s, each synced:       median, 99 %: $quiet ms; 99 % of syncs took at most $(sync_p99 before after) ms; goal: two syncs + 5 ms"
    : >checkpoints.done
    checkpoints &
    loop=$!
    busy=$(paced 30)
    kill "$loop" 2>/dev/null || true
    wait "$loop" || true
    n=$(wc -l <checkpoints.done)
    echo "the same while checkpoints are written ($n done): median, 99 %: $busy ms; goal: at most twice that without"
}

serve ''
echo "idle server: $(awk '/RssAnon|VmRSS/ { printf "%s %.1f MiB ", $1, $2 / 1024 }' "/proc/$server/status")"
echo "HTTP end to end, every answer after its sync:  $(best) ns of server CPU a line"
latency
stop
serve '"durability":"interval"'
echo "HTTP end to end, synced once a second:         $(best) ns of server CPU a line; the reference, never synced, takes 1100-1500"
stop
