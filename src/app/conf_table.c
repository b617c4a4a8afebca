/* conf_table.c - every configuration key there is, and the built-in configuration. */
#include "app/conf_int.h"
#include "app/conf_nats.h"

#define IN(type, member) offsetof(struct type, member)

static const struct ta_conf_key debug_keys[] = {
    {.name = "dump-to-file", .kind = TA_CONF_IGNORED, .help = "accepted, without effect"},
    {.name = "gops", .kind = TA_CONF_IGNORED, .help = "accepted, without effect"},
};
static const struct ta_conf_table debug_table = {"debug", debug_keys, TA_COUNT(debug_keys),
                                                 TA_CONF_REFUSE};

static const struct ta_conf_key main_keys[] = {
    {.name = "addr",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_main, addr),
     .default_ = TA_CONF_ADDR,
     .help = "address to listen on, host:port"},
    {.name = "https-cert-file",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_main, cert_file),
     .default_ = "",
     .help = "PEM certificate chain; HTTPS when both files are set"},
    {.name = "https-key-file",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_main, key_file),
     .default_ = "",
     .help = "PEM private key"},
    {.name = "user",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_main, user),
     .default_ = "",
     .help = "user to become once the socket is bound"},
    {.name = "group",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_main, group),
     .default_ = "",
     .help = "group to become; empty: the user's own"},
    {.name = "backend-url",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_main, backend_url),
     .default_ = "",
     .help = "cc-backend that names the nodes in use; empty: none"},
    {.name = "jwt-public-key",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_main, jwt_public_key),
     .default_ = "",
     .help = "base64 Ed25519 public key; empty: everybody may do everything"},
    {.name = "debug", .kind = TA_CONF_TABLE, .sub = &debug_table},
};
static const struct ta_conf_table main_table = {"main", main_keys, TA_COUNT(main_keys),
                                                TA_CONF_REFUSE};

static const struct ta_conf_key checkpoint_keys[] = {
    {.name = "file-format",
     .kind = TA_CONF_WORD,
     .offset = IN(ta_conf_store, checkpoint_format),
     .default_ = "wal",
     .rule = "wal|json",
     .help = "format of checkpoint files"},
    {.name = "directory",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_store, checkpoint_dir),
     .default_ = "./var/checkpoints",
     .help = "where checkpoints and the log are"},
    {.name = "max-wal-size",
     .kind = TA_CONF_INT,
     .offset = IN(ta_conf_store, max_wal_bytes),
     .default_ = "0",
     .rule = ">=0",
     .help = "bytes per host; 0: unlimited"},
};
static const struct ta_conf_table checkpoint_table = {"checkpoints", checkpoint_keys,
                                                      TA_COUNT(checkpoint_keys), TA_CONF_REFUSE};

static const struct ta_conf_key cleanup_keys[] = {
    {.name = "mode",
     .kind = TA_CONF_WORD,
     .offset = IN(ta_conf_store, cleanup_mode),
     .default_ = "delete",
     .rule = "archive|delete",
     .help = "what becomes of old checkpoints"},
    {.name = "directory",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_store, cleanup_dir),
     .default_ = "",
     .help = "where Parquet files go; required with mode archive"},
};
static const struct ta_conf_table cleanup_table = {"cleanup", cleanup_keys, TA_COUNT(cleanup_keys),
                                                   TA_CONF_REFUSE};

static const struct ta_conf_key store_keys[] = {
    {.name = "retention-in-memory",
     .kind = TA_CONF_DURATION,
     .is_required = true,
     .offset = IN(ta_conf_store, retention_ns),
     .help = "how long samples stay in memory; 0: no limit by age"},
    {.name = "memory-cap",
     .kind = TA_CONF_INT,
     .is_required = true,
     .rule = ">=0",
     .offset = IN(ta_conf_store, memory_cap_gb),
     .help = "GB (1e9 bytes) that samples may take, oldest go first; 0: unlimited"},
    {.name = "checkpoint-interval",
     .kind = TA_CONF_DURATION,
     .rule = "~>0",
     .offset = IN(ta_conf_store, checkpoint_interval_ns),
     .default_ = "12h",
     .help = "time between two checkpoints"},
    {.name = "num-workers",
     .kind = TA_CONF_INT,
     .offset = IN(ta_conf_store, num_workers),
     .default_ = "0",
     .help = "threads for checkpoint files; 0: min(cores / 2 + 1, 10)"},
    {.name = "checkpoints", .kind = TA_CONF_TABLE, .sub = &checkpoint_table},
    {.name = "cleanup", .kind = TA_CONF_TABLE, .sub = &cleanup_table},
    {.name = "nats-subscriptions",
     .kind = TA_CONF_ITEMS,
     .items = ta_conf_read_subscriptions,
     .help = "array of {\"subscribe-to\": subject, \"cluster-tag\": default cluster}"},
    {.name = "debug", .kind = TA_CONF_TABLE, .sub = &debug_table},
};
static const struct ta_conf_table store_table = {"metric-store", store_keys, TA_COUNT(store_keys),
                                                 TA_CONF_REFUSE};

