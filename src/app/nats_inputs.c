#include "app/nats_inputs.h"

#include "base/number.h"

#include <stdio.h>

enum { INPUTS_MAX = 2048, PARTITIONS_MAX = 1024, NAMES_MAX = 4 << 20, PATH_ROOM = 4096 };

/* ---- partitions ---------------------------------------------------------------------------- */

static bool take_number(struct ta_str *in, unsigned *out)
{
    size_t n = 0;
    uint64_t v;

    while (n < in->len && in->at[n] >= '0' && in->at[n] <= '9')
        n++;
    if (ta_parse_u64((struct ta_str){in->at, n}, &v) < 0 || v > 65535)
        return false;
    in->at += n;
    in->len -= n;
    *out = (unsigned)v;
    return true;
}

int ta_partitions(const char *list, int (*each)(void *self, unsigned partition), void *self)
{
    struct ta_str in = ta_str(list);
    unsigned total = 0;
    int r = TA_OK;

    while (r == TA_OK) {
        unsigned first;
        unsigned last;
        if (!take_number(&in, &first))
            return TA_EINVAL;
        last = first;
        if (in.len > 0 && in.at[0] == '-') {
            in = (struct ta_str){in.at + 1, in.len - 1};
            if (!take_number(&in, &last) || last < first)
                return TA_EINVAL;
        }
        for (unsigned p = first; r == TA_OK && p <= last; p++)
            r = ++total > PARTITIONS_MAX ? TA_EINVAL : each(self, p);
        if (in.len == 0)
            return r;
        if (in.at[0] != ',')
            return TA_EINVAL;
        in = (struct ta_str){in.at + 1, in.len - 1};
    }
    return r;
}

/* ---- sources ------------------------------------------------------------------------------- */

static int add_source(struct ta_nats_inputs *s, struct ta_nats_source source)
{
    if (s->n == INPUTS_MAX)
        return TA_ERANGE;
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        struct ta_nats_in **at =
            ta_resize(s->alloc, s->at, s->cap * sizeof(*at), cap * sizeof(*at));
        if (!at)
            return TA_ENOMEM;
        s->at = at;
        struct ta_nats_source *more =
            ta_resize(s->alloc, s->source, s->cap * sizeof(*more), cap * sizeof(*more));
        if (!more) {
            /* Both arrays have one capacity; this one can always be made smaller again. */
            s->at = ta_resize(s->alloc, s->at, cap * sizeof(*at), s->cap * sizeof(*at));
            return TA_ENOMEM;
        }
        s->source = more;
        s->cap = cap;
    }
    s->at[s->n] = NULL;
    s->source[s->n++] = source;
    return TA_OK;
}

struct expansion {
    struct ta_nats_inputs *s;
    const struct ta_conf_jetstream *item;
    struct ta_nats_source source;
};

static int add_partition(void *self, unsigned partition)
{
    struct expansion *e = self;
    const char *mark = strstr(e->item->subject, "{partition}");
    char text[1024];
    int n = snprintf(text, sizeof(text), "%.*s%u%s", (int)(mark - e->item->subject),
                     e->item->subject, partition, mark + strlen("{partition}"));

    if (n < 0 || (size_t)n >= sizeof(text))
        return TA_ERANGE;
    e->source.subject = ta_arena_copy(&e->s->names, ta_str(text)).at;
    n = snprintf(text, sizeof(text), "%s-%u", e->item->durable, partition);
    if (n < 0 || (size_t)n >= sizeof(text))
        return TA_ERANGE;
    e->source.durable = ta_arena_copy(&e->s->names, ta_str(text)).at;
    return e->source.subject && e->source.durable ? add_source(e->s, e->source) : TA_ENOMEM;
}

static int add_consumer(struct ta_nats_inputs *s, const struct ta_conf_jetstream *item,
                        struct ta_err *err)
{
    struct expansion e = {.s = s,
                          .item = item,
                          .source = {.subject = item->subject,
                                     .cluster = item->cluster,
                                     .stream = item->stream,
                                     .durable = item->durable,
                                     .max_ack_pending = (int)item->max_ack_pending,
                                     .ack_wait_ms = item->ack_wait_ns / 1000000,
                                     .batch = (int)item->batch}};
    int r = item->partitions[0] ? ta_partitions(item->partitions, add_partition, &e)
                                : add_source(s, e.source);

