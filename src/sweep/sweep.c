#include "sweep/sweep.h"

#include "sweep/sweep_int.h"

enum { NAME_MAX_BYTES = 512 };

bool ta_is_workflow_name(struct ta_str name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!is_plain)
            return false;
    }
    return true;
}

struct listing {
    struct ta_id_spool *names;
    struct ta_hash_set seen;
    uint64_t n_refused;
};

static int take_name(void *self, struct ta_str name, struct ta_err *err)
{
    struct listing *l = self;

    if (!ta_is_workflow_name(name)) {
        l->n_refused++;
        return TA_OK;
    }
    int r = ta_hash_set_add(&l->seen, name);
    if (r <= 0)
        return r < 0 ? ta_fail(err, r, "filter against doubled names") : TA_OK;
    return ta_id_spool_add(l->names, name, err);
}

/* A status whose listing fails is left out whole; the number of those that did not fail. */
static int list_all(const struct ta_sweep_conf *conf, struct listing *l,
                    struct ta_sweep_report *report)
{
    int n_listed = 0;

    for (size_t i = 0; i < TA_SWEPT_STATUSES; i++) {
        const char *status = ta_swept_statuses[i];
        struct ta_id_mark before = ta_id_spool_mark(l->names);
        struct ta_err err = {0};
        int r = ta_services_list(conf->services, status, take_name, l, &err);
        if (r == TA_OK) {
            n_listed++;
            continue;
        }
        ta_id_spool_cut(l->names, before);
        report->lists_failed++;
        ta_report_error(report, "listing of %s failed: %.120s", status, err.text);
        ta_logf(conf->log, TA_LOG_ERROR, "listing of %s failed: %s", status, err.text);
    }
    if (l->n_refused)
        ta_logf(conf->log, TA_LOG_WARN, "%llu listed names are no names of workflows",
                (unsigned long long)l->n_refused);
    return n_listed;
}

static void begin(const struct ta_sweep_conf *conf, struct ta_sweep_report *report)
{
    *report = (struct ta_sweep_report){.start_s = ta_now_s(conf->clock)};
}

static int end(const struct ta_sweep_conf *conf, struct ta_sweep_gauges *gauges, int64_t since_ns,
               int r, struct ta_sweep_report *report, struct ta_err *err)
{
    report->end_s = ta_now_s(conf->clock);
    report->seconds = (double)(ta_mono_ns(conf->clock) - since_ns) / 1e9;
    report->was_skipped = r == TA_EAGAIN;
    atomic_fetch_add(&gauges->cycles, 1);
    return r < 0 ? ta_fail(err, r, "%.300s", report->error) : TA_OK;
}

/* Locks first: without them nothing may be written. */
static int sweep(const struct ta_sweep_conf *conf, struct ta_id_spool *names,
                 struct ta_sweep_gauges *gauges, struct ta_sweep_report *report)
{
    struct ta_lock_set *locks;
    struct ta_err err = {0};
    int r = ta_locks_get(conf->locks, 0, &locks, &err);

    report->listed = names->n;
    if (r < 0) {
        ta_report_error(report, "cycle skipped: %.300s", err.text);
        ta_logf(conf->log, TA_LOG_ERROR, "cycle skipped: %s", err.text);
        return r == TA_ECANCELED ? r : TA_EAGAIN;
    }
    ta_locks_give_back(conf->locks, locks);
    return ta_sweep_chunks(conf, names, gauges, report);
}

int ta_sweep_cycle(const struct ta_sweep_conf *conf, struct ta_sweep_gauges *gauges,
                   struct ta_sweep_report *report, struct ta_err *err)
{
    int64_t since_ns = ta_mono_ns(conf->clock);
    struct ta_id_spool names;
    struct listing listing = {.names = &names};
    int r = TA_EAGAIN;

    begin(conf, report);
    ta_id_spool_init(&names, conf->vfs, conf->temp_dir, 0, conf->alloc);
    ta_hash_set_init(&listing.seen, conf->seed, conf->alloc);
    if (list_all(conf, &listing, report) > 0)
        r = sweep(conf, &names, gauges, report);
    ta_hash_set_done(&listing.seen);
    ta_id_spool_done(&names);
    return end(conf, gauges, since_ns, r, report, err);
}

int ta_sweep_names(const struct ta_sweep_conf *conf, struct ta_id_spool *names,
                   struct ta_sweep_gauges *gauges, struct ta_sweep_report *report,
                   struct ta_err *err)
{
    int64_t since_ns = ta_mono_ns(conf->clock);

    begin(conf, report);
    return end(conf, gauges, since_ns, sweep(conf, names, gauges, report), report, err);
}
