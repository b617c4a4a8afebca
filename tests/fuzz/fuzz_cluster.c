/* Any bytes as a cluster's configuration and as a node list: refused with words, or answering every question. */
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
        ta_cluster_free(c);
    }
    (void)ta_node_list_has(list, host); /* any answer */
    return 0;
}
