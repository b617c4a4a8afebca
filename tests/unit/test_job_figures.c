/* Which scopes a job is archived at, its statistics, footprint and energy, and the time series of
 * minimum, median and maximum over its series: against recordings of the reference. */
#include "jobs/job_load.h"
#include "jobs/stat_series.h"
#include "recorded_job.h"

#include "base/rand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct ta_arena arena;
static struct recorded_job recorded;

static int set_up(void **state)
{
    (void)state;
    ta_arena_init(&arena, &ta_heap, 16 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ta_arena_done(&arena);
    return 0;
}

static const struct {
    const char *id, *cluster, *meta;
    const char *footprint, *energy_footprint;
    double energy;
} jobs[] = {
    {"5001", "fritz", "fritz/5/001/1700000000/meta.json",
     "{\"cpu_load_avg\":1.05,\"flops_any_avg\":1050.62,\"mem_bw_avg\":10.42,\"mem_used_max\":227."
     "59}",
     "{\"cpu_power\":4.41,\"mem_power\":43.87}", 48.28},
    {"6001", "alex", "alex/6/001/1700000200/meta.json",
     "{\"acc_utilization_avg\":61.83,\"cpu_load_avg\":0.57,\"flops_any_avg\":620.62,\"mem_bw_avg\":"
     "6042.59,\"mem_used_max\":99.06}",
     "{\"acc_power\":1.15,\"core_power\":0,\"cpu_power\":0.09}", 1.24},
    {"9002", "fritz", "fritz/9/002/1700000300/meta.json",
     "{\"cpu_load_avg\":0.57,\"flops_any_avg\":0,\"mem_bw_avg\":0,\"mem_used_max\":99.06}",
     "{\"cpu_power\":0,\"mem_power\":0}", 0},
};

static const char *member(const struct ta_job *job, enum ta_job_key key)
{
    struct ta_json_writer w;
    struct ta_buf buf;

    ta_buf_init(&buf, &arena.alloc, 64 << 10);
    ta_json_writer_init(&w, &buf);
    assert_true(ta_job_write_member(&w, job, key) >= 0);
    assert_int_equal(ta_buf_byte(&buf, 0), TA_OK);
    return buf.at;
}

static int set_figures(struct ta_job *job, const struct ta_cluster *cluster, bool is_compat)
{
    const struct ta_cluster_metric **metrics = ta_metrics_by_name(cluster, &arena);
    struct ta_job_tally *tallies = ta_arena_get(&arena, cluster->n_metrics * sizeof(*tallies));
    struct ta_job_load load = {.source = &recorded.source,
                               .job = job,
                               .metrics = metrics,
                               .n_metrics = cluster->n_metrics,
                               .rules = {8, is_compat},
                               .alloc = &ta_heap};

    assert_int_equal(ta_job_tally_nodes(&load, tallies, NULL), TA_OK);
    return ta_job_set_figures(job, metrics, tallies, cluster->n_metrics,
                              &(struct ta_figure_rules){is_compat}, &arena);
}

static void statistics_footprint_and_energy_are_those_of_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < TA_COUNT(jobs); i++) {
        struct ta_cluster *cluster = recorded_cluster(jobs[i].cluster);
        struct ta_job job = recorded_meta(&arena, jobs[i].meta);
        const char *want = member(&job, TA_JOB_STATISTICS);
        assert_true(recorded_job_read(&recorded, RECORDED_LOADED, jobs[i].id));

        assert_int_equal(set_figures(&job, cluster, true), TA_OK);

        assert_string_equal(member(&job, TA_JOB_STATISTICS), want);
        assert_string_equal(member(&job, TA_JOB_FOOTPRINT), jobs[i].footprint);
        assert_string_equal(member(&job, TA_JOB_ENERGY_FOOTPRINT), jobs[i].energy_footprint);
        assert_true(job.energy == jobs[i].energy);
        recorded_job_done(&recorded);
        ta_cluster_free(cluster);
    }
}

