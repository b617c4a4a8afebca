#include "app/doctor.h"

#include "base/units.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    SPARE_FILES = 128, /* log, checkpoints, libraries */
    CLOCK_TOLERANCE_S = 5
};

static const uint64_t GIB = 1ULL << 30;
static const double SYNC_SLOW_S = 0.02, SYNC_HOPELESS_S = 0.2;
static const int64_t CERTIFICATE_SOON_S = 30 * 86400;
static const int64_t YEAR_2024_S = 1704067200; /* a clock before it was never set */

void ta_finding_add(struct ta_findings *out, enum ta_finding_level level, const char *topic,
                    const char *todo, const char *fmt, ...)
{
    struct ta_finding *f = &out->at[out->n];
    va_list args;

    if (out->n == TA_FINDINGS_MAX)
        return;
    out->n++;
    f->level = level;
    f->topic = topic;
    snprintf(f->todo, sizeof(f->todo), "%s", todo);
    va_start(args, fmt);
    vsnprintf(f->what, sizeof(f->what), fmt, args);
    va_end(args);
}

static bool is_loopback(const char *addr)
{
    return strncmp(addr, "127.", 4) == 0 || strncmp(addr, "localhost:", 10) == 0 ||
           strncmp(addr, "[::1]", 5) == 0;
}

/* ---- rules ------------------------------------------------------------------------------------ */

static void judge_tokens(struct ta_findings *out, const struct ta_config *c,
                         const struct ta_machine *m)
{
    bool has_secret = c->nats.password[0] || c->tarn.s3.secret_key[0] || c->archive.secret_key[0];

    if (c->main.jwt_public_key[0])
        ta_finding_add(out, TA_FINDING_GOOD, "tokens", "", "requests need a token");
    else
        ta_finding_add(out, is_loopback(c->main.addr) ? TA_FINDING_NOTE : TA_FINDING_BAD, "tokens",
                       "set main.jwt-public-key, and tarn.require-auth so that it is not forgotten",
                       "everybody who reaches %s may write, read and free all data", c->main.addr);
    if (has_secret && m->config_is_readable_by_all)
        ta_finding_add(out, TA_FINDING_WARN, "tokens",
                       "chmod o-r, and chgrp to the group that tarn runs as",
                       "the configuration holds a password or key and everybody may read it");
}

static void judge_tls(struct ta_findings *out, const struct ta_config *c,
                      const struct ta_machine *m)
{
    char end[32];

    if (m->tls_trouble[0]) {
        ta_finding_add(out, TA_FINDING_BAD, "TLS", "repair the file or its path", "%s",
                       m->tls_trouble);
        return;
    }
    if (!m->certificate_end_s) {
        if (!is_loopback(c->main.addr))
            ta_finding_add(out, TA_FINDING_NOTE, "TLS",
                           "set main.https-cert-file and main.https-key-file, or keep the port to "
                           "a network of your own",
                           "samples and tokens travel in the clear on %s", c->main.addr);
        return;
    }
    ta_format_time(end, m->certificate_end_s);
    if (m->certificate_end_s <= m->now_s)
        ta_finding_add(out, TA_FINDING_BAD, "TLS", "renew it, then SIGHUP",
                       "the certificate ended at %s", end);
    else if (m->certificate_end_s - m->now_s < CERTIFICATE_SOON_S)
        ta_finding_add(out, TA_FINDING_WARN, "TLS", "renew it, then SIGHUP",
                       "the certificate ends at %s", end);
    else
        ta_finding_add(out, TA_FINDING_GOOD, "TLS", "", "the certificate is good until %s", end);
    if (m->key_is_readable_by_all)
        ta_finding_add(out, TA_FINDING_WARN, "TLS", "chmod o-r, and make a new key",
                       "everybody may read the private key");
}

static void judge_files(struct ta_findings *out, const struct ta_config *c,
                        const struct ta_machine *m)
{
    uint64_t connections = (uint64_t)c->tarn.limits.connections;
    /* Each host keeps a connection; files of ours do not follow their number. */
    uint64_t wanted =
        (m->hosts > 0 && m->hosts < connections ? m->hosts : connections) + SPARE_FILES;

    if (m->files_max < wanted)
        ta_finding_add(out, m->hosts > 0 ? TA_FINDING_BAD : TA_FINDING_WARN, "descriptors",
                       "LimitNOFILE=65536 in the unit, or ulimit -n",
                       "the system allows %llu open files, %s needs %llu",
                       (unsigned long long)m->files_max,
                       m->hosts > 0 ? "a connection per host" : "tarn.limits.connections",
                       (unsigned long long)wanted);
    else
        ta_finding_add(out, TA_FINDING_GOOD, "descriptors", "",
                       "%llu open files are allowed, at most %llu are needed",
                       (unsigned long long)m->files_max, (unsigned long long)wanted);
    if (m->hosts > connections)
        ta_finding_add(out, TA_FINDING_WARN, "descriptors", "raise tarn.limits.connections",
                       "%llu hosts, but only %llu connections at once",
                       (unsigned long long)m->hosts, (unsigned long long)connections);
}