static const struct ta_conf_key nats_keys[] = {
    {.name = "address",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_nats, address),
     .default_ = "",
     .help = "server URLs, comma-separated; empty: no NATS"},
    {.name = "username",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_nats, username),
     .default_ = "",
     .help = "used together with password"},
    {.name = "password",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_nats, password),
     .default_ = "",
     .help = "used together with username"},
    {.name = "creds-file-path",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_nats, creds_file),
     .default_ = "",
     .help = "NATS credentials file"},
};
static const struct ta_conf_table nats_table = {"nats", nats_keys, TA_COUNT(nats_keys),
                                                TA_CONF_WARN};

static const struct ta_conf_key limit_keys[] = {
    {.name = "body",
     .kind = TA_CONF_SIZE,
     .offset = IN(ta_conf_limits, body_bytes),
     .default_ = "64MiB",
     .rule = ">0",
     .help = "largest request body, packed or unpacked"},
    {.name = "line",
     .kind = TA_CONF_SIZE,
     .offset = IN(ta_conf_limits, line_bytes),
     .default_ = "64KiB",
     .rule = ">0",
     .help = "longest line of line protocol"},
    {.name = "header",
     .kind = TA_CONF_SIZE,
     .offset = IN(ta_conf_limits, header_bytes),
     .default_ = "8KiB",
     .rule = ">0",
     .help = "request line and header fields"},
    {.name = "uri",
     .kind = TA_CONF_SIZE,
     .offset = IN(ta_conf_limits, uri_bytes),
     .default_ = "4KiB",
     .rule = ">0",
     .help = "request target"},
    {.name = "request-memory",
     .kind = TA_CONF_SIZE,
     .offset = IN(ta_conf_limits, request_memory_bytes),
     .default_ = "16MiB",
     .rule = ">0",
     .help = "memory that one request may hold"},
    {.name = "total-memory",
     .kind = TA_CONF_SIZE,
     .offset = IN(ta_conf_limits, total_memory_bytes),
     .default_ = "256MiB",
     .rule = ">0",
     .help = "memory that all requests together may hold"},
    {.name = "connections",
     .kind = TA_CONF_INT,
     .offset = IN(ta_conf_limits, connections),
     .default_ = "8192",
     .rule = ">0",
     .help = "open connections"},
    {.name = "connections-per-address",
     .kind = TA_CONF_INT,
     .offset = IN(ta_conf_limits, connections_per_address),
     .default_ = "0",
     .rule = ">=0",
     .help = "open connections of one client address; 0: no limit of its own"},
    {.name = "queries",
     .kind = TA_CONF_INT,
     .offset = IN(ta_conf_limits, queries),
     .default_ = "100000",
     .rule = ">0",
     .help = "queries in one request"},
    {.name = "time-range",
     .kind = TA_CONF_DURATION,
     .offset = IN(ta_conf_limits, time_range_ns),
     .default_ = "0",
     .rule = ">=0",
     .help = "longest range of one query; 0: any, as far as there is data"},
    {.name = "head-timeout",
     .kind = TA_CONF_DURATION,
     .offset = IN(ta_conf_limits, head_timeout_ns),
     .default_ = "10s",
     .rule = ">0",
     .help = "for the header of a request, TLS handshake included"},
    {.name = "idle-timeout",
     .kind = TA_CONF_DURATION,
     .offset = IN(ta_conf_limits, idle_timeout_ns),
     .default_ = "60s",
     .rule = ">0",
     .help = "between requests, and without progress in one"},
    {.name = "total-timeout",
     .kind = TA_CONF_DURATION,
     .offset = IN(ta_conf_limits, total_timeout_ns),
     .default_ = "5m",
     .rule = ">0",
     .help = "for one request with its answer"},
    {.name = "min-rate",
     .kind = TA_CONF_SIZE,
     .offset = IN(ta_conf_limits, min_rate_bytes),
     .default_ = "1KiB",
     .rule = ">0",
     .help = "bytes per second that a client must send or take after 10 s"},
};
static const struct ta_conf_table limit_table = {"limits", limit_keys, TA_COUNT(limit_keys),
                                                 TA_CONF_REFUSE};

static const struct ta_conf_key role_keys[] = {
    {.name = "read",
     .kind = TA_CONF_STRINGS,
     .offset = IN(ta_conf_roles, read),
     .help = "roles that may query and see health; empty: any valid token"},
    {.name = "write",
     .kind = TA_CONF_STRINGS,
     .offset = IN(ta_conf_roles, write),
     .help = "roles that may write; empty: any valid token"},
    {.name = "admin",
     .kind = TA_CONF_STRINGS,
     .offset = IN(ta_conf_roles, admin),
     .help = "roles that may free memory and see debug; empty: any valid token"},
};
static const struct ta_conf_table role_table = {"roles", role_keys, TA_COUNT(role_keys),
                                                TA_CONF_REFUSE};

