#!/bin/bash
# Usage: serve.sh TARN [BENCH_APP_WRITE] - the whole way of a line: HTTP, scanner, store, in a server process of its own;
# and what durability costs, as ratios to the goals.
#
# Method: `tarn bench ingest` posts the load of 64 nodes (one POST of 580 lines a node and interval,
# keep-alive); the figure is the CPU time of the server process, system included, per line. Latency is
# measured at 100,000 samples/s, from when each request was due; syncs as the server times them. Without and with
# checkpoints alternate, and the medians of three count. The CPU with and without log is bench_app_write's.
set -eu
tarn=$(realpath "$1")
cpu=${2:+$(realpath "$2")}
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
    : >log
    "$tarn" serve -config config.json -loglevel info >out 2>>log &
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

syncs() { # "SUM COUNT" of the server's syncs so far, in seconds
    curl -s "http://127.0.0.1:$port/metrics" |
        awk '/^tarn_log_sync_seconds_sum /{ s = $2 } /^tarn_log_sync_seconds_count /{ n = $2 } END { print s, n }'
}

checkpoints() { # one after the other, until killed
    while curl -sf -o "$dir/checkpoint" -X POST "http://127.0.0.1:$port/api/checkpoint"; do
        echo done >>checkpoints.done
    done
}

median() { # of column COLUMN of FILE
    awk -v c="$1" '{ print $c }' "$2" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

latency() { # quiet: MEDIAN P99 SYNC, busy: MEDIAN P99, a line for each round
    local before loop
    paced 10 >warm
    : >quiet
    : >busy
    : >checkpoints.done
    for _ in 1 2 3; do
        before=$(syncs)
        echo "$(paced 15) $(echo "$before $(syncs)" | awk '{ print 1000 * ($3 - $1) / ($4 - $2) }')" >>quiet
        checkpoints &
        loop=$!
        paced 15 >>busy
        kill "$loop" 2>/dev/null || true
        wait "$loop" || true
    done
    awk -v m="$(median 1 quiet)" -v p="$(median 2 quiet)" -v s="$(median 3 quiet)" -v bm="$(median 1 busy)" \
        -v bp="$(median 2 busy)" -v n="$(wc -l <checkpoints.done)" 'BEGIN {
        printf "answer at 100,000 samples/s, each synced:  median %.2f ms, 99 %% %.2f ms; a sync %.2f ms\n", m, p, s
        printf "the same while checkpoints are written (%d done):  median %.2f ms, 99 %% %.2f ms\n", n, bm, bp
        printf "ratio: 99 %% of answers at 100,000 samples/s to two syncs + 5 ms  %.2f (goal: at most 1)\n", p / (2 * s + 5)
        printf "ratio: median, 99 %% of answers during checkpoints to without  %.2f, %.2f (goal: at most 2)\n", bm / m, bp / p
    }'
}

serve ''
echo "idle server: $(awk '/RssAnon|VmRSS/ { printf "%s %.1f MiB ", $1, $2 / 1024 }' "/proc/$server/status")"
echo "HTTP end to end, every answer after its sync:  $(best) ns of server CPU a line"
latency
stop
serve '"durability":"interval"'
echo "HTTP end to end, synced once a second:         $(best) ns of server CPU a line; the reference, never synced, takes 1100-1500"
stop
[ -z "$cpu" ] || "$cpu"
