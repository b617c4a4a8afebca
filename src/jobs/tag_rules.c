/* tag_rules.c - see tag_rules.h. */
#include "jobs/tag_rules.h"

#include <math.h>
#include <regex.h>

#include "query/decode.h"

enum {
    ARENA_MAX = 1 << 20, /* a thousand rules of a site */
    TEXT_MAX = 4096,
    MATCHED_MAX = 64 * 1024,
    CONDITIONS_MAX = 64
};

/* ---- the file ----------------------------------------------------------------------------------- */

struct condition {
    struct ta_dec_item item;
    struct ta_str field, is, matches;
    double value;
    regex_t regex; /* when `matches` is given */
    bool has_regex;
};

struct rule {
    struct ta_dec_item item;
    struct ta_str type, name, scope;
    struct ta_dec_chain conditions;
};

struct file {
    struct ta_dec_chain rules;
};

struct ta_tag_rules {
    struct ta_alloc *alloc;
    struct ta_arena arena;
    struct file file;
};

#define FIELD(type, key, kind, member, of)                                                         \
    {                                                                                              \
        key, kind, offsetof(struct type, member), of                                               \
    }
#define TABLE(table, type)                                                                         \
    {                                                                                              \
#type, table, TA_COUNT(table), sizeof(struct type), true                                   \
    }

static const struct ta_dec_field condition_fields[] = {
    FIELD(condition, "field", TA_DEC_STR, field, NULL),
    FIELD(condition, "is", TA_DEC_STR, is, NULL),
    FIELD(condition, "value", TA_DEC_FACTOR, value, NULL),
    FIELD(condition, "matches", TA_DEC_STR, matches, NULL),
};
static const struct ta_dec_type condition_type = TABLE(condition_fields, condition);

static const struct ta_dec_field rule_fields[] = {
    FIELD(rule, "type", TA_DEC_STR, type, NULL),
    FIELD(rule, "name", TA_DEC_STR, name, NULL),
    FIELD(rule, "scope", TA_DEC_STR, scope, NULL),
    FIELD(rule, "if", TA_DEC_OBJECTS, conditions, &condition_type),
};
static const struct ta_dec_type rule_type = TABLE(rule_fields, rule);

static const struct ta_dec_field file_fields[] = {
    FIELD(file, "rules", TA_DEC_OBJECTS, rules, &rule_type),
};
static const struct ta_dec_type file_type = TABLE(file_fields, file);
static const struct ta_dec_field root = {"", TA_DEC_OBJECT, 0, &file_type};

#undef FIELD
#undef TABLE

/* ---- comparisons -------------------------------------------------------------------------------- */

static bool less(double a, double b)
{
    return a < b;
}
static bool less_equal(double a, double b)
{
    return a <= b;
}
static bool more(double a, double b)
{
    return a > b;
}
static bool more_equal(double a, double b)
{
    return a >= b;
}
static bool equal(double a, double b)
{
    return !less(a, b) && !more(a, b);
}
static bool unequal(double a, double b)
{
    return less(a, b) || more(a, b);
}

static const struct {
    const char *word;
    bool (*holds)(double a, double b);
} comparisons[] = {
    {"<", less},        {"<=", less_equal}, {">", more},
    {">=", more_equal}, {"==", equal},      {"!=", unequal},
};

static int comparison(struct ta_str word)
{
    for (size_t i = 0; i < TA_COUNT(comparisons); i++)
        if (ta_str_is(word, comparisons[i].word))
            return (int)i;
    return -1;
}

/* ---- life --------------------------------------------------------------------------------------- */

static int prepare_regex(struct ta_tag_rules *rules, struct condition *c, struct ta_err *err)
{
    struct ta_str z = ta_arena_copy(&rules->arena, c->matches);
    char words[128];
    int r;

    if (!z.at)
        return TA_ENOMEM;
    if (memchr(z.at, 0, z.len))
        return ta_fail(err, TA_EFORMAT, "an expression with a NUL byte");
    r = regcomp(&c->regex, z.at, REG_EXTENDED | REG_NOSUB);
    if (r == 0) {
        c->has_regex = true;
        return TA_OK;
    }
    regerror(r, &c->regex, words, sizeof(words));
    return r == REG_ESPACE ? TA_ENOMEM
                           : ta_fail(err, TA_EFORMAT, "\"%.*s\": %s", TA_STR_FMT(z), words);
}

