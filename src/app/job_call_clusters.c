/* job_call_clusters.c - what the clusters are, with what holds for their subclusters (spec: archiver 3.1,
 * job-archive 5.1). */
#include "app/job_call_int.h"

#include "io/json_write.h"

void job_call_clusters(struct ta_job_call *c, struct ta_repository *r)
{
    const struct ta_clusters *all = job_clusters(c);
    struct ta_str rest = c->query, name, value, wanted = {0};
    struct ta_json_writer w;
    bool is_found = false;
    int more;

    (void)r; /* they are in the configuration */
    while ((more = job_query_pair(c, &rest, &name, &value)) > 0)
        if (ta_str_is(name, "cluster"))
            wanted = value;
    if (more < 0)
        return;
    ta_json_writer_init(&w, &c->answer);
    ta_json_put_object(&w);
    ta_json_put_key(&w, "clusters");
    ta_json_put_array(&w);
    for (size_t i = 0; i < all->n; i++) {
        if (wanted.at && !ta_str_eq(wanted, all->at[i]->name))
            continue;
        is_found = true;
        ta_cluster_write(&w, all->at[i]);
    }
    ta_json_put_array_end(&w);
    if (wanted.at && !is_found) {
        job_refuse(c, 400, "unknown cluster: %.*s", TA_STR_FMT(wanted));
        return;
    }
    if (ta_json_put_object_end(&w) < 0 || ta_buf_z(&c->answer, "\n") < 0) {
        job_refuse(c, 413, "the clusters are too large for an answer: ask for one of them");
        return;
    }
    c->status = 200;
    c->content_type = "application/json";
}