static void what_is_not_known_is_no_zero(void **state)
{
    struct ta_cluster *cluster = recorded_cluster("fritz");
    struct ta_job job = recorded_meta(&arena, "fritz/9/002/1700000300/meta.json");

    (void)state;
    assert_true(recorded_job_read(&recorded, RECORDED_LOADED, "9002"));
    assert_int_equal(set_figures(&job, cluster, false), TA_OK);
    assert_string_equal(member(&job, TA_JOB_FOOTPRINT),
                        "{\"cpu_load_avg\":0.57,\"mem_used_max\":99.06}");
    assert_string_equal(member(&job, TA_JOB_ENERGY_FOOTPRINT), "{}");
    recorded_job_done(&recorded);
    ta_cluster_free(cluster);
}

static void counters_of_energy_are_summed_up(void **state)
{
    struct ta_cluster_metric joules = {.name = TA_STR("pkg_energy"),
                                       .unit = {TA_STR("J"), TA_STR("K")},
                                       .scope = TA_SCOPE_NODE,
                                       .timestep_s = 60,
                                       .energy = TA_STR("energy")};
    const struct ta_cluster_metric *metrics[] = {&joules};
    struct ta_job job = {.num_nodes = 2, .duration = 3600};
    struct ta_job_tally tally;

    (void)state;
    /* Two nodes of 36 kJ a minute for an hour: 4.32 MJ = 1.2 kWh. */
    ta_job_tally_init(&tally);
    tally.has_samples = true;
    ta_job_tally_add(&tally, (struct ta_stats){36, 30, 40});
    ta_job_tally_add(&tally, (struct ta_stats){36, 30, 40});
    assert_int_equal(
        ta_job_set_figures(&job, metrics, &tally, 1, &(struct ta_figure_rules){false}, &arena),
        TA_OK);
    assert_true(job.energy == 1.2);
    assert_int_equal(
        ta_job_set_figures(&job, metrics, &tally, 1, &(struct ta_figure_rules){true}, &arena),
        TA_OK);
    assert_true(job.energy == 0);
}

/* ---- scopes ------------------------------------------------------------------------------------ */

static const char *scopes(enum ta_scope native, int64_t nodes, int64_t accelerators, bool is_compat)
{
    static char text[128];
    const struct ta_cluster_metric m = {.name = TA_STR("m"), .scope = native, .timestep_s = 60};
    enum ta_scope at[TA_LOAD_SCOPES_MAX];
    size_t n = ta_load_scopes(&m, TA_STR("main"), nodes, accelerators,
                              &(struct ta_load_rules){8, is_compat}, at);

    text[0] = 0;
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
                 ta_scope_name(at[i]));
    return text;
}

static void scopes_follow_the_native_one_and_the_size_of_the_job(void **state)
{
    (void)state;
    assert_string_equal(scopes(TA_SCOPE_NODE, 1, 0, false), "node");
    assert_string_equal(scopes(TA_SCOPE_SOCKET, 8, 0, false), "node socket");
    assert_string_equal(scopes(TA_SCOPE_MEMORY_DOMAIN, 8, 0, false), "memoryDomain node");
    assert_string_equal(scopes(TA_SCOPE_HWTHREAD, 8, 0, false), "core node");
    assert_string_equal(scopes(TA_SCOPE_HWTHREAD, 9, 0, false), "node");
    assert_string_equal(scopes(TA_SCOPE_SOCKET, 9, 0, false), "node");
    assert_string_equal(scopes(TA_SCOPE_ACCELERATOR, 1, 0, false), "");
    assert_string_equal(scopes(TA_SCOPE_ACCELERATOR, 1, 2, false), "accelerator node");
    assert_string_equal(scopes(TA_SCOPE_HWTHREAD, 1, 2, false), "core node");
}

static void only_the_compatible_mode_gives_processors_the_scope_of_accelerators(void **state)
{
    (void)state;
    assert_string_equal(scopes(TA_SCOPE_HWTHREAD, 1, 2, true), "core hwthread node");
    assert_string_equal(scopes(TA_SCOPE_SOCKET, 64, 2, true), "node socket");
    assert_string_equal(scopes(TA_SCOPE_SOCKET, 64, 2, false), "node");
    assert_string_equal(scopes(TA_SCOPE_HWTHREAD, 64, 0, true), "node");
}

static const char *asked(enum ta_scope native, const char *metric, int64_t accelerators,
                         unsigned scopes)
{
    static char text[128];
    const struct ta_cluster_metric m = {.name = ta_str(metric), .scope = native, .timestep_s = 60};
    enum ta_scope at[TA_LOAD_SCOPES_MAX];
    size_t n = ta_load_asked_scopes(&m, TA_STR("main"), accelerators, scopes, at);

    text[0] = 0;
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
                 ta_scope_name(at[i]));
    return text;
}

