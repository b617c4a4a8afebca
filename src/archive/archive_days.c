/* archive_days.c - the Hive layout: a cluster's rows day by day.
 *
 * Only one output is open at a time: for each day all hosts are visited, and of their files those that reach
 * into it. Finished outputs wait under their temporary names; one record publishes all of them and lets the
 * sources go. A host that fails spoils what was written of it: the cluster is begun anew without it.
 */
#include "archive/archive_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { DAY_S = 86400, DAYS_MAX = 40000 };

struct days {
    struct ta_archive_run *run;
    const struct ta_str *hosts;
    size_t n_hosts;
    bool *skip;
    unsigned first_output; /* number of this attempt's first temporary file */
    bool has_sources;
};

static int64_t floor_day(int64_t t_s)
{
    int64_t d = t_s / DAY_S - (t_s % DAY_S < 0);

    return d * DAY_S;
}

static int find_range(struct days *d, struct ta_archive_window *range)
{
    *range = (struct ta_archive_window){INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < d->n_hosts; i++) {
        struct ta_err why = {0};
        if (d->skip[i] || ta_archive_range(d->run, d->hosts[i], range, &why) >= 0)
            continue;
        ta_archive_note_host(d->run, d->hosts[i], &why);
        d->skip[i] = true;
    }
    return range->from_s <= range->to_s;
}

/* Temporary files of this attempt, finished or not. */
static void give_up(struct days *d)
{
    struct ta_archive_run *run = d->run;
    char path[TA_PATH_MAX + 32];

    ta_arc_output_end(&run->output, false);
    ta_arc_journal_done(&run->journal);
    for (unsigned i = d->first_output; i < run->n_outputs; i++) {
        snprintf(path, sizeof(path), "%s/out-%u.tmp", run->state, i);
        (void)run->conf->vfs->unlink(run->conf->vfs, path, NULL); /* else the next run does it */
    }
}

static int finish_output(struct days *d, const char *folder, unsigned *next, struct ta_err *err)
{
    struct ta_archive_run *run = d->run;
    char name[TA_PATH_MAX];

    int r = ta_arc_output_finish(&run->output, ta_str(run->cluster), err);
    if (r < 0)
        return r;
    bool has_rows = run->output.rows > 0;
    if (has_rows) {
        r = ta_archive_name(run, folder, next, name, err);
        if (r >= 0)
            r = ta_arc_journal_output(&run->journal, run->output.temporary, name, err);
        run->result->done.bytes_out += run->output.bytes;
    }
    ta_arc_output_end(&run->output, has_rows);
    return r;
}

/* One day. 1 = a host failed and the cluster must be begun anew. */
static int archive_day(struct days *d, int64_t day_s, bool is_last, struct ta_err *err)
{
    const struct ta_archive_window window = {day_s, day_s + DAY_S};
    struct ta_archive_run *run = d->run;
    char folder[TA_PATH_MAX];
    time_t t = (time_t)day_s;
    struct tm tm;
    unsigned next = 1;
    int r = TA_OK;

    gmtime_r(&t, &tm);
    snprintf(folder, sizeof(folder), "cluster=%s/date=%04d-%02d-%02d", run->cluster,
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    for (size_t i = 0; i < d->n_hosts; i++) {
        struct ta_err why = {0};
        if (d->skip[i])
            continue;
        if (!run->output.conf)
            r = ta_arc_output_begin(&run->output, &run->output_conf, run->n_outputs++, err);
        if (r < 0)
            return r;
        r = ta_archive_host(run, d->hosts[i], &window, &d->has_sources, &why);
        if (r == TA_ECANCELED || run->is_output_broken)
            return ta_fail(err, r, "%s", why.text);
        if (r < 0) {
            ta_archive_note_host(run, d->hosts[i], &why);
            d->skip[i] = true;
            return 1;
        }
        if (ta_arc_output_is_full(&run->output))
            r = finish_output(d, folder, &next, err);
        if (r < 0)
            return r;
        if (is_last) {
            run->result->done.hosts_done++;
            ta_archive_tell(run);
        }
    }
    return run->output.conf ? finish_output(d, folder, &next, err) : TA_OK;
}

static int attempt(struct days *d, struct ta_err *err)
{
    struct ta_archive_run *run = d->run;
    struct ta_archive_window range;

    d->first_output = run->n_outputs;
    d->has_sources = false;
    run->is_output_spoilt = false;
    if (!find_range(d, &range))
        return TA_OK;
    int64_t day_s = floor_day(range.from_s - TA_ARCHIVE_SLACK_S);
    int64_t end_s = floor_day(range.to_s + TA_ARCHIVE_SLACK_S) + DAY_S;
    if ((end_s - day_s) / DAY_S > DAYS_MAX)
        return ta_fail(err, TA_ERANGE, "checkpoints span more than %d days", DAYS_MAX);
    int r =
        ta_arc_journal_begin(&run->journal, run->conf->vfs, run->state, &run->budget.alloc, err);
    for (; r == TA_OK && day_s < end_s; day_s += DAY_S)
        r = archive_day(d, day_s, day_s + DAY_S == end_s, err);
    if (r == TA_OK && d->has_sources)
        r = ta_archive_commit(run, err);
    return r;
}

int ta_archive_by_days(struct ta_archive_run *run, const struct ta_str *hosts, size_t n_hosts,
                       bool *skip, struct ta_err *err)
{
    struct days d = {.run = run, .hosts = hosts, .n_hosts = n_hosts, .skip = skip};
    const struct ta_archive_progress before = run->result->done;
    int r;

    while ((r = attempt(&d, err)) == 1) {
        give_up(&d);
        run->result->done = before;
    }
    if (run->is_stuck) {
        ta_arc_output_end(&run->output, false); /* the record names the others: they stay */
        ta_arc_journal_done(&run->journal);
    } else {
        give_up(&d);
    }
    return r;
}