static void judge_directory(struct ta_findings *out, const struct ta_machine *m)
{
    if (!m->is_writable)
        ta_finding_add(out, TA_FINDING_BAD, "disk",
                       "make it, and give it to the user that tarn runs as",
                       "checkpoints cannot be written in %s: %s", m->directory, m->trouble);
    if (m->is_others_writable)
        ta_finding_add(out, TA_FINDING_WARN, "disk", "chmod o-w",
                       "everybody may change the files in %s", m->directory);
    if (m->is_memory)
        ta_finding_add(out, TA_FINDING_BAD, "disk", "choose a directory on a disk",
                       "%s is in memory: a reboot loses everything", m->directory);
    if (m->is_network)
        ta_finding_add(out, TA_FINDING_WARN, "disk",
                       "choose a local disk; archives may lie on the network or in a bucket",
                       "%s is on a network file system: its syncs and locks may not hold what they "
                       "promise, and a server that is away stops ingest",
                       m->directory);
}

static void judge_space(struct ta_findings *out, const struct ta_machine *m)
{
    char free_text[32];

    if (!m->total_bytes)
        return;
    ta_format_size(free_text, m->free_bytes);
    if (m->free_bytes < GIB / 8)
        ta_finding_add(out, TA_FINDING_BAD, "disk", "make room: a full disk refuses writes (503)",
                       "only %s are free at %s", free_text, m->directory);
    else if (m->free_bytes < 2 * GIB || m->free_bytes < m->total_bytes / 20)
        ta_finding_add(out, TA_FINDING_WARN, "disk",
                       "make room, archive into a bucket, or shorten the retention",
                       "only %s are free at %s", free_text, m->directory);
    else
        ta_finding_add(out, TA_FINDING_GOOD, "disk", "", "%s are free at %s", free_text,
                       m->directory);
    /* File systems without inodes of a fixed number say 0. */
    if (m->free_inodes > 0 && m->free_inodes < 2 * m->hosts + 1000)
        ta_finding_add(out, TA_FINDING_WARN, "disk", "remove small files",
                       "only %llu files can still be made at %s",
                       (unsigned long long)m->free_inodes, m->directory);
}

static void judge_sync(struct ta_findings *out, const struct ta_config *c,
                       const struct ta_machine *m)
{
    bool waits = c->tarn.durability[0] == 's';

    if (m->sync_s_median < 0)
        return;
    if (m->sync_s_median > SYNC_SLOW_S && waits)
        ta_finding_add(out, m->sync_s_median > SYNC_HOPELESS_S ? TA_FINDING_BAD : TA_FINDING_WARN,
                       "sync",
                       "use a disk with a power-safe cache, or tarn.durability \"interval\" (a "
                       "power cut may then cost the last interval)",
                       "a sync takes %.1f ms (at worst %.1f): each answer to a collector waits so "
                       "long",
                       m->sync_s_median * 1e3, m->sync_s_worst * 1e3);
    else
        ta_finding_add(out, TA_FINDING_GOOD, "sync", "", "a sync takes %.2f ms, at worst %.2f",
                       m->sync_s_median * 1e3, m->sync_s_worst * 1e3);
}

static void judge_clock(struct ta_findings *out, const struct ta_machine *m)
{
    if (m->now_s < YEAR_2024_S)
        ta_finding_add(out, TA_FINDING_BAD, "clock", "set it, and run a time service",
                       "the clock of this machine was never set");
    else if (!m->is_clock_synchronised)
        ta_finding_add(out, TA_FINDING_WARN, "clock", "run chrony or systemd-timesyncd",
                       "the kernel says that the clock is not synchronised: samples without a time "
                       "stamp and tokens go by it");
    else
        ta_finding_add(out, TA_FINDING_GOOD, "clock", "", "the clock is synchronised");
}

