/* job_call_machine.c - what a node says of itself, kept as a file and given back as it came (spec: archiver
 * 3.1): DIRECTORY/CLUSTER/HOST.json.
 *
 * Only for hosts that a cluster's file has, so that clients make no more files than there are hosts; their
 * names are checked before they become part of a path. A file is replaced in one step.
 */
#include "app/job_call_int.h"
#include "jobs/backend.h"
#include "query/cluster.h"

#include <stdio.h>

enum { PATH_ROOM = 4096 + 2 * TA_BACKEND_NAME_MAX + 16 };

struct place {
    char dir[PATH_ROOM], file[PATH_ROOM], temp[PATH_ROOM];
};

/* "CLUSTER/HOST" of the path. False: refused. */
static bool find_place(struct ta_job_call *c, struct place *out)
{
    const char *slash = memchr(c->rest.at, '/', c->rest.len);
    size_t n = slash ? (size_t)(slash - c->rest.at) : c->rest.len;
    struct ta_str name = {c->rest.at, n}, host = {c->rest.at + n, c->rest.len - n};
    const struct ta_cluster *cluster = job_cluster(c, name);

    if (slash)
        host = (struct ta_str){host.at + 1, host.len - 1};
    if (!cluster || !ta_backend_is_name(name))
        job_refuse(c, 400, "no such cluster: %.*s", TA_STR_FMT(name));
    else if (!ta_backend_is_name(host) || !ta_cluster_of_host(cluster, host))
        job_refuse(c, 400, "no such host of cluster %.*s: %.*s", TA_STR_FMT(name),
                   TA_STR_FMT(host));
    else {
        const char *dir = c->place->machine_dir;

        snprintf(out->dir, PATH_ROOM, "%.4096s/%.*s", dir, TA_STR_FMT(name));
        snprintf(out->file, PATH_ROOM, "%.4096s/%.*s/%.*s.json", dir, TA_STR_FMT(name),
                 TA_STR_FMT(host));
        snprintf(out->temp, PATH_ROOM, "%.4096s/%.*s/.%.*s.new", dir, TA_STR_FMT(name),
                 TA_STR_FMT(host));
        return true;
    }
    return false;
}

static int write_file(const struct place *p, struct ta_str text, struct ta_err *err)
{
    struct ta_vfs *vfs = &ta_vfs_posix;
    struct ta_file *file = NULL;
    int r = ta_mkdir_all(vfs, p->dir, 0755, err);

    if (r >= 0)
        r = ta_open(vfs, p->temp,
                    TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE | TA_OPEN_NOFOLLOW, 0644,
                    &file, err);
    if (r < 0)
        return r;
    if (text.len)
        r = ta_pwrite_full(file, text.at, text.len, 0, err);
    if (r >= 0)
        r = ta_sync(file, err);
    int closed = ta_close(&file, r < 0 ? NULL : err);
    r = r < 0 ? r : closed;
    if (r >= 0)
        r = vfs->rename(vfs, p->temp, p->file, err);
    if (r < 0)
        (void)vfs->unlink(vfs, p->temp, NULL); /* the next one overwrites it */
    return r < 0 ? r : vfs->sync_dir(vfs, p->dir, err);
}

void job_call_put_machine(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_err why = {0};
    struct place place;

    (void)r; /* no matter of the database */
    if (!find_place(c, &place))
        return;

    int e = write_file(&place, ta_buf_view(&c->body), &why);

    if (e < 0)
        job_fail(c, e, "keeping the state of a machine failed", &why);
    else
        c->status = 201;
}

/* The answer is the file itself, which a later one replaces and does not change. */
void job_call_get_machine(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_err why = {0};
    struct place place;

    (void)r; /* no matter of the database */
    if (!find_place(c, &place))
        return;

    int e = ta_open(&ta_vfs_posix, place.file, TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, &c->file, &why);

    if (e >= 0)
        e = c->file->ops->size(c->file, &c->file_bytes, &why);
    if (e == TA_ENOTFOUND) {
        job_refuse(c, 404, "the state of this machine is not known");
    } else if (e < 0) {
        c->file_bytes = 0;
        job_fail(c, e, "reading the state of a machine failed", &why);
    } else {
        c->status = 200;
        c->content_type = "application/json";
    }
}
