#include "app/job_desk.h"

static void *run(void *self)
{
    struct ta_desk_line *l = self;

    pthread_mutex_lock(&l->lock);
    for (;;) {
        struct ta_desk_item *item = l->first;

        if (!item && l->is_stopping)
            break;
        if (!item) {
            pthread_cond_wait(&l->wake, &l->lock);
            continue;
        }
        l->first = item->next;
        if (!l->first)
            l->last = &l->first;
        l->n_waiting--;
        pthread_mutex_unlock(&l->lock);
        ta_job_call_run(item->call, l->repository);
        item->done(item);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static struct ta_desk_line *line_of(struct ta_job_desk *d, enum ta_job_verb verb)
{
    if (verb == TA_JOB_DATA || verb == TA_JOB_SELECT || verb == TA_JOB_METRICS)
        return &d->data;
    return verb == TA_JOB_LIST || verb == TA_JOB_GET || verb == TA_JOB_USED_NODES ||
                   verb == TA_JOB_CLUSTERS || verb == TA_JOB_MACHINE
               ? &d->ask
               : &d->change;
}

int ta_job_desk_submit(struct ta_job_desk *d, struct ta_desk_item *item)
{
    struct ta_desk_line *l = line_of(d, item->call->verb);
    int r = TA_OK;

    pthread_mutex_lock(&l->lock);
    if (l->is_stopping)
        r = TA_ECANCELED;
    else if (l->n_waiting == TA_DESK_WAITING_MAX)
        r = TA_EAGAIN;
    if (r == TA_OK) {
        item->next = NULL;
        *l->last = item;
        l->last = &item->next;
        l->n_waiting++;
        pthread_cond_signal(&l->wake);
    }
    pthread_mutex_unlock(&l->lock);
    return r;
}

/* ---- life --------------------------------------------------------------------------------------- */

int ta_job_desk_prepare(const char *path, const struct ta_job_schema_options *schema,
                        struct ta_err *err)
{
    const struct ta_sql_options options = {.path = path};
    struct ta_sql sql = {0};
    int r = ta_sql_open(&sql, &options, err);

    if (r == TA_OK)
        r = ta_job_schema_ready(&sql, schema, err);
    ta_sql_done(&sql);
    return r < 0 ? ta_fail_context(err, r, "main.db %s: ", path) : TA_OK;
}

static void line_init(struct ta_desk_line *l)
{
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    l->last = &l->first;
}

int ta_job_desk_open(struct ta_job_desk *d, const struct ta_job_place *place,
                     const struct ta_sql_options *database,
                     const struct ta_job_schema_options *schema, struct ta_err *err)
{
    int r;

    *d = (struct ta_job_desk){.place = *place, .is_open = true};
    d->place.stop = &d->is_ending;
    d->place.counts = &d->counts;
    line_init(&d->change);
    line_init(&d->ask);
    line_init(&d->data);
    r = ta_job_desk_prepare(database->path, schema, err);
    if (r == TA_OK)
        r = ta_repository_open(&d->change.repository, database, place->alloc, err);
    if (r == TA_OK)
        r = ta_repository_open(&d->ask.repository, database, place->alloc, err);
    if (r == TA_OK)
        r = ta_repository_open(&d->data.repository, database, place->alloc, err);
    if (r < 0)
        ta_job_desk_close(d);
    return r;
}

static int line_start(struct ta_desk_line *l, struct ta_err *err)
{
    if (pthread_create(&l->thread, NULL, run, l) != 0)
        return ta_fail(err, TA_ENOMEM, "no thread for requests about jobs");
    l->is_running = true;
    return TA_OK;
}

int ta_job_desk_start(struct ta_job_desk *d, struct ta_err *err)
{
    int r = line_start(&d->change, err);

    if (r >= 0)
        r = line_start(&d->ask, err);
    return r < 0 ? r : line_start(&d->data, err);
}

static void line_stop(struct ta_desk_line *l)
{
    pthread_mutex_lock(&l->lock);
    bool was_running = l->is_running;
    l->is_stopping = true;
    l->is_running = false;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    if (was_running)
        pthread_join(l->thread, NULL);
}

void ta_job_desk_stop(struct ta_job_desk *d)
{
    if (!d->is_open)
        return;
    atomic_store(&d->is_ending, true);
    line_stop(&d->change);
    line_stop(&d->ask);
    line_stop(&d->data);
}

static void line_done(struct ta_desk_line *l)
{
    ta_repository_close(l->repository);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
}

void ta_job_desk_close(struct ta_job_desk *d)
{
    if (!d->is_open)
        return;
    ta_job_desk_stop(d);
    line_done(&d->change);
    line_done(&d->ask);
    line_done(&d->data);
    *d = (struct ta_job_desk){0};
}

void ta_job_desk_put(struct ta_job_desk *d, struct ta_exposition *e)
{
    struct {
        const char *name;
        struct ta_desk_line *line;
    } const lines[] = {{"change", &d->change}, {"ask", &d->ask}, {"data", &d->data}};

    if (!d->is_open)
        return;
    ta_job_counts_put(&d->counts, e);
    ta_expo_family(e, "tarn_job_calls_waiting", "gauge",
                   "Requests about jobs that wait for the database, by what they want.");
    for (size_t i = 0; i < TA_COUNT(lines); i++) {
        pthread_mutex_lock(&lines[i].line->lock);
        size_t n = lines[i].line->n_waiting;
        pthread_mutex_unlock(&lines[i].line->lock);
        ta_expo_u64(e, "", "line", lines[i].name, n);
    }
}
