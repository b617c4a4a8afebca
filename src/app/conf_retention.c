/* conf_retention.c - the reference's keys about old jobs and old states of nodes (spec: job-archive 11.1, 11.3). */
#include "app/conf_retention.h"

#include <string.h>

#define IN(type, member) offsetof(struct type, member)

#define TARGET(type, megabytes)                                                                    \
    {.name = "target-kind",                                                                        \
     .kind = TA_CONF_WORD,                                                                         \
     .offset = IN(type, target.kind),                                                              \
     .default_ = "file",                                                                           \
     .rule = "file|s3",                                                                            \
     .help = "what they go to"},                                                                   \
        {.name = "target-path",                                                                    \
         .kind = TA_CONF_TEXT,                                                                     \
         .offset = IN(type, target.path),                                                          \
         .default_ = "",                                                                           \
         .help = "directory, made when missing; required with target-kind file"},                  \
        {.name = "target-endpoint",                                                                \
         .kind = TA_CONF_TEXT,                                                                     \
         .offset = IN(type, target.endpoint),                                                      \
         .default_ = "",                                                                           \
         .help = "URL of the S3 server; empty: $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL, else "     \
                 "Amazon's"},                                                                      \
        {.name = "target-bucket",                                                                  \
         .kind = TA_CONF_TEXT,                                                                     \
         .offset = IN(type, target.bucket),                                                        \
         .default_ = "",                                                                           \
         .help = "which must exist; required with target-kind s3"},                                \
        {.name = "target-access-key",                                                              \
         .kind = TA_CONF_TEXT,                                                                     \
         .offset = IN(type, target.access_key),                                                    \
         .default_ = "",                                                                           \
         .help = "used together with target-secret-key; either empty: $AWS_ACCESS_KEY_ID and "     \
                 "$AWS_SECRET_ACCESS_KEY"},                                                        \
        {.name = "target-secret-key",                                                              \
         .kind = TA_CONF_TEXT,                                                                     \
         .offset = IN(type, target.secret_key),                                                    \
         .default_ = "",                                                                           \
         .help = "used together with target-access-key"},                                          \
        {.name = "target-region",                                                                  \
         .kind = TA_CONF_TEXT,                                                                     \
         .offset = IN(type, target.region),                                                        \
         .default_ = "",                                                                           \
         .help = "empty: $AWS_REGION, $AWS_DEFAULT_REGION, else us-east-1"},                       \
        {.name = "target-use-path-style",                                                          \
         .kind = TA_CONF_IGNORED,                                                                  \
         .help = "accepted, without effect: requests are in path style in any case"},              \
    {                                                                                              \
        .name = "max-file-size-mb", .kind = TA_CONF_INT, .offset = IN(type, target.file_mb),       \
        .default_ = megabytes, .rule = ">0",                                                       \
        .help = "of the rows of a Parquet file, before compression"                                \
    }

static const struct ta_conf_key job_keys[] = {
    {.name = "policy",
     .kind = TA_CONF_WORD,
     .offset = IN(ta_conf_job_retention, policy),
     .default_ = "none",
     .rule = "none|delete|copy|move",
     .is_required = true,
     .help = "what becomes of old jobs"},
    {.name = "format",
     .kind = TA_CONF_WORD,
     .offset = IN(ta_conf_job_retention, format),
     .default_ = "json",
     .rule = "json|parquet",
     .help = "of copies: another job archive, or Parquet files"},
    {.name = "age",
     .kind = TA_CONF_INT,
     .offset = IN(ta_conf_job_retention, age_days),
     .default_ = "0",
     .rule = ">=0",
     .help = "days; jobs that began longer ago are old; required, but with none"},
    {.name = "include-db",
     .kind = TA_CONF_BOOL,
     .offset = IN(ta_conf_job_retention, include_db),
     .default_ = "true",
     .help = "delete and move take jobs out of main.db, too"},
    {.name = "omit-tagged",
     .kind = TA_CONF_WORD,
     .offset = IN(ta_conf_job_retention, omit_tagged),
     .default_ = "none",
     .rule = "none|all|user|",
     .help = "leave jobs with a tag; user: with one that no program gave"},
    TARGET(ta_conf_job_retention, "512"),
    {.name = "location", .kind = TA_CONF_IGNORED, .help = "accepted, without effect"},
};
const struct ta_conf_table ta_conf_job_retention_table = {"retention", job_keys, TA_COUNT(job_keys),
                                                          TA_CONF_WARN};

