/* recorded_job.c - see recorded_job.h. */
#include "recorded_job.h"

#include "io/json_read.h"
#include "io/vfs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int source_begin(struct ta_job_source *self, struct ta_str metric, enum ta_scope scope,
                        struct ta_err *err)
{
    struct recorded_job *j = TA_CONTAINER(self, struct recorded_job, source);

    j->metric = metric;
    j->scope = scope;
    j->at = SIZE_MAX;
    if (j->fail_metric < j->n_metrics && ta_str_eq(j->metrics[j->fail_metric], metric))
        return ta_fail(err, TA_EIO, "a series that cannot be had");
    return TA_OK;
}

static int source_next(struct ta_job_source *self, struct ta_job_series *out, struct ta_err *err)
{
    struct recorded_job *j = TA_CONTAINER(self, struct recorded_job, source);

    (void)err;
    for (j->at++; j->at < j->n_series; j->at++) {
        const struct recorded_series *s = &j->series[j->at];

        if (!ta_str_eq(s->metric, j->metric) || ta_scope_parse(s->scope) != j->scope)
            continue;
        *out = (struct ta_job_series){s->host, s->id, s->timestep_s, s->n};
        return 1;
    }
    return 0;
}

static int source_stats(struct ta_job_source *self, struct ta_stats *out, struct ta_err *err)
{
    struct recorded_job *j = TA_CONTAINER(self, struct recorded_job, source);

    (void)err;
    *out = j->series[j->at].stats;
    return TA_OK;
}

static int source_read(struct ta_job_source *self, size_t first, double *out, size_t n,
                       struct ta_err *err)
{
    struct recorded_job *j = TA_CONTAINER(self, struct recorded_job, source);
    const struct recorded_series *s = &j->series[j->at];

    (void)err;
    for (size_t i = 0; i < n; i++)
        out[i] = first + i < s->n ? s->data[first + i] : NAN;
    return TA_OK;
}

/* ---- reading ----------------------------------------------------------------------------------- */

static bool is_end(const struct ta_json_token *t)
{
    return t->kind == TA_JSON_OBJECT_END || t->kind == TA_JSON_ARRAY_END;
}

static double number(const struct ta_json_token *t)
{
    double v = NAN;

    (void)ta_json_f64(t, &v);
    return t->kind == TA_JSON_NUMBER ? v : NAN;
}

static void read_strings(struct recorded_job *j, struct ta_json_reader *r, struct ta_str *out,
                         size_t *n)
{
    struct ta_json_token t;

    for (ta_json_next(r, &t, NULL); ta_json_next(r, &t, NULL) > 0 && !is_end(&t);)
        out[(*n)++] = ta_arena_copy(&j->arena, t.text);
}

static void read_data(struct recorded_job *j, struct ta_json_reader *r, struct recorded_series *s)
{
    enum { MAX = 1024 };
    struct ta_json_token t;

    s->data = ta_arena_get(&j->arena, MAX * sizeof(double));
    for (ta_json_next(r, &t, NULL); ta_json_next(r, &t, NULL) > 0 && !is_end(&t);)
        if (s->n < MAX)
            s->data[s->n++] = number(&t);
}

static void read_stats(struct ta_json_reader *r, struct ta_stats *out)
{
    struct ta_json_token t;

    for (ta_json_next(r, &t, NULL); ta_json_next(r, &t, NULL) > 0 && !is_end(&t);) {
        char which = t.text.at[1];

        ta_json_next(r, &t, NULL);
        *(which == 'v' ? &out->avg : which == 'i' ? &out->min : &out->max) = number(&t);
    }
}

/* One series, whose opening token was taken. */
static void read_series(struct recorded_job *j, struct ta_json_reader *r, struct recorded_series *s)
{
    struct ta_json_token t;

    while (ta_json_next(r, &t, NULL) > 0 && !is_end(&t)) {
        if (ta_str_is(t.text, "data")) {
            read_data(j, r, s);
        } else if (ta_str_is(t.text, "statistics")) {
            read_stats(r, &s->stats);
        } else {
            struct ta_str *to = ta_str_is(t.text, "hostname") ? &s->host : &s->id;

            ta_json_next(r, &t, NULL);
            *to = ta_arena_copy(&j->arena, t.text);
        }
    }
}

/* {"series": [...], "timestep": 60, "unit": ...} of one metric and scope. */
static void read_metric(struct recorded_job *j, struct ta_json_reader *r, struct ta_str metric,
                        struct ta_str scope)
{
    size_t first = j->n_series;
    struct ta_json_token t;

