/* rules.c - which lines are welcome, and what is said about the others (spec: http-api 8.1, 8.3). */
#include "ingest/ingest_int.h"

#include <inttypes.h>

static const char *const reason_names[TA_INGEST_N_REASONS] = {
    [TA_REFUSED_SYNTAX] = "syntax",
    [TA_REFUSED_UTF8] = "utf8",
    [TA_REFUSED_FIELD] = "unknown_field",
    [TA_REFUSED_TYPE] = "value_type",
    [TA_REFUSED_VALUE] = "value",
    [TA_REFUSED_RANGE] = "value_range",
    [TA_REFUSED_TIME] = "timestamp",
    [TA_REFUSED_LONG_NAME] = "long_name",
    [TA_REFUSED_LONG_LINE] = "long_line",
    [TA_REFUSED_NO_HOST] = "no_host",
    [TA_REFUSED_NO_CLUSTER] = "no_cluster",
    [TA_REFUSED_FUTURE] = "future",
    [TA_REFUSED_COLUMNS] = "too_many_series",
    [TA_REFUSED_TRUNCATED] = "truncated",
    [TA_SKIPPED_METRIC] = "unknown_metric",
    [TA_SKIPPED_NAME] = "unsafe_name",
    [TA_SKIPPED_OLD] = "too_old",
};

const char *ta_ingest_reason_name(enum ta_ingest_reason reason)
{
    return reason_names[reason];
}

uint64_t ta_ingest_refused(const struct ta_ingest_counts *c)
{
    uint64_t n = 0;

    for (int i = 0; i < TA_INGEST_N_REASONS; i++)
        n += ta_ingest_is_refusal((enum ta_ingest_reason)i) ? c->bad[i] : 0;
    return n;
}

uint64_t ta_ingest_skipped(const struct ta_ingest_counts *c)
{
    uint64_t n = 0;

    for (int i = 0; i < TA_INGEST_N_REASONS; i++)
        n += ta_ingest_is_refusal((enum ta_ingest_reason)i) ? 0 : c->bad[i];
    return n;
}

void ta_ingest_counts_add(struct ta_ingest_counts *to, const struct ta_ingest_counts *c)
{
    to->stored += c->stored;
    to->left_out += c->left_out;
    to->predicted += c->predicted;
    for (int i = 0; i < TA_INGEST_N_REASONS; i++)
        to->bad[i] += c->bad[i];
}

void rules_refuse(struct ta_feed *f, enum ta_ingest_reason reason, uint64_t line, const char *what)
{
    f->counts.bad[reason]++;
    ta_fail(&f->first_bad, TA_EFORMAT, "at line %" PRIu64 ":1: %s", line, what);
}

static const enum ta_ingest_reason of_line_reason[TA_LINE_N_REASONS] = {
    [TA_LINE_SYNTAX] = TA_REFUSED_SYNTAX,       [TA_LINE_BAD_UTF8] = TA_REFUSED_UTF8,
    [TA_LINE_UNKNOWN_FIELD] = TA_REFUSED_FIELD, [TA_LINE_BAD_TYPE] = TA_REFUSED_TYPE,
    [TA_LINE_BAD_VALUE] = TA_REFUSED_VALUE,     [TA_LINE_VALUE_RANGE] = TA_REFUSED_RANGE,
    [TA_LINE_BAD_TIME] = TA_REFUSED_TIME,       [TA_LINE_LONG_NAME] = TA_REFUSED_LONG_NAME,
    [TA_LINE_LONG_LINE] = TA_REFUSED_LONG_LINE,
};

/* The rest of a line of an unknown metric is not looked at (8.1.1), so it cannot be bad. */
void rules_bad_line(struct ta_ingest *in, struct ta_feed *f, const struct ta_line_error *e)
{
    if (f->scanner.options.mode == TA_LINE_NATIVE && e->measurement.len &&
        ta_metrics_find(in->metrics, e->measurement) < 0) {
        f->counts.bad[TA_SKIPPED_METRIC]++;
        return;
    }
    f->counts.bad[of_line_reason[e->reason]]++;
    (void)ta_line_fail(&f->first_bad, e);
}

bool rules_is_path_name(struct ta_str name, bool is_cluster)
{
    if (ta_str_is(name, ".") || (is_cluster && name.len && name.at[0] == '.'))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (c == '/' || c == '\\' || (c == '.' && i + 1 < name.len && name.at[i + 1] == '.'))
            return false;
    }
    return true;
}

/* TA_ENOTFOUND, or the metric of a field: <measurement> for `value`, else <measurement>_<field>. */
static int find_metric(struct ta_ingest *in, const struct ta_line_sample *s)
{
    size_t m = s->measurement.len, k = s->field.len;

    if (ta_str_is(s->field, "value"))
        return ta_metrics_find(in->metrics, s->measurement);
    memcpy(in->metric, s->measurement.at, m);
    in->metric[m] = '_';
    memcpy(in->metric + m + 1, s->field.at, k);
    return ta_metrics_find(in->metrics, (struct ta_str){in->metric, m + 1 + k});
}

/* Tag and id without separator; `node` names the host level itself. */
static struct ta_str element(char *room, struct ta_str tag, struct ta_str id, bool is_type)
{
    size_t n = is_type && ta_str_is(tag, "node") ? 0 : tag.len;

    if (n)
        memcpy(room, tag.at, n);
    if (id.len)
        memcpy(room + n, id.at, id.len);
    return (struct ta_str){room, n + id.len};
}

enum ta_ingest_reason rules_judge(struct ta_ingest *in, struct ta_feed *f,
                                  const struct ta_line_sample *s, struct judged *out)
{
    int metric = find_metric(in, s);

    if (metric < 0) {
        f->counts.bad[TA_SKIPPED_METRIC]++;
        return TA_SKIPPED_METRIC;
    }
    out->metric = (uint32_t)metric;
    out->host = s->host;
    out->cluster = s->cluster.len ? s->cluster : (struct ta_str){f->cluster, f->cluster_len};
    out->ts_s = s->has_ts ? s->ts_s : f->last_ts_s;
    out->type = element(in->element[0], s->type, s->type_id, true);
    out->stype = element(in->element[1], s->stype, s->stype_id, false);
    if (out->type.len == 0)
        out->stype.len = 0;

    enum ta_ingest_reason bad = TA_INGEST_N_REASONS;
    const char *what = "";
    if (out->cluster.len == 0) {
        bad = TA_REFUSED_NO_CLUSTER;
        what = "no cluster tag, and the request names no default";
    } else if (out->host.len == 0) {
        bad = TA_REFUSED_NO_HOST;
        what = "no hostname or host tag";
    } else if (!rules_is_path_name(out->cluster, true) || !rules_is_path_name(out->host, false)) {
        f->counts.bad[TA_SKIPPED_NAME]++;
        return TA_SKIPPED_NAME;
    } else if (out->type.len > TA_NAME_MAX || out->stype.len > TA_NAME_MAX) {
        bad = TA_REFUSED_LONG_NAME;
        what = "type and its id are longer than 255 bytes together";
    } else if (out->ts_s > in->latest_s) {
        bad = TA_REFUSED_FUTURE;
        what = "the timestamp lies too far in the future";
    }
    if (bad != TA_INGEST_N_REASONS)
        rules_refuse(f, bad, s->line, what);
    return bad;
}
