/* job_retention_copy.c - the jobs of a cluster into another archive, one by one, each read back and compared. */
#define XXH_STATIC_LINKING_ONLY /* for XXH64_state_t in a struct */

#include "jobs/job_retention_int.h"

#include <xxhash.h>

enum { PIECE = 16 * 1024 };

/* A source that hashes what it gives. */
struct hashing {
    struct ta_source source;
    struct ta_source *from;
    XXH64_state_t hash;
};

static int64_t read_hashed(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct hashing *h = TA_CONTAINER(self, struct hashing, source);
    int64_t got = h->from->read(h->from, buf, n, err);

    if (got > 0)
        XXH64_update(&h->hash, buf, (size_t)got);
    return got;
}

static void hashing_init(struct hashing *h, struct ta_source *from)
{
    h->source.read = read_hashed;
    h->from = from;
    XXH64_reset(&h->hash, 0);
}

/* The hash of a job's data as they are stored; no data at all have the hash of nothing. */
static int hash_data(struct ta_backend *b, const struct ta_job_address *job, uint64_t *out,
                     struct ta_err *err)
{
    unsigned char piece[PIECE];
    struct ta_backend_data data;
    struct ta_err why = {0};
    struct hashing h;
    int64_t n = 0;

    hashing_init(&h, NULL);
    int e = ta_backend_open_data(b, job, &data, &why);
    if (e >= 0) {
        h.from = data.source;
        while ((n = h.source.read(&h.source, piece, sizeof(piece), err)) > 0)
            ;
        ta_backend_close_data(b);
    } else if (e != TA_ENOTFOUND) {
        n = ta_fail(err, e, "%s", why.text);
    }
    *out = XXH64_digest(&h.hash);
    return n < 0 ? (int)n : TA_OK;
}

static int put(struct retention *r, const struct ta_job_address *job, uint64_t *hash,
               struct ta_err *err)
{
    const struct ta_job_retention *conf = r->conf;
    struct ta_mem_source nothing;
    struct ta_backend_data data;
    struct ta_err why = {0};
    struct hashing h;

    int e = ta_backend_open_data(conf->archive, job, &data, &why);
    bool is_open = e >= 0;
    if (e == TA_ENOTFOUND) {
        ta_mem_source_init(&nothing, "", 0, 0);
        data = (struct ta_backend_data){.source = &nothing.source};
    } else if (e < 0) {
        return ta_fail(err, e, "%s", why.text);
    }
    hashing_init(&h, data.source);
    data.source = &h.source;
    e = ta_backend_put(conf->to, job, &data, ta_buf_view(&r->meta), false, err);
    if (is_open)
        ta_backend_close_data(conf->archive);
    *hash = XXH64_digest(&h.hash);
    return e;
}

/* TA_ENOTFOUND: the archive has none such. A job that the target has already must be the same. */
static int copy_job(struct retention *r, const struct retained_job *old, struct ta_err *err)
{
    const struct ta_job_address job = retention_address(r, old);
    struct ta_backend *from = r->conf->archive;
    struct ta_backend *to = r->conf->to;
    uint64_t wanted = 0;
    uint64_t found = 0;

    int e = ta_backend_read_meta(from, &job, &r->meta, err);
    if (e < 0)
        return e;
    e = ta_backend_exists(to, &job, err);
    if (e == 0)
        e = put(r, &job, &wanted, err);
    else if (e > 0)
        e = hash_data(from, &job, &wanted, err);
    if (e >= 0)
        e = ta_backend_read_meta(to, &job, &r->again, err);
    if (e >= 0)
        e = hash_data(to, &job, &found, err);
    if (e < 0)
        return e == TA_ENOTFOUND ? TA_EIO : e;
    if (found != wanted || !ta_str_eq(ta_buf_view(&r->meta), ta_buf_view(&r->again)))
        return ta_fail(err, TA_EEXIST, "%s has another job of this id and start", to->name);
    return TA_OK;
}

static int copy_cluster(struct retention *r, struct ta_err *err)
{
    struct ta_str cluster = ta_str(r->cluster);
    struct ta_err why = {0};
    int e = ta_backend_read_cluster(r->conf->archive, cluster, &r->meta, &why);

    if (e == TA_ENOTFOUND)
        return TA_OK;
    if (e < 0)
        return ta_fail(err, e, "%s", why.text);
    return ta_backend_put_cluster(r->conf->to, cluster, ta_buf_view(&r->meta), err);
}

/* 1 = a job that the archive does not have was moved by a run that failed or died before it had removed all. */
static int was_moved(struct retention *r, const struct retained_job *old, struct ta_err *err)
{
    const struct ta_job_address job = retention_address(r, old);

    return r->conf->policy == TA_JOBS_MOVE ? ta_backend_exists(r->conf->to, &job, err) : 0;
}

int retention_to_archive(struct retention *r, struct ta_err *err)
{
    struct retained_job last = {0};
    int e = copy_cluster(r, err);

    while (e >= 0) {
        struct ta_err why = {0};
        e = retention_stopped(r, err);
        if (e >= 0)
            e = retention_next(r, &last, err);
        if (e <= 0)
            return e;
        int copied = copy_job(r, &last, &why);
        bool is_absent = copied == TA_ENOTFOUND;
        if (is_absent)
            copied = was_moved(r, &last, &why);
        if (copied < 0) {
            retention_failed(r, &last, &why);
            continue;
        }
        if (is_absent && copied == 0) {
            r->out->absent++;
            continue;
        }
        r->out->copied += !is_absent;
        if (r->conf->policy == TA_JOBS_MOVE)
            e = retention_remove(r, &last, 1, err);
        else if (r->copied.sql)
            e = retention_note_copied(r, &last, 1, err);
    }
    return e;
}
