#include "persist/vault.h"

static int open_log(struct ta_vault *d, struct ta_err *err)
{
    const struct ta_vault_conf *c = &d->conf;
    struct ta_wal_conf conf = {.vfs = c->vfs,
                               .dir = d->dir.log,
                               .alloc = c->alloc,
                               .clock = c->clock,
                               .report = c->report,
                               .listener = c->listener,
                               .durability = c->durability,
                               .sync_interval_ms = c->sync_interval_ms,
                               .buffer_bytes = c->buffer_bytes,
                               .segment_bytes = c->segment_bytes,
                               .retry_ms = c->retry_ms,
                               .seed = c->seed};

    ta_recover_log_begin(d->recover, &conf);
    return ta_wal_open(&d->wal, &conf, err);
}

int ta_vault_open(struct ta_vault *d, const struct ta_vault_conf *conf, struct ta_err *err)
{
    *d = (struct ta_vault){.conf = *conf};
    int r = ta_data_dir_open(&d->dir, conf->vfs, conf->root, err);

    if (r == TA_OK) {
        struct ta_recover_conf recover = {.store = conf->store,
                                          .dir = &d->dir,
                                          .alloc = conf->alloc,
                                          .clock = conf->clock,
                                          .retention_s = conf->retention_s,
                                          .is_protected = conf->is_protected,
                                          .protector = conf->protector,
                                          .n_workers = conf->n_workers,
                                          .report = conf->report};
        r = ta_recover_new(&d->recover, &recover, err);
    }
    if (r == TA_OK)
        r = open_log(d, err);
    if (r < 0) {
        (void)ta_vault_close(d, NULL); /* the reason is told already */
        return r;
    }
    ta_wal_journal_init(&d->journal, d->wal);
    ta_gate_init(&d->gate, &d->journal.journal);
    return TA_OK;
}

static enum ta_recover_phase phase_of(const struct ta_vault *d)
{
    struct ta_recover_state state;

    ta_recover_state(d->recover, &state);
    return state.phase;
}

int ta_vault_load(struct ta_vault *d, const _Atomic bool *stop, struct ta_err *err)
{
    int r = TA_OK;

    if (phase_of(d) != TA_PHASE_SETTLE)
        r = ta_recover_run(d->recover, stop, err);
    if (r == TA_OK)
        r = ta_recover_settle(d->recover, d->wal, &d->gate, err);
    return r;
}

void ta_vault_state(const struct ta_vault *d, struct ta_recover_state *out)
{
    ta_recover_state(d->recover, out);
}

/* How far a slot's centre may lie behind a time stamp in it: half a slot of the slowest metric. */
static int64_t slot_reach(struct ta_store *s)
{
    struct ta_metrics *m = ta_store_metrics(s);
    int64_t slowest_s = ta_metrics_slowest_s(m);

    ta_metrics_unref(m);
    return slowest_s;
}

int ta_vault_checkpoint(struct ta_vault *d, int64_t boundary_s, unsigned n_workers,
                        const _Atomic bool *stop, struct ta_checkpoint_counts *counts,
                        struct ta_err *err)
{
    struct ta_checkpoint_conf conf = {.store = d->conf.store,
                                      .vfs = d->conf.vfs,
                                      .root = d->conf.root,
                                      .format = d->conf.format,
                                      .alloc = d->conf.alloc};
    uint64_t cut = 0;

    if (n_workers == 0)
        n_workers = d->conf.n_workers ? d->conf.n_workers : 1;

    if (phase_of(d) != TA_PHASE_DONE)
        return ta_fail(err, TA_ESTATE, "no checkpoint before everything is loaded");
    int r = ta_wal_cut(d->wal, &cut, err);
    if (r == TA_OK)
        r = ta_checkpoint_run(&conf, boundary_s, n_workers, stop, counts, err);
    if (r < 0)
        return r;
    /* Not behind the cut: what came during the run may lie before the boundary and in no file. */
    uint64_t keep = cut;
    if (boundary_s != TA_CHECKPOINT_ALL) {
        uint64_t needed = ta_wal_first_needed(d->wal, boundary_s, slot_reach(d->conf.store));
        keep = needed < cut ? needed : cut;
    }
    r = ta_wal_drop(d->wal, keep, err);
    int h = ta_recover_hand_over(d->recover, boundary_s, err);
    return r < 0 ? r : h < 0 ? h : TA_OK;
}

int ta_vault_close(struct ta_vault *d, struct ta_err *err)
{
    int r = ta_wal_close(d->wal, err);

    ta_recover_free(d->recover);
    ta_data_dir_close(&d->dir);
    d->wal = NULL;
    d->recover = NULL;
    return r;
}