static void who_asks_gets_the_scopes_that_can_be_had(void **state)
{
    const unsigned node = TA_SCOPE_BIT(TA_SCOPE_NODE), core = TA_SCOPE_BIT(TA_SCOPE_CORE);

    (void)state;
    assert_string_equal(asked(TA_SCOPE_NODE, "m", 0, core), "node");
    assert_string_equal(asked(TA_SCOPE_SOCKET, "m", 0, core), "socket");
    assert_string_equal(asked(TA_SCOPE_SOCKET, "m", 0, core | node), "node socket");
    assert_string_equal(asked(TA_SCOPE_HWTHREAD, "m", 0, core), "core");
    assert_string_equal(asked(TA_SCOPE_HWTHREAD, "mem_bw", 0, core), "core node");
    assert_string_equal(asked(TA_SCOPE_ACCELERATOR, "m", 0, node), "");
    assert_string_equal(asked(TA_SCOPE_ACCELERATOR, "m", 2, node), "node");
    assert_string_equal(asked(TA_SCOPE_ACCELERATOR, "m", 2, core), "accelerator node");
    assert_string_equal(asked(TA_SCOPE_HWTHREAD, "m", 2, 127),
                        "core hwthread memoryDomain node socket");
}

static void a_resolution_counts_where_it_fits(void **state)
{
    (void)state;
    assert_int_equal(ta_load_resolution(600, 60), 600);
    assert_int_equal(ta_load_resolution(60, 60), 0);
    assert_int_equal(ta_load_resolution(90, 60), 0);
    assert_int_equal(ta_load_resolution(0, 60), 0);
    assert_int_equal(ta_load_resolution(600, 0), 0);
}

static bool has_recorded(struct ta_str metric, enum ta_scope scope)
{
    for (size_t i = 0; i < recorded.n_series; i++)
        if (ta_str_eq(recorded.series[i].metric, metric) &&
            ta_scope_parse(recorded.series[i].scope) == scope)
            return true;
    return false;
}

static void the_reference_asked_for_the_same_scopes(void **state)
{
    struct ta_cluster *cluster = recorded_cluster("alex");
    enum ta_scope at[TA_LOAD_SCOPES_MAX];
    size_t n_scopes = 0, n_recorded = 0;

    (void)state;
    assert_true(recorded_job_read(&recorded, RECORDED_LOADED, "6001"));
    for (size_t m = 0; m < cluster->n_metrics; m++) {
        size_t n = ta_load_scopes(&cluster->metrics[m], TA_STR("a40"), 1, 2,
                                  &(struct ta_load_rules){8, true}, at);
        n_scopes += n;
        for (size_t i = 0; i < n; i++)
            assert_true(has_recorded(cluster->metrics[m].name, at[i]));
    }
    for (size_t i = 0; i < recorded.n_series; i++)
        n_recorded += i == 0 ||
                      !ta_str_eq(recorded.series[i].metric, recorded.series[i - 1].metric) ||
                      !ta_str_eq(recorded.series[i].scope, recorded.series[i - 1].scope);
    assert_int_equal(n_scopes, n_recorded);
    recorded_job_done(&recorded);
    ta_cluster_free(cluster);
}

/* ---- minimum, median, maximum ------------------------------------------------------------------ */

