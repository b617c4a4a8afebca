#include "sweep/outcome_write.h"

#include "io/json_write.h"

enum { PART = 16 * 1024, BUFFER = 4 * 1024 * 1024 };

struct line {
    struct ta_json_writer w;
    struct ta_buf buf;
    struct ta_sink *out;
    struct ta_err *err;
    int failed;
};

/* The writer keeps no pointer into its buffer, so what is there can go. */
static void drain(struct line *l, size_t from)
{
    if (l->failed || l->buf.len <= from)
        return;
    l->failed = ta_sink_write(l->out, l->buf.at, l->buf.len, l->err);
    ta_buf_reset(&l->buf);
}

static void put_names(struct line *l, const char *key, const struct ta_names *names)
{
    ta_json_put_key(&l->w, key);
    ta_json_put_array(&l->w);
    for (size_t i = 0; i < names->n; i++) {
        ta_json_put_str(&l->w, names->at[i]);
        drain(l, PART);
    }
    ta_json_put_array_end(&l->w);
}

static void put_rules(struct line *l, struct ta_id_spool *rules)
{
    struct ta_id_cursor at;
    struct ta_str id;
    int r;

    ta_json_put_array(&l->w);
    ta_id_cursor_init(&at, rules);
    while ((r = ta_id_cursor_next(&at, &id, l->err)) > 0) {
        ta_json_put_str(&l->w, id);
        drain(l, PART);
    }
    ta_id_cursor_done(&at);
    if (r < 0)
        l->failed = r;
    ta_json_put_array_end(&l->w);
}

static void put_pipelines(struct line *l, struct ta_outcome *o)
{
    struct ta_json_writer *w = &l->w;

    ta_json_put_key(w, "PlineMarkers");
    ta_json_put_array(w);
    for (size_t p = 0; p < TA_PIPELINES; p++)
        if (o->started >> p & 1)
            ta_json_put_z(w, ta_pipelines[p].name);
    if (o->has_archive_marker)
        ta_json_put_z(w, "plineArchive");
    ta_json_put_array_end(w);
    ta_json_put_key(w, "CleanupStatus");
    ta_json_put_object(w);
    for (size_t p = 0; p < TA_PIPELINES; p++)
        if (o->started >> p & 1)
            ta_json_member_bool(w, ta_pipelines[p].name, o->cleaned >> p & 1);
    ta_json_put_object_end(w);
    ta_json_put_key(w, "RulesToClean");
    ta_json_put_object(w);
    for (size_t p = 0; p < TA_PIPELINES; p++)
        if (o->started >> p & 1) {
            ta_json_put_key(w, ta_pipelines[p].name);
            put_rules(l, &o->rules[p]);
        }
    ta_json_put_object_end(w);
}

static void put_tape(struct line *l, const struct ta_outcome *o)
{
    struct ta_json_writer *w = &l->w;

    ta_json_put_key(w, "TapeRulesStatus");
    ta_json_put_array(w);
    for (size_t i = 0; o->transfer_done && i < o->transfer.n; i++) {
        ta_json_put_array(w);
        ta_json_put_str(w, o->transfer.at[i].id);
        ta_json_put_str(w, o->transfer.at[i].state);
        ta_json_put_str(w, o->transfer.at[i].dataset);
        ta_json_put_array_end(w);
        drain(l, PART);
    }
    ta_json_put_array_end(w);
}

static void put_flags(struct line *l, const struct ta_record *r, const struct ta_outcome *o)
{
    struct ta_json_writer *w = &l->w;

    ta_json_member_bool(w, "TransferDone", o->transfer_done);
    ta_json_member_bool(w, "TransferTape", o->on_tape);
    put_tape(l, o);
    ta_json_put_key(w, "TargetStatus");
    if (o->target)
        ta_json_put_z(w, o->target);
    else
        ta_json_put_null(w);
    ta_json_member_bool(w, "ParentageResolved", r->parentage_resolved);
    ta_json_member_bool(w, "IncludeParents", r->include_parents);
    ta_json_member_bool(w, "IsClean", o->is_clean);
    ta_json_member_bool(w, "IsLogDBClean", o->is_logdb_clean);
    ta_json_member_bool(w, "IsArchivalDelayExpired", o->is_delay_expired);
    ta_json_member_bool(w, "ForceArchive", o->is_forced);
    ta_json_member_str(w, "StatusAdvanceExpiredMsg", ta_buf_view(&o->alarm));
}

int ta_outcome_write(const struct ta_record *r, struct ta_outcome *o, struct ta_sink *out,
                     struct ta_alloc *alloc, struct ta_err *err)
{
    struct line l = {.out = out, .err = err};
    struct ta_json_writer *w = &l.w;

    ta_buf_init(&l.buf, alloc, BUFFER);
    ta_json_writer_init(w, &l.buf);
    ta_json_put_object(w);
    ta_json_member_str(w, "RequestName", r->name);
    ta_json_member_str(w, "RequestType", r->type);
    ta_json_member_str(w, "RequestStatus", r->status);
    ta_json_member_z(w, "result", ta_result_name(o->result));
    ta_json_member_z(w, "gate", ta_gate_name(o->gate));
    ta_json_member_z(w, "reason", o->reason);
    put_flags(&l, r, o);
    put_names(&l, "InputDataset", &r->inputs);
    put_names(&l, "ParentDataset", &o->parents);
    put_names(&l, "OutputDatasets", &r->outputs);
    put_pipelines(&l, o);
    int made = ta_json_put_object_end(w);
    if (made == TA_OK)
        made = ta_buf_byte(&l.buf, '\n');
    drain(&l, 0);
    ta_buf_done(&l.buf);
    if (made < 0)
        return ta_fail(err, made, "a workflow's line");
    return l.failed < 0 ? l.failed : TA_OK;
}
