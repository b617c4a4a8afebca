/* job_check.c - the rules of the schema of job metadata, each named when it is broken.
 *
 * (spec: job-archive 4.1) The rules are the schema's, also where they are stricter than what the
 * reference itself writes: a list that is null, a unit outside the enumeration.
 */
#include "jobs/job_int.h"

struct checking {
    struct ta_buf *out;
    int n, error;
};

static void broken(struct checking *c, const char *rule, struct ta_str what)
{
    int e = ta_buf_z(c->out, rule);

    if (e == TA_OK && what.len)
        e = ta_buf_z(c->out, ": ");
    if (e == TA_OK)
        e = ta_buf_str(c->out, what);
    if (e == TA_OK)
        e = ta_buf_byte(c->out, '\n');
    if (e < 0 && !c->error)
        c->error = e;
    c->n++;
}

static void check_required(struct checking *c, const struct ta_job *job)
{
    static const enum ta_job_key keys[] = {
        TA_JOB_JOB_ID,     TA_JOB_USER,      TA_JOB_PROJECT,   TA_JOB_CLUSTER,
        TA_JOB_SUBCLUSTER, TA_JOB_NUM_NODES, TA_JOB_SHARED,    TA_JOB_START_TIME,
        TA_JOB_STATE,      TA_JOB_DURATION,  TA_JOB_RESOURCES, TA_JOB_STATISTICS,
    };

    for (size_t i = 0; i < TA_COUNT(keys); i++) {
        if (!ta_job_has(job, keys[i]))
            broken(c, "required key is missing", ta_str(ta_job_keys[keys[i]].name));
    }
}

static void check_numbers(struct checking *c, const struct ta_job *job)
{
    static const enum ta_job_key keys[] = {
        TA_JOB_NUM_NODES,  TA_JOB_NUM_HWTHREADS, TA_JOB_NUM_ACC,          TA_JOB_WALLTIME,
        TA_JOB_START_TIME, TA_JOB_DURATION,      TA_JOB_REQUESTED_MEMORY,
    };

    for (size_t i = 0; i < TA_COUNT(keys); i++) {
        const struct job_key *k = &ta_job_keys[keys[i]];
        const void *member = (const char *)job + k->offset;

        if (ta_job_has(job, keys[i]) && *(const int64_t *)member <= 0)
            broken(c, "must be greater than 0", ta_str(k->name));
    }
}

static void check_words(struct checking *c, const struct ta_job *job)
{
    enum ta_job_state state;
    enum ta_job_shared shared;

    if (ta_job_has(job, TA_JOB_STATE) && ta_job_state_of(job->state, &state) < 0)
        broken(c, "jobState is none of the known states", job->state);
    if (ta_job_has(job, TA_JOB_SHARED) && ta_job_shared_of(job->shared, &shared) < 0)
        broken(c, "shared is not none, single_user or multi_user", job->shared);
}

static void check_lists(struct checking *c, const struct ta_job *job)
{
    static const struct {
        enum ta_job_key key;
        const char *rule;
    } lists[] = {
        {TA_JOB_TAGS, "must be a list"},
        {TA_JOB_RESOURCES, "must be a list"},
        {TA_JOB_ENERGY_FOOTPRINT, "must be an object"},
        {TA_JOB_FOOTPRINT, "must be an object"},
        {TA_JOB_META_DATA, "must be an object"},
        {TA_JOB_STATISTICS, "must be an object"},
    };

    for (size_t i = 0; i < TA_COUNT(lists); i++) {
        const struct job_key *k = &ta_job_keys[lists[i].key];
        const void *at;

        memcpy(&at, (const char *)job + k->offset, sizeof at);
        if (ta_job_has(job, lists[i].key) && !at)
            broken(c, lists[i].rule, ta_str(k->name));
    }
    if (ta_job_has(job, TA_JOB_CONCURRENT) && job->concurrent_is_null)
        broken(c, "must be a list", TA_STR("concurrentJobs.items"));
    for (size_t i = 0; i < job->resources.n; i++) {
        if (!job->resources.at[i].hostname.at)
            broken(c, "a resource has no hostname", TA_STR(""));
    }
}