/* n series of `steps` values, some of them missing, some series shorter. */
static void make_series(size_t n, size_t steps, uint64_t seed)
{
    struct ta_rand rand = {seed};

    recorded_job_init(&recorded);
    recorded.n_series = n;
    for (size_t i = 0; i < n; i++) {
        struct recorded_series *s = &recorded.series[i];

        *s = (struct recorded_series){.metric = TA_STR("m"),
                                      .scope = TA_STR("node"),
                                      .timestep_s = 60,
                                      .n = i % 5 == 4 ? steps - steps / 10 : steps};
        s->data = ta_arena_get(&recorded.arena, steps * sizeof(double));
        for (size_t t = 0; t < steps; t++)
            s->data[t] = ta_rand_u64(&rand) % 4 == 0 ? NAN : (double)(ta_rand_u64(&rand) % 50);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void naive(size_t t, size_t shortest, double out[TA_STATS])
{
    double v[RECORDED_SERIES_MAX];
    size_t n = 0;

    out[TA_STAT_MIN] = out[TA_STAT_MEDIAN] = out[TA_STAT_MAX] = NAN;
    for (size_t i = 0; t < shortest && i < recorded.n_series; i++)
        if (!isnan(recorded.series[i].data[t]))
            v[n++] = recorded.series[i].data[t];
    if (n < 3)
        return;
    qsort(v, n, sizeof(*v), by_value);
    out[TA_STAT_MIN] = v[0];
    out[TA_STAT_MAX] = v[n - 1];
    out[TA_STAT_MEDIAN] = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void steps_have_the_extremes_and_the_median_of_their_samples(void **state)
{
    const size_t counts[] = {8, 9, 33, 300};

    (void)state;
    for (size_t c = 0; c < TA_COUNT(counts); c++) {
        struct ta_stat_series s;
        struct ta_survey survey;
        const double *v;
        double want[TA_STATS];

        make_series(counts[c], 500, c + 1);
        assert_int_equal(ta_survey(&recorded.source, TA_STR("m"), TA_SCOPE_NODE, &survey, NULL), 0);
        assert_int_equal(survey.n_series, counts[c]);
        assert_int_equal(survey.shortest, 450);
        assert_int_equal(ta_stat_series_init(&s, &recorded.source, TA_STR("m"), TA_SCOPE_NODE,
                                             &survey, false, &ta_heap, NULL),
                         TA_OK);
        for (int which = 0; which < TA_STATS; which++)
            for (size_t t = 0; t < 500; t++) {
                naive(t, survey.shortest, want);
                assert_int_equal(ta_stat_series_read(&s, (enum ta_step_stat)which, t, 1, &v, NULL),
                                 1);
                assert_true(isnan(want[which]) ? isnan(*v) : *v == want[which]);
            }
        assert_int_equal(ta_stat_series_read(&s, TA_STAT_MIN, 500, 1, &v, NULL), 0);
        ta_stat_series_done(&s);
        recorded_job_done(&recorded);
    }
}

static void a_long_job_is_done_block_by_block_in_the_same_memory(void **state)
{
    struct ta_budget budget;
    struct ta_stat_series s;
    struct ta_survey survey;
    const double *v;
    double want[TA_STATS];

    (void)state;
    make_series(8, 3 * TA_STAT_BLOCK / 2, 7);
    ta_budget_init(&budget, "statistics", 20 << 20, &ta_heap);
    assert_int_equal(ta_survey(&recorded.source, TA_STR("m"), TA_SCOPE_NODE, &survey, NULL), 0);
    assert_int_equal(ta_stat_series_init(&s, &recorded.source, TA_STR("m"), TA_SCOPE_NODE, &survey,
                                         false, &budget.alloc, NULL),
                     TA_OK);
    for (int which = 0; which < TA_STATS; which++) {
        int64_t n;

        for (size_t at = 0;
             (n = ta_stat_series_read(&s, (enum ta_step_stat)which, at, 1000, &v, NULL)) > 0;
             at += (size_t)n) {
            naive(at, survey.shortest, want);
            assert_true(isnan(want[which]) ? isnan(*v) : *v == want[which]);
        }
        assert_int_equal(n, 0);
    }
    ta_stat_series_done(&s);
    recorded_job_done(&recorded);
    assert_int_equal(ta_budget_used(&budget), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_footprint_and_energy_are_those_of_the_reference),
        cmocka_unit_test(what_is_not_known_is_no_zero),
        cmocka_unit_test(counters_of_energy_are_summed_up),
        cmocka_unit_test(scopes_follow_the_native_one_and_the_size_of_the_job),
        cmocka_unit_test(who_asks_gets_the_scopes_that_can_be_had),
        cmocka_unit_test(a_resolution_counts_where_it_fits),
        cmocka_unit_test(only_the_compatible_mode_gives_processors_the_scope_of_accelerators),
        cmocka_unit_test(the_reference_asked_for_the_same_scopes),
        cmocka_unit_test(steps_have_the_extremes_and_the_median_of_their_samples),
        cmocka_unit_test(a_long_job_is_done_block_by_block_in_the_same_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