static int prepare_condition(struct ta_tag_rules *rules, struct condition *c, struct ta_err *err)
{
    if (c->field.len == 0)
        return ta_fail(err, TA_EFORMAT, "no \"field\"");
    if ((c->is.len > 0) == (c->matches.len > 0))
        return ta_fail(err, TA_EFORMAT, "either \"is\" with \"value\", or \"matches\"");
    if (c->matches.len > 0)
        return prepare_regex(rules, c, err);
    if (comparison(c->is) < 0)
        return ta_fail(err, TA_EFORMAT, "\"%.*s\" is no comparison", TA_STR_FMT(c->is));
    return TA_OK;
}

static int prepare_rule(struct ta_tag_rules *rules, struct rule *rule, struct ta_err *err)
{
    unsigned n = 0;

    if (rule->type.len == 0 || rule->name.len == 0)
        return ta_fail(err, TA_EFORMAT, "a rule needs a type, a name and conditions");
    if (rule->conditions.n == 0 || rule->conditions.n > CONDITIONS_MAX)
        return ta_fail(err, TA_EFORMAT, "a rule needs 1 to %d conditions", CONDITIONS_MAX);
    if (rule->scope.len == 0)
        rule->scope = TA_STR("global");
    for (struct ta_dec_item *i = rule->conditions.first; i; i = i->next) {
        int r = prepare_condition(rules, (struct condition *)(void *)i, err);

        n++;
        if (r < 0)
            return ta_fail_context(err, r, "condition %u: ", n);
    }
    return TA_OK;
}

static int prepare(struct ta_tag_rules *rules, struct ta_err *err)
{
    unsigned n = 0;

    for (struct ta_dec_item *i = rules->file.rules.first; i; i = i->next) {
        struct rule *rule = (struct rule *)(void *)i;
        int r = prepare_rule(rules, rule, err);

        n++;
        if (r < 0)
            return ta_fail_context(err, r, "rule %u (%.*s): ", n, TA_STR_FMT(rule->name));
    }
    return TA_OK;
}

int ta_tag_rules_new(struct ta_tag_rules **out, struct ta_source *json, struct ta_alloc *alloc,
                     struct ta_err *err)
{
    const struct ta_dec_limits limits = {TA_TAG_RULES_MAX, 1, TEXT_MAX};
    struct ta_tag_rules *rules = ta_alloc_zero(alloc, 1, sizeof(*rules));
    struct ta_decoder *d = NULL;
    int r;

    if (!rules)
        return ta_fail(err, TA_ENOMEM, "no memory for rules");
    rules->alloc = alloc;
    ta_arena_init(&rules->arena, alloc, ARENA_MAX);
    r = ta_decoder_new(&d, json, &root, &rules->file, &limits, &rules->arena, alloc);
    if (r >= 0)
        r = ta_decoder_run(d, err);
    ta_decoder_free(d);
    if (r >= 0)
        r = prepare(rules, err);
    if (r < 0) {
        ta_tag_rules_free(rules);
        return ta_fail(err, r, "%s", ta_strerror(r));
    }
    *out = rules;
    return TA_OK;
}

static void free_rule(struct rule *rule)
{
    for (struct ta_dec_item *i = rule->conditions.first; i; i = i->next) {
        struct condition *c = (struct condition *)(void *)i;

        if (c->has_regex)
            regfree(&c->regex);
    }
}

void ta_tag_rules_free(struct ta_tag_rules *rules)
{
    if (!rules)
        return;
    for (struct ta_dec_item *i = rules->file.rules.first; i; i = i->next)
        free_rule((struct rule *)(void *)i);
    ta_arena_done(&rules->arena);
    ta_release(rules->alloc, rules, sizeof(*rules));
}

/* ---- fields of a job ---------------------------------------------------------------------------- */