static bool same_tag(const struct ta_job_tag *a, const struct ta_job_tag *b)
{
    return a->id == b->id && ta_str_eq(a->type, b->type) && ta_str_eq(a->name, b->name) &&
           ta_str_eq(a->scope, b->scope);
}

/* More tags than a person gives are not compared pair by pair. */
enum { TAGS_COMPARED_MAX = 1000 };

static void check_tags(struct checking *c, const struct ta_job_tags *tags)
{
    size_t n = tags->n < TAGS_COMPARED_MAX ? tags->n : TAGS_COMPARED_MAX;

    for (size_t i = 0; i < n; i++) {
        const struct ta_job_tag *tag = &tags->at[i];

        if (!tag->type.at || !tag->name.at)
            broken(c, "a tag needs type and name", tag->name);
        for (size_t j = 0; j < i; j++) {
            if (same_tag(tag, &tags->at[j])) {
                broken(c, "a tag stands twice", tag->name);
                break;
            }
        }
    }
}

static bool is_one_of(struct ta_str word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ta_str_is(word, words[i]))
            return true;
    }
    return false;
}

/* The metrics whose statistics the schema looks into, the required ones first. */
static const char *const schema_metrics[] = {
    "cpu_user",   "cpu_load",    "mem_used",        "flops_any",      "mem_bw",
    "net_bw",     "ipc",         "flops_dp",        "flops_sp",       "vectorization_ratio",
    "cpu_power",  "mem_power",   "acc_utilization", "acc_mem_used",   "acc_power",
    "clock",      "eth_read_bw", "eth_write_bw",    "ic_rcv_packets", "ic_send_packets",
    "ic_read_bw", "ic_write_bw",
};
enum { REQUIRED_METRICS = 5 };

static void check_statistic(struct checking *c, const struct ta_job_statistic *s)
{
    static const char *const bases[] = {"B",  "F", "B/s", "F/s",     "CPI", "IPC",
                                        "Hz", "W", "J",   "\u00b0C", ""};
    static const char *const prefixes[] = {"K", "M", "G", "T", "P", "E"};

    if (!s->base.at || !is_one_of(s->base, bases, TA_COUNT(bases)))
        broken(c, "unit has no known base", s->metric);
    if (s->prefix.at && !is_one_of(s->prefix, prefixes, TA_COUNT(prefixes)))
        broken(c, "unit has an unknown prefix", s->metric);
    if (s->avg < 0 || s->min < 0 || s->max < 0)
        broken(c, "a statistic is below 0", s->metric);
}

static void check_statistics(struct checking *c, const struct ta_job *job)
{
    unsigned seen = 0;

    for (size_t i = 0; i < job->statistics.n; i++) {
        const struct ta_job_statistic *s = &job->statistics.at[i];

        for (size_t j = 0; j < REQUIRED_METRICS; j++)
            seen |= (unsigned)ta_str_is(s->metric, schema_metrics[j]) << j;
        if (is_one_of(s->metric, schema_metrics, TA_COUNT(schema_metrics)))
            check_statistic(c, s);
    }
    for (size_t j = 0; j < REQUIRED_METRICS; j++) {
        if (job->statistics.at && !(seen >> j & 1))
            broken(c, "statistics lack a required metric", ta_str(schema_metrics[j]));
    }
}

int ta_job_check(const struct ta_job *job, struct ta_buf *out)
{
    struct checking c = {.out = out};

    check_required(&c, job);
    check_numbers(&c, job);
    check_words(&c, job);
    check_lists(&c, job);
    check_tags(&c, &job->tags);
    check_statistics(&c, job);
    return c.error ? c.error : c.n;
}
