/* conf_nats.c - our own settings of NATS: TLS, the poison file, JetStream consumers. */
#include "app/conf_nats.h"
#include "app/conf_int.h"
#include "io/json_read.h"

#include <stddef.h>
#include <string.h>

enum { CONSUMERS_MAX = 64, FIRST = 4 };

#define IN(type, member) offsetof(struct type, member)

static const struct ta_conf_key nats_more_keys[] = {
    {.name = "ca-file",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_nats_more, ca_file),
     .default_ = "",
     .help = "certificates to trust for TLS to the NATS servers; empty: the system's"},
    {.name = "cert-file",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_nats_more, cert_file),
     .default_ = "",
     .help = "client certificate for NATS"},
    {.name = "key-file",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_nats_more, key_file),
     .default_ = "",
     .help = "its key; empty: in the same file"},
    {.name = "poison-file",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_nats_more, poison_file),
     .default_ = "",
     .help =
         "keeps JetStream messages with bad lines; empty: <checkpoints>/.tarn/aside/poison.txt"},
    {.name = "poison-max",
     .kind = TA_CONF_SIZE,
     .offset = IN(ta_conf_nats_more, poison_max_bytes),
     .default_ = "16MiB",
     .help = "size at which the poison file takes no more"},
};
const struct ta_conf_table ta_conf_nats_more_table = {"nats", nats_more_keys,
                                                      TA_COUNT(nats_more_keys), TA_CONF_REFUSE};

static const struct ta_conf_key jetstream_keys[] = {
    {.name = "stream",
     .kind = TA_CONF_TEXT,
     .is_required = true,
     .offset = IN(ta_conf_jetstream, stream),
     .help = "the stream; it must exist on the server"},
    {.name = "durable",
     .kind = TA_CONF_TEXT,
     .is_required = true,
     .offset = IN(ta_conf_jetstream, durable),
     .help = "name of the consumer, made when missing; with partitions the number is appended"},
    {.name = "subject",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_jetstream, subject),
     .default_ = "",
     .help = "filter; \"{partition}\" in it becomes the number; empty: the whole stream"},
    {.name = "partitions",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_jetstream, partitions),
     .default_ = "",
     .help = "the partitions that this store owns, such as \"0-3,7\": a consumer each"},
    {.name = "cluster-tag",
     .kind = TA_CONF_TEXT,
     .offset = IN(ta_conf_jetstream, cluster),
     .default_ = "",
     .help = "cluster of lines without one"},
    {.name = "batch",
     .kind = TA_CONF_INT,
     .rule = ">0",
     .offset = IN(ta_conf_jetstream, batch),
     .default_ = "256",
     .help = "messages that are fetched and acknowledged together, at most 512"},
    {.name = "max-ack-pending",
     .kind = TA_CONF_INT,
     .rule = ">0",
     .offset = IN(ta_conf_jetstream, max_ack_pending),
     .default_ = "1000",
     .help = "messages that may be delivered and not yet acknowledged"},
    {.name = "ack-wait",
     .kind = TA_CONF_DURATION,
     .rule = ">0",
     .offset = IN(ta_conf_jetstream, ack_wait_ns),
     .default_ = "30s",
     .help = "after which an unacknowledged message is delivered again"},
};
const struct ta_conf_table ta_conf_jetstream_table = {"jetstream", jetstream_keys,
                                                      TA_COUNT(jetstream_keys), TA_CONF_REFUSE};

static int grow(struct ta_conf_reader *r, struct ta_conf_tarn *tarn, struct ta_err *err)
{
    size_t cap = FIRST;

    while (cap < tarn->n_jetstream)
        cap *= 2;
    if (tarn->n_jetstream != 0 && tarn->n_jetstream != cap)
        return TA_OK;
    size_t next = tarn->n_jetstream ? cap * 2 : FIRST;
    struct ta_conf_jetstream *array =
        ta_resize(&r->arena->alloc, tarn->jetstream, tarn->n_jetstream * sizeof(*array),
                  next * sizeof(*array));
    if (!array)
        return ta_fail(err, TA_ENOMEM, "%.160s: configuration is too large", r->file);
    tarn->jetstream = array;
    return TA_OK;
}

int ta_conf_read_jetstream(struct ta_conf_reader *r, const char *where, void *section,
                           struct ta_err *err)
{
    struct ta_conf_tarn *tarn = section;
    struct ta_json_token t;
    int got;

    tarn->jetstream = NULL;
    tarn->n_jetstream = 0;
    while ((got = ta_conf_next(r, &t, err)) == TA_OK && t.kind != TA_JSON_ARRAY_END) {
        if (t.kind != TA_JSON_OBJECT)
            return ta_conf_bad(r, &t, where, err, "expected an object, found %s",
                               ta_conf_kind_name(&t));
        if (tarn->n_jetstream == CONSUMERS_MAX)
            return ta_conf_bad(r, &t, where, err, "more than %d consumers", CONSUMERS_MAX);
        got = grow(r, tarn, err);
        if (got < 0)
            return got;
        struct ta_conf_jetstream *item = &tarn->jetstream[tarn->n_jetstream];
        *item = (struct ta_conf_jetstream){0};
        got = ta_conf_defaults(&ta_conf_jetstream_table, item, err);
        if (got == TA_OK)
            got = ta_conf_read_table(r, &ta_conf_jetstream_table, where, item, err);
        if (got < 0)
            return got;
        if (item->partitions[0] && !strstr(item->subject, "{partition}"))
            return ta_conf_bad(r, &t, where, err,
                               "partitions without \"{partition}\" in the subject");
        tarn->n_jetstream++;
    }
    return got;
}