    return r < 0 ? ta_fail(err, r, "tarn.jetstream: %s: partitions \"%.100s\": %s", item->stream,
                           item->partitions, ta_strerror(r))
                 : TA_OK;
}

static int collect(struct ta_nats_inputs *s, const struct ta_config *c, struct ta_err *err)
{
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < c->store.n_subscriptions; i++)
        r = add_source(s, (struct ta_nats_source){.subject = c->store.subscriptions[i].subject,
                                                  .cluster = c->store.subscriptions[i].cluster});
    if (r < 0)
        return ta_fail(err, r, "metric-store.nats-subscriptions: %s", ta_strerror(r));
    for (size_t i = 0; r == TA_OK && i < c->tarn.n_jetstream; i++)
        r = add_consumer(s, &c->tarn.jetstream[i], err);
    return r;
}

/* ---- life ---------------------------------------------------------------------------------- */

static int name_poison(struct ta_nats_inputs *s, const struct ta_config *c, struct ta_err *err)
{
    const char *given = c->tarn.nats.poison_file;

    s->poison_path = ta_alloc(s->alloc, PATH_ROOM);
    if (!s->poison_path)
        return ta_fail(err, TA_ENOMEM, "NATS inputs");
    s->poison_path_room = PATH_ROOM;
    int n = given[0] ? snprintf(s->poison_path, PATH_ROOM, "%s", given)
                     : snprintf(s->poison_path, PATH_ROOM, "%s/.tarn/aside/poison.txt",
                                c->store.checkpoint_dir);
    return n < PATH_ROOM ? TA_OK : ta_fail(err, TA_ERANGE, "tarn.nats.poison-file: path too long");
}

static int connect_server(struct ta_nats_inputs *s, const struct ta_config *c, struct ta_log *log,
                          struct ta_err *err)
{
    struct ta_nats_conf conf = {.servers = c->nats.address,
                                .user = c->nats.username,
                                .password = c->nats.password,
                                .creds_file = c->nats.creds_file,
                                .ca_file = c->tarn.nats.ca_file,
                                .cert_file = c->tarn.nats.cert_file,
                                .key_file = c->tarn.nats.key_file,
                                .report = log};

    return ta_nats_open(&s->nats, &conf, s->alloc, err);
}

int ta_nats_inputs_start(struct ta_nats_inputs *s, const struct ta_config *config,
                         const struct ta_nats_in_conf *common, struct ta_vfs *vfs,
                         struct ta_err *err)
{
    struct ta_nats_in_conf conf = *common;

    *s = (struct ta_nats_inputs){.alloc = common->alloc};
    if (!config->nats.address[0])
        return TA_OK;
    ta_arena_init(&s->names, s->alloc, NAMES_MAX);
    int r = name_poison(s, config, err);
    ta_poison_init(&s->poison, vfs, common->clock, s->poison_path,
                   config->tarn.nats.poison_max_bytes);
    if (r == TA_OK)
        r = collect(s, config, err);
    if (r == TA_OK)
        r = connect_server(s, config, common->log, err);
    conf.nats = s->nats;
    conf.poison = &s->poison;
    for (size_t i = 0; r == TA_OK && i < s->n; i++)
        r = ta_nats_in_start(&s->at[i], &conf, &s->source[i], err);
    if (r < 0)
        ta_nats_inputs_stop(s);
    return r;
}

void ta_nats_inputs_end(struct ta_nats_inputs *s)
{
    for (size_t i = 0; i < s->n; i++)
        ta_nats_in_quit(s->at[i]); /* all at once: each may take a moment to notice */
    for (size_t i = 0; i < s->n; i++)
        ta_nats_in_end(s->at[i]);
}

void ta_nats_inputs_stop(struct ta_nats_inputs *s)
{
    if (!s->alloc)
        return;
    ta_nats_inputs_end(s);
    for (size_t i = 0; i < s->n; i++)
        ta_nats_in_free(s->at[i]);
    ta_nats_close(s->nats);
    if (s->poison_path)
        ta_poison_done(&s->poison);
    ta_release(s->alloc, s->poison_path, s->poison_path_room);
    ta_release(s->alloc, s->at, s->cap * sizeof(*s->at));
    ta_release(s->alloc, s->source, s->cap * sizeof(*s->source));
    ta_arena_done(&s->names);
    *s = (struct ta_nats_inputs){0};
}