static const struct ta_conf_key node_keys[] = {
    {.name = "policy",
     .kind = TA_CONF_WORD,
     .offset = IN(ta_conf_node_retention, policy),
     .default_ = "delete",
     .rule = "keep|delete|move",
     .help = "what becomes of old states of nodes; keep: they stay for ever"},
    {.name = "age",
     .kind = TA_CONF_INT,
     .offset = IN(ta_conf_node_retention, age_hours),
     .default_ = "24",
     .rule = ">0",
     .help = "hours; states before that are old; the newest of each node stays"},
    TARGET(ta_conf_node_retention, "128"),
};
const struct ta_conf_table ta_conf_node_retention_table = {"nodestate-retention", node_keys,
                                                           TA_COUNT(node_keys), TA_CONF_WARN};

int ta_conf_time_of_day(const char *text)
{
    int v[4];

    if (strlen(text) != 5 || text[2] != ':')
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = text[i < 2 ? i : i + 1];
        if (c < '0' || c > '9')
            return -1;
        v[i] = c - '0';
    }
    int hours = v[0] * 10 + v[1];
    int minutes = v[2] * 10 + v[3];
    return hours > 23 || minutes > 59 ? -1 : hours * 3600 + minutes * 60;
}

static int check_target(const struct ta_config *c, const char *section,
                        const struct ta_conf_target *t, struct ta_err *err)
{
    bool is_s3 = strcmp(t->kind, "s3") == 0;

    if (is_s3 ? !t->bucket[0] : !t->path[0])
        return ta_fail(err, TA_EINVAL,
                       "%.160s: %s.target-%s: missing, but its policy wants a target", c->path,
                       section, is_s3 ? "bucket" : "path");
    if (!t->access_key[0] != !t->secret_key[0])
        return ta_fail(err, TA_EINVAL,
                       "%.160s: %s: only one of target-access-key and target-secret-key is set",
                       c->path, section);
    return t->file_mb > 1 << 20
               ? ta_fail(err, TA_EINVAL, "%.160s: %s.max-file-size-mb: at most 1048576", c->path,
                         section)
               : TA_OK;
}

static bool is_same_place(const struct ta_conf_archive *c)
{
    const struct ta_conf_target *t = &c->retention.target;

    if (strcmp(c->kind, t->kind) != 0)
        return false;
    return t->kind[0] == 's'
               ? strcmp(c->bucket, t->bucket) == 0 && strcmp(c->endpoint, t->endpoint) == 0
               : strcmp(c->path, t->path) == 0;
}

int ta_conf_check_retention(const struct ta_config *c, struct ta_err *err)
{
    static const char jobs[] = "archive.retention", nodes[] = "main.nodestate-retention";
    const struct ta_conf_job_retention *j = &c->archive.retention;
    const struct ta_conf_node_retention *n = &c->main.node_retention;
    bool copies =
        c->has_archive && (strcmp(j->policy, "copy") == 0 || strcmp(j->policy, "move") == 0);

    if (ta_conf_time_of_day(c->tarn.retention_time) < 0)
        return ta_fail(err, TA_EINVAL, "%.160s: tarn.retention-time: must be HH:MM", c->path);
    if (c->has_archive && strcmp(j->policy, "none") != 0 && j->age_days == 0)
        return ta_fail(err, TA_EINVAL, "%.160s: %s.age: missing, but there is a policy", c->path,
                       jobs);
    if (j->age_days > 1000000 || n->age_hours > 24000000 || c->archive.compression_days > 1000000)
        return ta_fail(err, TA_EINVAL, "%.160s: %s: an age is too large", c->path,
                       n->age_hours > 24000000 ? nodes : "archive");
    int r = copies ? check_target(c, jobs, &j->target, err) : TA_OK;
    if (r == TA_OK && strcmp(n->policy, "move") == 0)
        r = check_target(c, nodes, &n->target, err);
    if (r == TA_OK && copies && strcmp(j->format, "json") == 0 && is_same_place(&c->archive))
        r = ta_fail(err, TA_EINVAL, "%.160s: %s.target-%s: is the archive itself", c->path, jobs,
                    j->target.kind[0] == 's' ? "bucket" : "path");
    return r;
}
