/* Any bytes as a cluster's configuration and as a node list: refused with words, or answering every question;
 * and what is written of it is that cluster again. */
#include "query/cluster.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct ta_cluster *c, struct ta_str host)
{
    const struct ta_subcluster *s = ta_cluster_of_host(c, host);

    for (size_t i = 0; i < c->n_metrics; i++) {
        const struct ta_cluster_metric *m = &c->metrics[i];
        struct ta_str name = s ? s->name : host;

        if (!ta_cluster_metric(c, m->name))
            abort();
        (void)ta_cluster_has(m, name); /* only that they end */
        (void)ta_cluster_footprint(m, name);
        (void)ta_cluster_energy(m, name);
    }
}

static struct ta_buf written(const struct ta_cluster *c)
{
    struct ta_json_writer w;
    struct ta_buf out;

    ta_buf_init(&out, &ta_heap, 64 << 20);
    ta_json_writer_init(&w, &out);
    if (ta_cluster_write(&w, c) < 0)
        abort();
    return out;
}

static void write_and_read(const struct ta_cluster *c)
{
    struct ta_buf first = written(c), second;
    struct ta_cluster *again = NULL;
    struct ta_mem_source src;

    ta_mem_source_init(&src, first.at, first.len, 0);
    if (ta_cluster_new(&again, &src.source, &ta_heap, NULL) < 0)
        abort();
    second = written(again);
    if (!ta_str_eq(ta_buf_view(&first), ta_buf_view(&second)))
        abort();
    ta_buf_done(&first);
    ta_buf_done(&second);
    ta_cluster_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut = size < 16 ? size : 16;
    const struct ta_str host = {(const char *)data, cut};
    const struct ta_str list = {(const char *)data + cut, size - cut};
    struct ta_mem_source src;
    struct ta_cluster *c = NULL;
    struct ta_err err = {0};

    ta_mem_source_init(&src, data, size, 0);
    int r = ta_cluster_new(&c, &src.source, &ta_heap, &err);
    if (r < 0 ? !err.text[0] : !c)
        abort();
    if (r >= 0) {
        ask(c, host);
        write_and_read(c);
        ta_cluster_free(c);
    }
    (void)ta_node_list_has(list, host); /* any answer */
    return 0;
}