    for (ta_json_next(r, &t, NULL); ta_json_next(r, &t, NULL) > 0 && !is_end(&t);) {
        if (ta_str_is(t.text, "series")) {
            for (ta_json_next(r, &t, NULL); ta_json_next(r, &t, NULL) > 0 && !is_end(&t);) {
                struct recorded_series *s = &j->series[j->n_series++];

                *s = (struct recorded_series){.metric = metric, .scope = scope};
                read_series(j, r, s);
            }
        } else if (ta_str_is(t.text, "timestep")) {
            ta_json_next(r, &t, NULL);
            for (size_t i = first; i < j->n_series; i++)
                j->series[i].timestep_s = (int64_t)number(&t);
        } else {
            ta_json_skip(r, NULL);
        }
    }
}

static void read_loaded(struct recorded_job *j, struct ta_json_reader *r)
{
    struct ta_json_token t;

    for (ta_json_next(r, &t, NULL); ta_json_next(r, &t, NULL) > 0 && !is_end(&t);) {
        struct ta_str metric = ta_arena_copy(&j->arena, t.text);

        for (ta_json_next(r, &t, NULL); ta_json_next(r, &t, NULL) > 0 && !is_end(&t);)
            read_metric(j, r, metric, ta_arena_copy(&j->arena, t.text));
    }
}

static void read_job(struct recorded_job *j, struct ta_json_reader *r)
{
    struct ta_json_token t;

    for (ta_json_next(r, &t, NULL); ta_json_next(r, &t, NULL) > 0 && !is_end(&t);) {
        if (ta_str_is(t.text, "loaded"))
            read_loaded(j, r);
        else if (ta_str_is(t.text, "requestedMetrics"))
            read_strings(j, r, j->metrics, &j->n_metrics);
        else
            read_strings(j, r, j->scopes, &j->n_scopes);
    }
}

void recorded_job_init(struct recorded_job *out)
{
    *out = (struct recorded_job){.source = {source_begin, source_next, source_stats, source_read},
                                 .fail_metric = SIZE_MAX};
    ta_arena_init(&out->arena, &ta_heap, 64 << 20);
}

bool recorded_job_read(struct recorded_job *out, const char *path, const char *job_id)
{
    struct ta_file_source src;
    struct ta_json_reader *r = NULL;
    struct ta_json_token t;
    struct ta_file *file = NULL;
    bool is_found = false;

    recorded_job_init(out);
    if (ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, NULL) < 0)
        return false;
    ta_file_source_init(&src, file);
    if (ta_json_reader_new(&r, &src.source, NULL, &ta_heap) < 0)
        return false;
    for (ta_json_next(r, &t, NULL); ta_json_next(r, &t, NULL) > 0 && !is_end(&t);) {
        if (ta_str_is(t.text, job_id)) {
            read_job(out, r);
            is_found = true;
        } else {
            ta_json_skip(r, NULL);
        }
    }
    ta_json_reader_free(r);
    (void)ta_close(&file, NULL);
    return is_found;
}

void recorded_job_done(struct recorded_job *job)
{
    ta_arena_done(&job->arena);
}

/* ---- the rest ----------------------------------------------------------------------------------- */

struct ta_str recorded_file(struct ta_arena *arena, const char *path)
{
    struct ta_file *file = NULL;
    char whole[256];
    char *at = ta_arena_get(arena, 1 << 20);

    snprintf(whole, sizeof(whole), "tests/data/archiver/archive/%s", path);
    assert_non_null(at);
    assert_int_equal(ta_open(&ta_vfs_posix, whole, TA_OPEN_READ, 0, &file, NULL), TA_OK);
    int64_t n = ta_pread_full(file, at, 1 << 20, 0, NULL);
    assert_true(n > 0);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
    return (struct ta_str){at, (size_t)n};
}

struct ta_job recorded_meta(struct ta_arena *arena, const char *path)
{
    struct ta_job job = {0};

    assert_int_equal(
        ta_job_read_text(&job, recorded_file(arena, path), true, arena, &ta_heap, NULL), TA_OK);
    return job;
}

struct ta_cluster *recorded_cluster(const char *name)
{
    struct ta_cluster *cluster = NULL;
    struct ta_mem_source src;
    struct ta_arena arena;
    char path[128];

    ta_arena_init(&arena, &ta_heap, 4 << 20);
    snprintf(path, sizeof(path), "%s/cluster.json", name);
    struct ta_str text = recorded_file(&arena, path);
    ta_mem_source_init(&src, text.at, text.len, 0);
    assert_int_equal(ta_cluster_new(&cluster, &src.source, &ta_heap, NULL), TA_OK);
    ta_arena_done(&arena);
    return cluster;
}
