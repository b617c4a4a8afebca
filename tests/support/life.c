#include "life.h"

#include "store/walk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Not a binary32: so it shows which way a sample came back. */
double life_value(uint32_t number)
{
    return (double)number + 0.1;
}

static const char *const host_names[LIFE_HOSTS] = {"n1", "n2", "n3"};
static const struct {
    const char *metric, *type, *stype;
} columns[LIFE_COLUMNS] = {{"load", "", ""},
                           {"mem", "", ""},
                           {"load", "socket0", ""},
                           {"load", "socket1", ""},
                           {"mem", "gpu0", "link1"}};

static int open_store(struct life *l, struct ta_err *err)
{
    const struct ta_metric defs[] = {{TA_STR("load"), LIFE_FREQ, TA_AGG_NONE},
                                     {TA_STR("mem"), LIFE_FREQ, TA_AGG_SUM}};
    struct ta_store_conf conf = {.alloc = l->alloc, .n_shards = 2, .retention_s = l->retention_s};
    int r = ta_metrics_new(&conf.metrics, l->alloc, NULL, defs, 2, err);

    if (r < 0)
        return r;
    r = ta_store_new(&l->store, &conf, err);
    ta_metrics_unref(conf.metrics);
    return r;
}

int life_open_unloaded(struct life *l, struct ta_err *err)
{
    l->store = NULL;
    l->is_open = false;
    int r = open_store(l, err);

    if (r < 0)
        return r;
    struct ta_vault_conf conf = {.store = l->store,
                                 .vfs = l->vfs,
                                 .root = "root",
                                 .alloc = l->alloc,
                                 .clock = &l->clock.clock,
                                 .durability = l->durability,
                                 .retention_s = l->retention_s,
                                 .format = l->format,
                                 .seed = 7,
                                 .buffer_bytes = 0,
                                 .segment_bytes = 16 * KiB,
                                 .retry_ms = 1};
    r = ta_vault_open(&l->vault, &conf, err);
    l->is_open = r == TA_OK;
    if (r < 0)
        life_drop(l);
    return r;
}

int life_open(struct life *l, struct ta_err *err)
{
    int r = life_open_unloaded(l, err);

    if (r == TA_OK)
        r = ta_vault_load(&l->vault, NULL, err);
    if (r < 0)
        life_drop(l);
    return r;
}

void life_drop(struct life *l)
{
    if (l->is_open)
        (void)ta_vault_close(&l->vault, NULL);
    ta_store_free(l->store);
    l->store = NULL;
    l->is_open = false;
}

int life_stop(struct life *l, struct ta_err *err)
{
    int r = life_checkpoint(l, TA_CHECKPOINT_ALL, err);
    int c = ta_vault_close(&l->vault, err);

    l->is_open = false;
    life_drop(l);
    return r < 0 ? r : c;
}

int life_checkpoint(struct life *l, int64_t boundary_s, struct ta_err *err)
{
    struct ta_checkpoint_counts counts = {0};

    return ta_vault_checkpoint(&l->vault, boundary_s, 0, NULL, &counts, err);
}

/* Under the shard's lock, as ingest does it: reserve, append, commit. */
static int write_batch(struct life *l, struct ta_writer *w, unsigned host, const uint32_t *cols,
                       const int64_t *ts, const double *v, size_t n, uint64_t *ticket)
{
    struct ta_journal *journal = &l->vault.gate.journal;
    struct ta_journal_batch b = {.writer = w,
                                 .cluster = TA_STR("c"),
                                 .host = ta_str(host_names[host]),
                                 .columns = cols,
                                 .ts_s = ts,
                                 .values = v,
                                 .n = n};
    uint64_t room = 0;
    int r = journal->reserve(journal, &b, &room, NULL);

    if (r < 0)
        return r;
    for (size_t i = 0; r == TA_OK && i < n; i++) {
        r = ta_writer_append(w, cols[i], ts[i], v[i]);
        if (r < 0)
            b.n = i;
    }
    *ticket = journal->commit(journal, &b, room);
    return r;
}

