#include "sweep/locks.h"

void ta_locks_init(struct ta_locks *l, struct ta_services *services, double shrink_guard,
                   uint64_t seed, struct ta_clock *clock, struct ta_log *log,
                   struct ta_alloc *alloc)
{
    *l = (struct ta_locks){.services = services,
                           .clock = clock,
                           .log = log,
                           .alloc = alloc,
                           .shrink_guard = shrink_guard,
                           .seed = seed};
    (void)pthread_mutex_init(&l->lock, NULL); /* fills a struct: cannot fail here */
}

void ta_locks_give_back(struct ta_locks *l, struct ta_lock_set *set)
{
    if (set && atomic_fetch_sub(&set->users, 1) == 1) {
        ta_hash_set_done(&set->names);
        ta_release(l->alloc, set, sizeof(*set));
    }
}

void ta_locks_done(struct ta_locks *l)
{
    if (!l->alloc)
        return;
    ta_locks_give_back(l, l->now);
    pthread_mutex_destroy(&l->lock);
    *l = (struct ta_locks){0};
}

static int add(void *self, struct ta_str name, struct ta_err *err)
{
    int r = ta_hash_set_add(self, name);

    return r < 0 ? ta_fail(err, r, "set of locked names") : TA_OK;
}

/* Both lists; *n_global counts the distinct names of the first. */
static int fetch(struct ta_locks *l, struct ta_lock_set **out, size_t *n_global, struct ta_err *err)
{
    struct ta_lock_set *set = ta_alloc_zero(l->alloc, 1, sizeof(*set));

    if (!set)
        return ta_fail(err, TA_ENOMEM, "set of locked names");
    atomic_store(&set->users, 1);
    ta_hash_set_init(&set->names, l->seed, l->alloc);
    int r = ta_services_global_locks(l->services, add, &set->names, err);
    *n_global = set->names.n;
    if (r == TA_OK)
        r = ta_services_parent_locks(l->services, add, &set->names, err);
    if (r < 0) {
        ta_locks_give_back(l, set);
        return r;
    }
    *out = set;
    return TA_OK;
}

static bool has_shrunk(const struct ta_locks *l, size_t n, size_t before)
{
    return n == 0 ? before > 0 : (double)n < l->shrink_guard * (double)before;
}

/* May this number of locks be believed? */
static bool is_credible(struct ta_locks *l, size_t n)
{
    bool is_suspicious = n == 0 || (l->has_last && has_shrunk(l, n, l->last));

    if (is_suspicious && l->has_last && l->last == 0 && n == 0)
        is_suspicious = false; /* it was empty before, and believed */
    if (is_suspicious && !(l->has_suspect && !has_shrunk(l, n, l->suspect))) {
        l->has_suspect = true;
        l->suspect = n;
        return false;
    }
    l->has_suspect = false;
    l->has_last = true;
    l->last = n;
    return true;
}

static int refresh(struct ta_locks *l, struct ta_err *err)
{
    struct ta_lock_set *set = NULL;
    size_t n = 0;
    int r = fetch(l, &set, &n, err);

    ta_locks_give_back(l, l->now);
    l->now = NULL;
    if (r < 0)
        return ta_fail_context(err, r, "locks: ");
    bool was_first = !l->has_last && !l->has_suspect;
    if (!is_credible(l, n)) {
        ta_logf(l->log, TA_LOG_CRIT, "locks: %zu global locks, %zu before: not believed yet", n,
                l->last);
        ta_locks_give_back(l, set);
        if (was_first) /* nothing to compare with: a second look decides */
            return refresh(l, err);
        return ta_fail(err, TA_EAGAIN, "locks: %zu global locks after %zu are suspicious", n,
                       l->last);
    }
    l->now = set;
    l->fetched_mono_ns = ta_mono_ns(l->clock);
    return TA_OK;
}

int ta_locks_get(struct ta_locks *l, int64_t max_age_ns, struct ta_lock_set **out,
                 struct ta_err *err)
{
    int r = TA_OK;

    pthread_mutex_lock(&l->lock);
    if (!l->now || max_age_ns == 0 || ta_mono_ns(l->clock) - l->fetched_mono_ns > max_age_ns)
        r = refresh(l, err);
    if (r == TA_OK) {
        atomic_fetch_add(&l->now->users, 1);
        *out = l->now;
    }
    pthread_mutex_unlock(&l->lock);
    return r;
}