static const struct ta_conf_key tarn_keys[] = {
    {.name = "durability",
     .kind = TA_CONF_WORD,
     .offset = IN(ta_conf_tarn, durability),
     .default_ = "sync",
     .rule = "sync|interval",
     .help = "answer a write after its sync, or sync on an interval"},
    {.name = "sync-interval",
     .kind = TA_CONF_DURATION,
     .offset = IN(ta_conf_tarn, sync_interval_ns),
     .default_ = "1s",
     .rule = ">0",
     .help = "time between syncs with durability interval"},
    {.name = "require-auth",
     .kind = TA_CONF_BOOL,
     .offset = IN(ta_conf_tarn, require_auth),
     .default_ = "false",
     .help = "refuse to start without main.jwt-public-key"},
    {.name = "max-future",
     .kind = TA_CONF_DURATION,
     .offset = IN(ta_conf_tarn, max_future_ns),
     .default_ = "1h",
     .rule = ">=0",
     .help = "how far ahead of now a sample may be"},
    {.name = "workers",
     .kind = TA_CONF_INT,
     .offset = IN(ta_conf_tarn, workers),
     .default_ = "0",
     .rule = ">=0",
     .help = "HTTP threads; 0: one per core, at most 8"},
    {.name = "shards",
     .kind = TA_CONF_INT,
     .offset = IN(ta_conf_tarn, shards),
     .default_ = "0",
     .rule = ">=0",
     .help = "locks that hosts are spread over; 0: choose"},
    {.name = "log-level",
     .kind = TA_CONF_WORD,
     .offset = IN(ta_conf_tarn, log_level),
     .default_ = "warn",
     .rule = "debug|info|warn|err|fatal|crit",
     .help = "level of the log while -loglevel is not given"},
    {.name = "limits",
     .kind = TA_CONF_TABLE,
     .offset = IN(ta_conf_tarn, limits),
     .sub = &limit_table},
    {.name = "roles", .kind = TA_CONF_TABLE, .offset = IN(ta_conf_tarn, roles), .sub = &role_table},
    {.name = "nats",
     .kind = TA_CONF_TABLE,
     .offset = IN(ta_conf_tarn, nats),
     .sub = &ta_conf_nats_more_table},
    {.name = "jetstream",
     .kind = TA_CONF_ITEMS,
     .items = ta_conf_read_jetstream,
     .help = "array of consumers, see below"},
};
static const struct ta_conf_table tarn_table = {"tarn", tarn_keys, TA_COUNT(tarn_keys),
                                                TA_CONF_REFUSE};

const struct ta_conf_section ta_conf_sections[] = {
    {&main_table, IN(ta_config, main), IN(ta_config, has_main)},
    {&store_table, IN(ta_config, store), IN(ta_config, has_store)},
    {&nats_table, IN(ta_config, nats), IN(ta_config, has_nats)},
    {&tarn_table, IN(ta_config, tarn), SIZE_MAX},
};
const size_t ta_conf_n_sections = TA_COUNT(ta_conf_sections);

static const char builtin[] = "{\"main\":{\"addr\":\"127.0.0.1:8082\"},"
                              "\"metric-store\":{\"retention-in-memory\":\"48h\",\"memory-cap\":0},"
                              "\"metrics\":{"
#define METRIC(name, how) "\"" name "\":{\"frequency\":60,\"aggregation\":" how "},"
    METRIC("cpu_load", "null") METRIC("cpu_user", "\"avg\"") METRIC("clock", "\"avg\"") METRIC(
        "ipc", "\"avg\"") METRIC("flops_any", "\"sum\"") METRIC("flops_dp", "\"sum\"")
        METRIC("flops_sp", "\"sum\"") METRIC("mem_bw", "\"sum\"") METRIC("mem_used", "null") METRIC(
            "core_power", "\"sum\"") METRIC("cpu_power", "\"sum\"") METRIC("mem_power", "\"sum\"")
            METRIC("vectorization_ratio", "\"avg\"") METRIC("acc_utilization", "\"avg\"")
                METRIC("acc_mem_used", "\"sum\"") METRIC("acc_power", "\"sum\"")
                    METRIC("net_bytes_in", "null") METRIC("net_bytes_out",
                                                          "null") METRIC("net_pkts_in", "null")
                        METRIC("net_pkts_out", "null") METRIC("ib_recv", "\"sum\"") METRIC(
                            "ib_xmit", "\"sum\"") METRIC("ib_recv_pkts", "\"sum\"")
                            METRIC("ib_xmit_pkts", "\"sum\"") METRIC("nfs4_read", "null") METRIC(
                                "nfs4_write", "null") METRIC("nfs4_total", "null")
                                METRIC("lustre_open", "null") METRIC("lustre_read_bw", "null")
#undef METRIC
                                    "\"lustre_write_bw\":{\"frequency\":60,\"aggregation\":null}}}";

int ta_config_builtin(struct ta_config *out, struct ta_alloc *alloc, struct ta_err *err)
{
    return ta_config_parse(out, "(built-in)", TA_STR(builtin), NULL, alloc, NULL, err);
}
