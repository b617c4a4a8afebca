/* bench.h - what the `tarn bench` commands share: the flags of a target and the report. */
#ifndef TARN_APP_BENCH_H
#define TARN_APP_BENCH_H

#include "app/options.h"
#include "app/pump.h"

#include <stdbool.h>

struct ta_bench_target {
    const char *url, *token, *cluster;
    int64_t connections, server_pid;
    int64_t pace_ns; /* between the begins of two requests; 0: as fast as they are answered */
    bool is_json;
};

/* Rows for an options table; `type` is the command's struct, `member` its ta_bench_target. */
#define TA_BENCH_TARGET_ROWS(type, member, cluster_default, connections_default)                   \
    {.name = "url",                                                                                \
     .kind = TA_OPT_TEXT,                                                                          \
     .offset = offsetof(type, member.url),                                                         \
     .arg = "URL",                                                                                 \
     .default_ = "http://127.0.0.1:8082",                                                          \
     .help = "the store, plain HTTP"},                                                             \
        {.name = "token",                                                                          \
         .kind = TA_OPT_TEXT,                                                                      \
         .offset = offsetof(type, member.token),                                                   \
         .arg = "FILE",                                                                            \
         .help = "file that holds the access token (JWT)"},                                        \
        {.name = "cluster",                                                                        \
         .kind = TA_OPT_TEXT,                                                                      \
         .offset = offsetof(type, member.cluster),                                                 \
         .arg = "NAME",                                                                            \
         .default_ = cluster_default,                                                              \
         .help = "name of the cluster"},                                                           \
        {.name = "connections",                                                                    \
         .kind = TA_OPT_INT,                                                                       \
         .offset = offsetof(type, member.connections),                                             \
         .arg = "N",                                                                               \
         .rule = ">0",                                                                             \
         .default_ = connections_default,                                                          \
         .help = "connections, each with one request under way"},                                  \
        {.name = "server-pid",                                                                     \
         .kind = TA_OPT_INT,                                                                       \
         .offset = offsetof(type, member.server_pid),                                              \
         .arg = "PID",                                                                             \
         .rule = ">0",                                                                             \
         .help = "report the CPU time and memory of that local process too"},                      \
    {                                                                                              \
        .name = "json", .kind = TA_OPT_SWITCH, .offset = offsetof(type, member.is_json),           \
        .help = "the report as one JSON object"                                                    \
    }

/* CPU time of a process so far in ns, and its anonymous resident memory in bytes; both 0 when it
 * can not be looked at or pid is 0. */
struct ta_bench_process {
    int64_t cpu_ns;
    uint64_t anon_bytes;
};
void ta_bench_process_look(int64_t pid, struct ta_bench_process *out);

/* What the units of work are called, and how many were done. */
struct ta_bench_work {
    const char *name, *one; /* "lines", "line" */
    uint64_t n;
};

/* Runs the pump against the target and prints the report on stdout. *work is looked at when all is
 * done. TA_EDENIED when an answer was not 200. */
int ta_bench_run(const struct ta_bench_target *target, const char *method, const char *path,
                 size_t body_max, struct ta_pump_source *source, const struct ta_bench_work *work,
                 struct ta_err *err);

#endif
