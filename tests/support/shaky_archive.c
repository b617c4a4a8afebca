/* shaky_archive.c - see shaky_archive.h. */
#include "shaky_archive.h"

#include "io/vfs_fault.h"
#include "sql_fault.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

enum { SILENT_MS = 20 }; /* how long an answer is waited for that does not come */

static const char *folder;
static struct s3_server server;
static struct ta_vfs_fault files;
static bool is_faulty; /* what is opened meets the fault */
static bool is_silent; /* and that is an answer that does not come */

void shaky_start(const char *dir)
{
    folder = dir;
    s3_server_start(&server);
    sql_fault_arm(-1, false);
}

void shaky_stop(void)
{
    s3_server_stop(&server);
}

struct s3_server *shaky_server(void)
{
    return &server;
}

struct ta_vfs *shaky_files(void)
{
    return is_faulty ? &files.vfs : &ta_vfs_posix;
}

struct ta_sql_options shaky_database(const char *path)
{
    return (struct ta_sql_options){.path = path,
                                   .vfs = is_faulty ? SQL_FAULT_VFS : NULL,
                                   .cache_bytes = 256 << 10,
                                   .busy_timeout_ms = 100};
}

int shaky_open_client(struct archive *a)
{
    static char endpoint[64]; /* the client borrows it */

    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", server.port);
    const struct ta_s3_conf conf = {.endpoint = endpoint,
                                    .bucket = a->name,
                                    .keys = {.access = "a", .secret = "s", .region = "r"},
                                    .http = {.total_ms = is_silent ? SILENT_MS : 30000},
                                    .clock = &ta_clock_system,
                                    .wait_max_ms = 1};
    return ta_s3_new(&a->s3, &conf, &ta_heap, NULL);
}

int shaky_open(struct archive *a)
{
    const struct ta_backend_options options = {.may_create = true};
    char path[160], spool[160];

    a->backend = NULL;
    a->s3 = NULL;
    snprintf(path, sizeof(path), "%s/%s", folder, a->name);
    snprintf(spool, sizeof(spool), "%s/%s.spool", folder, a->name);
    if (a->form == BUCKET) {
        int r = shaky_open_client(a);
        return r < 0 ? r
                     : ta_backend_open_s3(&a->backend, a->s3, a->name, shaky_files(), spool,
                                          &options, &ta_heap, NULL);
    }
    if (a->form == FILES)
        return ta_backend_open_files(&a->backend, shaky_files(), path, &options, &ta_heap, NULL);
    const struct ta_sql_options sql = shaky_database(path);
    return ta_backend_open_sqlite(&a->backend, &sql, &ta_clock_system, &options, &ta_heap, NULL);
}

void shaky_close(struct archive *a)
{
    ta_backend_close(a->backend);
    ta_s3_free(a->s3);
    a->backend = NULL;
    a->s3 = NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void shaky_wipe(const struct archive *a)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".spool"};
    char path[160];

    for (size_t i = 0; i < TA_COUNT(ends); i++) {
        snprintf(path, sizeof(path), "%s/%s%s", folder, a->name, ends[i]);
        (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    s3_server_clear(&server);
}

void shaky_path(char path[160], const char *name)
{
    snprintf(path, 160, "%s/%s", folder, name);
}

void shaky_arm(enum shaky_trouble trouble, long n, bool for_good)
{
    is_faulty = true;
    is_silent = trouble == WITH_REQUESTS + S3_SILENT;
    ta_vfs_fault_init(&files, &ta_vfs_posix, &ta_heap);
    files.kinds = TA_FAULT_ALL;
    files.sys = ENOSPC;
    files.left = trouble == WITH_FILES ? n : -1;
    files.for_good = for_good;
    sql_fault_arm(trouble == WITH_SQL ? n : -1, for_good);
    s3_server_arm(&server, trouble >= WITH_REQUESTS ? n : -1,
                  (enum s3_fault)(trouble >= WITH_REQUESTS ? trouble - WITH_REQUESTS : 0),
                  for_good);
}

bool shaky_disarm(void)
{
    bool hit = files.hit || sql_fault_hit() || s3_server_hit(&server);

    is_faulty = is_silent = false;
    sql_fault_arm(-1, false);
    s3_server_arm(&server, -1, S3_RESET, false);
    return hit;
}
