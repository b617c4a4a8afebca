/* free.c - samples out of memory, by age and by need. */
#include "api/api_int.h"

int64_t tarn_free_before(struct tarn_store *s, const struct tarn_path *where, int64_t before_s)
{
    struct ta_str path[4];

    return (int64_t)ta_store_free_before(s->store, path, api_path(where, path), before_s);
}

int64_t tarn_free_except(struct tarn_store *s, int64_t before_s, const struct tarn_path *used,
                         size_t n_used, struct tarn_error *err)
{
    struct ta_node *nodes = ta_alloc_zero(&ta_heap, n_used + 1, sizeof(*nodes));
    struct ta_err why = {0};

    if (!nodes)
        return api_fail(err, TA_ENOMEM, NULL);
    for (size_t i = 0; i < n_used; i++)
        nodes[i] = (struct ta_node){ta_str(used[i].cluster), ta_str(used[i].host)};
    int64_t freed = ta_store_retain(s->store, before_s, nodes, n_used, &why);
    ta_release(&ta_heap, nodes, (n_used + 1) * sizeof(*nodes));
    return freed < 0 ? api_fail(err, (int)freed, &why) : freed;
}

int64_t tarn_force_free(struct tarn_store *s)
{
    return (int64_t)ta_store_force_free(s->store);
}
