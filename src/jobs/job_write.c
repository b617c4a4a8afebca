/* job_write.c - a job as JSON, in the reference's order of keys. */
#include "jobs/job_int.h"
#include "query/cluster_file.h"

static void write_tags(struct ta_json_writer *w, const struct ta_job_tags *tags)
{
    ta_json_put_array(w);
    for (size_t i = 0; i < tags->n; i++) {
        const struct ta_job_tag *tag = &tags->at[i];

        ta_json_put_object(w);
        ta_json_member_str(w, "type", tag->type);
        ta_json_member_str(w, "name", tag->name);
        ta_json_member_str(w, "scope", tag->scope);
        ta_json_member_i64(w, "id", tag->id);
        ta_json_put_object_end(w);
    }
    ta_json_put_array_end(w);
}

static void write_node(struct ta_json_writer *w, const struct ta_job_node *node)
{
    ta_json_put_object(w);
    ta_json_member_str(w, "hostname", node->hostname);
    if (node->configuration.len)
        ta_json_member_str(w, "configuration", node->configuration);
    if (node->n_hwthreads) {
        ta_json_put_key(w, "hwthreads");
        ta_json_put_array(w);
        for (size_t i = 0; i < node->n_hwthreads; i++)
            ta_json_put_i64(w, node->hwthreads[i]);
        ta_json_put_array_end(w);
    }
    if (node->n_accelerators) {
        ta_json_put_key(w, "accelerators");
        ta_json_put_array(w);
        for (size_t i = 0; i < node->n_accelerators; i++)
            ta_json_put_str(w, node->accelerators[i]);
        ta_json_put_array_end(w);
    }
    ta_json_put_object_end(w);
}

static void write_nodes(struct ta_json_writer *w, const struct ta_job_nodes *nodes)
{
    ta_json_put_array(w);
    for (size_t i = 0; i < nodes->n; i++)
        write_node(w, &nodes->at[i]);
    ta_json_put_array_end(w);
}

static void write_numbers(struct ta_json_writer *w, const struct ta_job_numbers *numbers)
{
    ta_json_put_object(w);
    for (size_t i = 0; i < numbers->n; i++) {
        ta_json_put_key_str(w, numbers->at[i].key);
        ta_json_put_f64(w, numbers->at[i].value);
    }
    ta_json_put_object_end(w);
}

static void write_texts(struct ta_json_writer *w, const struct ta_job_texts *texts)
{
    ta_json_put_object(w);
    for (size_t i = 0; i < texts->n; i++) {
        ta_json_put_key_str(w, texts->at[i].key);
        ta_json_put_str(w, texts->at[i].value);
    }
    ta_json_put_object_end(w);
}

static void write_statistics(struct ta_json_writer *w, const struct ta_job_statistics *statistics)
{
    ta_json_put_object(w);
    for (size_t i = 0; i < statistics->n; i++) {
        const struct ta_job_statistic *s = &statistics->at[i];

        ta_json_put_key_str(w, s->metric);
        ta_json_put_object(w);
        ta_unit_write(w, &(struct ta_unit){s->base, s->prefix});
        ta_json_put_key(w, "avg");
        ta_json_put_f64(w, s->avg);
        ta_json_put_key(w, "min");
        ta_json_put_f64(w, s->min);
        ta_json_put_key(w, "max");
        ta_json_put_f64(w, s->max);
        ta_json_put_object_end(w);
    }
    ta_json_put_object_end(w);
}

/* The lists all begin with their pointer, which is NULL for null. */
static bool list_is_null(const void *list)
{
    void *at;

    memcpy(&at, list, sizeof at);
    return !at;
}

int ta_job_write_member(struct ta_json_writer *w, const struct ta_job *job, enum ta_job_key key)
{
    const struct job_key *k = &ta_job_keys[key];
    const void *member = (const char *)job + k->offset;

    switch (k->kind) {
    case JOB_STRING:
        return ta_json_put_str(w, *(const struct ta_str *)member);
    case JOB_INT32:
    case JOB_INT64:
        return ta_json_put_i64(w, *(const int64_t *)member);
    case JOB_DOUBLE:
        return ta_json_put_f64(w, *(const double *)member);
    case JOB_CONCURRENT_LIST:
        /* Which jobs ran beside it is asked of the database, never kept with the job. */
        return ta_json_put_raw(w, TA_STR("{\"items\":null,\"count\":0}"));
    default:
        break;
    }
    if (list_is_null(member))
        return ta_json_put_null(w);
    switch (k->kind) {
    case JOB_TAG_LIST:
        write_tags(w, member);
        break;
    case JOB_NODE_LIST:
        write_nodes(w, member);
        break;
    case JOB_NUMBER_MAP:
        write_numbers(w, member);
        break;
    case JOB_TEXT_MAP:
        write_texts(w, member);
        break;
    default:
        write_statistics(w, member);
        break;
    }
    return w->error;
}

static bool is_empty(const struct ta_job *job, const struct job_key *k)
{
    const void *member = (const char *)job + k->offset;

    switch (k->kind) {
    case JOB_STRING:
        return ((const struct ta_str *)member)->len == 0;
    case JOB_TAG_LIST:
        return job->tags.n == 0;
    default:
        return *(const int64_t *)member == 0;
    }
}

int ta_job_write_open(struct ta_json_writer *w, const struct ta_job *job)
{
    ta_json_put_object(w);
    for (unsigned i = 0; i < TA_JOB_KEYS; i++) {
        if (ta_job_keys[i].may_omit && is_empty(job, &ta_job_keys[i]))
            continue;
        ta_json_put_key(w, ta_job_keys[i].name);
        ta_job_write_member(w, job, (enum ta_job_key)i);
    }
    return w->error;
}

int ta_job_write(struct ta_json_writer *w, const struct ta_job *job)
{
    ta_job_write_open(w, job);
    return ta_json_put_object_end(w);
}