static void judge_memory(struct ta_findings *out, const struct ta_config *c,
                         const struct ta_machine *m)
{
    uint64_t cap = (uint64_t)c->store.memory_cap_gb * 1000000000;
    uint64_t has =
        m->memory_limit && m->memory_limit < m->memory_bytes ? m->memory_limit : m->memory_bytes;
    /* Beside the samples: requests, recovery, an archive run. */
    uint64_t beside = c->tarn.limits.total_memory_bytes + 128 * (1 << 20);
    char a[32], b[32];

    ta_format_size(a, has);
    ta_format_size(b, cap + beside);
    if (!has)
        return;
    if (!cap)
        ta_finding_add(out, TA_FINDING_NOTE, "memory",
                       "set metric-store.memory-cap; `tarn bench size` says what a site needs",
                       "there is no memory-cap, the machine has %s", a);
    else if (cap + beside > has)
        ta_finding_add(out, TA_FINDING_BAD, "memory", "lower metric-store.memory-cap",
                       "memory-cap and requests may take %s, there are %s", b, a);
    else
        ta_finding_add(out, TA_FINDING_GOOD, "memory", "",
                       "memory-cap and requests may take %s of %s", b, a);
}

void ta_doctor_judge(struct ta_findings *out, const struct ta_config *c, const struct ta_machine *m)
{
    ta_finding_add(out, TA_FINDING_GOOD, "config", "", "%s: good, %zu metrics",
                   c->path[0] ? c->path : "built-in configuration", c->n_metrics);
    if (m->user_trouble[0])
        ta_finding_add(out, TA_FINDING_BAD, "config", "make the account, or correct the name", "%s",
                       m->user_trouble);
    judge_tokens(out, c, m);
    judge_tls(out, c, m);
    judge_files(out, c, m);
    judge_directory(out, m);
    judge_space(out, m);
    judge_sync(out, c, m);
    judge_clock(out, m);
    judge_memory(out, c, m);
}

/* ---- a running store ---------------------------------------------------------------------------- */

static void judge_numbers(struct ta_findings *out, const double *v)
{
    if (v[TA_SCRAPE_LOG_FAILING] > 0)
        ta_finding_add(out, TA_FINDING_BAD, "store", "see its log for the disk's error",
                       "the log cannot be written: writes are refused with 503");
    if (v[TA_SCRAPE_READY] == 0)
        ta_finding_add(out, TA_FINDING_NOTE, "store", "",
                       "it is still loading: queries are answered with 503");
    if (v[TA_SCRAPE_CHECKPOINTS_FAILED] > 0)
        ta_finding_add(out, TA_FINDING_WARN, "store", "see its log",
                       "%.0f checkpoints failed since its start", v[TA_SCRAPE_CHECKPOINTS_FAILED]);
    if (v[TA_SCRAPE_CLEANUP_FAILED] > 0)
        ta_finding_add(out, TA_FINDING_WARN, "store", "see its log",
                       "%.0f clean-ups failed since its start", v[TA_SCRAPE_CLEANUP_FAILED]);
    if (v[TA_SCRAPE_FREED_EARLY] > 0)
        ta_finding_add(
            out, TA_FINDING_WARN, "store", "raise metric-store.memory-cap or shorten the retention",
            "%.0f buffers were freed before their time: the memory cap cuts the retention",
            v[TA_SCRAPE_FREED_EARLY]);
    if (v[TA_SCRAPE_NATS_DROPPED] > 0)
        ta_finding_add(out, TA_FINDING_WARN, "store", "use JetStream, which waits",
                       "%.0f NATS messages were dropped", v[TA_SCRAPE_NATS_DROPPED]);
}

void ta_doctor_judge_store(struct ta_findings *out, const struct ta_asked *a)
{
    if (!a->url)
        return;
    if (a->status == 0)
        ta_finding_add(out, TA_FINDING_BAD, "store", "is it running, and is this its address?",
                       "no answer: %s", a->trouble);
    else if (a->status == 401 || a->status == 403)
        ta_finding_add(out, TA_FINDING_BAD, "tokens",
                       a->has_token ? "make a new one: signature, end and roles are checked"
                                    : "give --token FILE",
                       a->has_token ? "the store does not take this token"
                                    : "the store wants a token");
    else if (a->status != 200)
        ta_finding_add(out, TA_FINDING_BAD, "store", "is this the address of a tarn?",
                       "/metrics was answered with %d %s", a->status, a->trouble);
    else
        ta_finding_add(out, TA_FINDING_GOOD, "store", "", "tarn %s answers, %.0f hosts",
                       a->metrics.version, a->metrics.value[TA_SCRAPE_HOSTS]);
    if (a->clock_ahead_s > CLOCK_TOLERANCE_S || a->clock_ahead_s < -CLOCK_TOLERANCE_S)
        ta_finding_add(out, TA_FINDING_WARN, "clock", "synchronise both machines",
                       "the store's clock is %lld s %s ours",
                       (long long)(a->clock_ahead_s < 0 ? -a->clock_ahead_s : a->clock_ahead_s),
                       a->clock_ahead_s < 0 ? "behind" : "ahead of");
    if (a->status == 200)
        judge_numbers(out, a->metrics.value);
}