int life_write(struct life *l, struct life_model *m, unsigned host, unsigned first, unsigned n,
               unsigned k)
{
    struct ta_metrics *metrics = ta_store_metrics(l->store);
    struct ta_writer w;
    uint32_t cols[LIFE_COLUMNS];
    int64_t ts[LIFE_COLUMNS];
    double v[LIFE_COLUMNS];
    uint32_t numbers[LIFE_COLUMNS];
    uint64_t ticket = 0;
    int r = ta_writer_begin(&w, l->store, TA_STR("c"), ta_str(host_names[host]),
                            ta_now_s(&l->clock.clock), NULL);

    if (r < 0) {
        ta_metrics_unref(metrics);
        return r;
    }
    for (unsigned i = 0; r == TA_OK && i < n; i++) {
        unsigned c = first + i;
        struct ta_column_key key = {
            .metric = (uint32_t)ta_metrics_find(metrics, ta_str(columns[c].metric)),
            .type = ta_str(columns[c].type),
            .stype = ta_str(columns[c].stype)};
        int64_t col = ta_writer_column(&w, &key);
        r = col < 0 ? (int)col : TA_OK;
        cols[i] = (uint32_t)col;
        ts[i] = LIFE_BASE + (int64_t)k * LIFE_FREQ;
        numbers[i] = ++m->next;
        v[i] = life_value(numbers[i]);
        m->slot[host][c][k].tried = numbers[i];
    }
    if (r == TA_OK)
        r = write_batch(l, &w, host, cols, ts, v, n, &ticket);
    ta_writer_end(&w);
    ta_metrics_unref(metrics);
    if (r < 0)
        return r;
    if (ta_wal_wait(l->vault.wal, ticket, 10000) != TA_TICKET_DURABLE)
        return TA_EIO;
    for (unsigned i = 0; i < n; i++)
        m->slot[host][first + i][k].acked = numbers[i];
    m->acked += n;
    return TA_OK;
}

/* ---- comparison ----------------------------------------------------------------------------------- */

/* The number of the write that such a value came from; 0: of none. */
static uint32_t number_of(double v)
{
    uint32_t n = v > 0 && v < 1e7 ? (uint32_t)v : 0;
    double is = life_value(n);

    return n > 0 && (v == is || v == (double)(float)is) ? n : 0;
}

static void see_value(struct life_model *m, struct life_model *seen, unsigned host, unsigned col,
                      int64_t ts, double v)
{
    int64_t k = (ts - LIFE_BASE) / LIFE_FREQ;
    uint32_t number = number_of(v);

    if (col >= LIFE_COLUMNS || (ts - LIFE_BASE) % LIFE_FREQ != 0 || k < 0 || k >= LIFE_TICKS ||
        number == 0 || number > m->slot[host][col][k].tried) {
        m->wrong++;
        return;
    }
    seen->slot[host][col][k].tried = number;
}

static unsigned column_of(const struct ta_walk_series *s, struct ta_str metric)
{
    unsigned c = 0;

    while (c < LIFE_COLUMNS && !(ta_str_is(metric, columns[c].metric) &&
                                 ta_str_is(ta_name_str(&s->type), columns[c].type) &&
                                 ta_str_is(ta_name_str(&s->stype), columns[c].stype)))
        c++;
    return c;
}

static void see_series(struct life *l, struct life_model *m, struct life_model *seen, unsigned host,
                       const struct ta_walk_series *s, struct ta_str metric)
{
    struct ta_column_key key = {s->metric, ta_name_str(&s->type), ta_name_str(&s->stype)};
    struct ta_str name = ta_str(host_names[host]);
    struct ta_buffer_info info;
    double v[TA_BUFFER_SLOTS];

    for (int64_t after = INT64_MIN;
         ta_walk_buffers(l->store, TA_STR("c"), name, &key, after, &info, 1) == 1;
         after = info.start_s) {
        int64_t n = ta_walk_slots(l->store, TA_STR("c"), name, &key, info.start_s, 0, v,
                                  info.len < TA_BUFFER_SLOTS ? info.len : TA_BUFFER_SLOTS);
        for (int64_t i = 0; i < n; i++)
            if (!isnan(v[i]))
                see_value(m, seen, host, column_of(s, metric),
                          info.start_s + info.freq_s / 2 + i * info.freq_s, v[i]);
    }
}

void life_compare(struct life *l, struct life_model *m)
{
    static _Thread_local struct life_model seen;
    struct ta_metrics *metrics = ta_store_metrics(l->store);

    memset(&seen, 0, sizeof(seen));
    for (unsigned h = 0; h < LIFE_HOSTS; h++) {
        struct ta_walk_series s;
        for (bool is_first = true;
             ta_walk_series_next(l->store, TA_STR("c"), ta_str(host_names[h]), is_first, &s);
             is_first = false)
            see_series(l, m, &seen, h, &s, ta_metrics_at(metrics, s.metric)->name);
        for (unsigned c = 0; c < LIFE_COLUMNS; c++)
            for (unsigned k = 0; k < LIFE_TICKS; k++)
                m->lost += seen.slot[h][c][k].tried < m->slot[h][c][k].acked;
    }
    ta_metrics_unref(metrics);
}