static bool number_of(const struct ta_job *job, struct ta_str field, double *out)
{
    const struct {
        const char *name;
        double value;
    } plain[] = {
        {"numNodes", (double)job->num_nodes},
        {"numAcc", (double)job->num_acc},
        {"numHwthreads", (double)job->num_hwthreads},
        {"smt", (double)job->smt},
        {"duration", (double)job->duration},
        {"walltime", (double)job->walltime},
        {"energy", job->energy},
    };

    for (size_t i = 0; i < TA_COUNT(plain); i++)
        if (ta_str_is(field, plain[i].name)) {
            *out = plain[i].value;
            return true;
        }
    for (size_t i = 0; i < job->statistics.n; i++) {
        const struct ta_job_statistic *s = &job->statistics.at[i];
        struct ta_str rest = field;

        if (!ta_str_starts(field, s->metric))
            continue;
        rest.at += s->metric.len;
        rest.len -= s->metric.len;
        *out = ta_str_is(rest, "_min") ? s->min : ta_str_is(rest, "_max") ? s->max : s->avg;
        if (ta_str_is(rest, "_avg") || ta_str_is(rest, "_min") || ta_str_is(rest, "_max"))
            return true;
    }
    return false;
}

static bool text_of(const struct ta_job *job, struct ta_str field, struct ta_str *out)
{
    const struct {
        const char *name;
        struct ta_str value;
    } plain[] = {
        {"cluster", job->cluster},     {"subCluster", job->subcluster},
        {"partition", job->partition}, {"project", job->project},
        {"user", job->user},           {"shared", job->shared},
        {"jobState", job->state},
    };

    for (size_t i = 0; i < TA_COUNT(plain); i++)
        if (ta_str_is(field, plain[i].name)) {
            *out = plain[i].value;
            return true;
        }
    for (size_t i = 0; i < job->meta_data.n; i++)
        if (ta_str_eq(field, job->meta_data.at[i].key)) {
            *out = job->meta_data.at[i].value;
            return true;
        }
    return false;
}

/* `scratch` has room for MATCHED_MAX + 1. */
static bool holds(const struct condition *c, const struct ta_job *job, char *scratch)
{
    struct ta_str text;
    double number;

    if (!c->has_regex)
        return number_of(job, c->field, &number) &&
               comparisons[comparison(c->is)].holds(number, c->value);
    if (!text_of(job, c->field, &text))
        return false;
    size_t n = text.len < MATCHED_MAX ? text.len : MATCHED_MAX;
    if (n > 0)
        memcpy(scratch, text.at, n);
    scratch[n] = 0;
    return regexec(&c->regex, scratch, 0, NULL, 0) == 0;
}

static bool has_tag(const struct ta_job *job, const struct rule *rule)
{
    for (size_t i = 0; i < job->tags.n; i++)
        if (ta_str_eq(job->tags.at[i].type, rule->type) &&
            ta_str_eq(job->tags.at[i].name, rule->name))
            return true;
    return false;
}

static bool is_earned(const struct rule *rule, const struct ta_job *job, char *scratch)
{
    if (has_tag(job, rule))
        return false;
    for (const struct ta_dec_item *i = rule->conditions.first; i; i = i->next)
        if (!holds((const struct condition *)(const void *)i, job, scratch))
            return false;
    return true;
}

int ta_tag_rules_apply(const struct ta_tag_rules *rules, struct ta_job *job, struct ta_arena *arena,
                       struct ta_alloc *alloc, size_t *out_first)
{
    size_t cap = job->tags.n + rules->file.rules.n;
    struct ta_job_tag *at = ta_arena_get(arena, cap * sizeof(*at));
    char *scratch = ta_alloc(alloc, MATCHED_MAX + 1);
    int n = 0;

    if (!at || !scratch) {
        ta_release(alloc, scratch, MATCHED_MAX + 1);
        return TA_ENOMEM;
    }
    *out_first = job->tags.n;
    if (job->tags.n > 0)
        memcpy(at, job->tags.at, job->tags.n * sizeof(*at));
    job->tags.at = at;
    for (const struct ta_dec_item *i = rules->file.rules.first; i; i = i->next) {
        const struct rule *rule = (const struct rule *)(const void *)i;

        if (!is_earned(rule, job, scratch))
            continue;
        at[job->tags.n++] = (struct ta_job_tag){rule->type, rule->name, rule->scope, 0};
        n++;
    }
    ta_release(alloc, scratch, MATCHED_MAX + 1);
    return n;
}
