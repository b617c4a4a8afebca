/* archive_site.c - see archive_site.h. */
#include "archive_site.h"

#include "feed.h"
#include "jobs/schema.h"

#include <dirent.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static const char cluster_json[] =
    "{\"name\":\"c\",\"metricConfig\":["
    "{\"name\":\"load\",\"unit\":{\"base\":\"\"},\"scope\":\"node\",\"timestep\":60,\"footprint\":"
    "\"avg\"},"
    "{\"name\":\"flops_any\",\"unit\":{\"base\":\"F/s\",\"prefix\":\"G\"},\"scope\":\"hwthread\","
    "\"timestep\":60},"
    "{\"name\":\"power\",\"unit\":{\"base\":\"W\"},\"scope\":\"node\",\"timestep\":60,\"energy\":"
    "\"power\"},"
    "{\"name\":\"acc_util\",\"unit\":{\"base\":\"\"},\"scope\":\"accelerator\",\"timestep\":60},"
    "{\"name\":\"never\",\"unit\":{\"base\":\"B\"},\"scope\":\"node\",\"timestep\":60,"
    "\"footprint\":\"max\"}],"
    "\"subClusters\":[{\"name\":\"main\",\"nodes\":\"n[1-9],n[10-64]\",\"topology\":{\"node\":[0,1,"
    "2,3],\"socket\":[[0,1],[2,3]],\"memoryDomain\":[[0,1,2,3]],\"core\":[[0,1],[2,3]],"
    "\"accelerators\":[{\"id\":\"g0\"},{\"id\":\"g1\"}]}}]}";

static void feed(struct archive_site *s, int host, int minute)
{
    int64_t t = SITE_START_S + 60 * (int64_t)minute, now = SITE_START_S + 86400 * 30;
    char name[16], type[24];

    snprintf(name, sizeof(name), "n%d", host + 1);
    assert_int_equal(feed_sample(s->store, "c", name, "load", "", "", t, host + minute % 7, now),
                     0);
    assert_int_equal(feed_sample(s->store, "c", name, "power", "", "", t, 250 + host, now), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(type, sizeof(type), "hwthread%d", i);
        feed_sample(s->store, "c", name, "flops_any", type, "", t, 10 * host + i, now);
    }
    for (int i = 0; i < 2; i++) {
        snprintf(type, sizeof(type), "acceleratorg%d", i);
        feed_sample(s->store, "c", name, "acc_util", type, "", t, 50 + i, now);
    }
}

void archive_site_open(struct archive_site *s, int hosts, int minutes)
{
    struct ta_job_schema_options schema = {0};
    struct ta_mem_source src;

    *s = (struct archive_site){0};
    snprintf(s->dir, sizeof(s->dir), "%s/tarn-archiver-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->database, sizeof(s->database), "%s/job.db", s->dir);
    snprintf(s->archive, sizeof(s->archive), "%s/archive", s->dir);
    assert_int_equal(mkdir(s->archive, 0700), 0);
    s->store = feed_store(&ta_heap, "load 60 none,power 60 none,flops_any 60 sum,acc_util 60 avg,"
                                    "never 60 none");
    assert_non_null(s->store);
    for (int h = 0; h < hosts; h++)
        for (int m = 0; m < minutes; m++)
            feed(s, h, m);
    ta_mem_source_init(&src, cluster_json, strlen(cluster_json), 0);
    assert_int_equal(ta_cluster_new(&s->cluster, &src.source, &ta_heap, NULL), TA_OK);
    s->clusters[0] = s->cluster;
    ta_clock_manual_init(&s->clock, SITE_START_S + 60 * (int64_t)minutes);
    assert_int_equal(ta_sql_open(&s->sql, &(struct ta_sql_options){.path = s->database}, NULL),
                     TA_OK);
    assert_int_equal(ta_job_schema_ready(&s->sql, &schema, NULL), TA_OK);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void archive_site_close(struct archive_site *s)
{
    ta_sql_done(&s->sql);
    ta_store_free(s->store);
    ta_cluster_free(s->cluster);
    assert_int_equal(nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int64_t archive_site_job(struct archive_site *s, int64_t job_id, int hosts, int64_t duration_s,
                         const char *state)
{
    struct ta_buf sql;
    int64_t row = 0;

    ta_buf_init(&sql, &ta_heap, 1 << 20);
    ta_buf_printf(&sql,
                  "INSERT INTO job (job_id, cluster, subcluster, start_time, hpc_user, project, "
                  "cluster_partition, array_job_id, duration, walltime, job_state, meta_data, "
                  "resources, num_nodes, num_hwthreads, num_acc, smt, shared, footprint) VALUES "
                  "(%" PRId64 ", 'c', 'main', %d, 'u', 'p', 'main', 0, %" PRId64
                  ", 3600, '%s', '{\"jobName\":\"x\"}', '[",
                  job_id, SITE_START_S, duration_s, state);
    for (int i = 0; i < hosts; i++)
        ta_buf_printf(&sql, "%s{\"hostname\":\"n%d\",\"accelerators\":[\"g0\",\"g1\"]}",
                      i ? "," : "", i + 1);
    assert_int_equal(ta_buf_printf(&sql, "]', %d, %d, %d, 1, 'none', 'null') RETURNING id", hosts,
                                   4 * hosts, 2 * hosts) < 0,
                     false);
    assert_int_equal(ta_buf_byte(&sql, 0), TA_OK);
    assert_int_equal(ta_sql_i64(&s->sql, sql.at, &row, NULL), TA_OK);
    ta_buf_done(&sql);
    return row;
}

int archive_site_backend(void *self, struct ta_backend **out, struct ta_alloc *alloc,
                         struct ta_err *err)
{
    struct archive_site *s = self;
    const struct ta_backend_options options = {.may_create = true};

    return ta_backend_open_files(out, &ta_vfs_posix, s->archive, &options, alloc, err);
}

struct ta_archiver_conf archive_site_conf(struct archive_site *s)
{
    return (struct ta_archiver_conf){.database = {.path = s->database, .cache_bytes = 256 << 10},
                                     .store = s->store,
                                     .clusters = s->clusters,
                                     .n_clusters = 1,
                                     .open_backend = archive_site_backend,
                                     .self = s,
                                     .vfs = &ta_vfs_posix,
                                     .spool_dir = s->dir,
                                     .rules = {.load = {.core_nodes_max = 8}},
                                     .hook = {.timeout_ms = 60000},
                                     .workers = 2,
                                     .attempts = 3,
                                     .clock = &s->clock.clock,
                                     .alloc = &ta_heap};
}

int64_t archive_site_ask(struct archive_site *s, const char *sql)
{
    int64_t v = -1;

    assert_int_equal(ta_sql_i64(&s->sql, sql, &v, NULL), TA_OK);
    return v;
}

void archive_site_wait(struct archive_site *s, const char *sql, int64_t want)
{
    for (int i = 0; i < 12000; i++) {
        if (archive_site_ask(s, sql) == want)
            return;
        usleep(10000);
    }
    fail_msg("%s: %" PRId64 ", not %" PRId64, sql, archive_site_ask(s, sql), want);
}

const char *archive_site_read(struct archive_site *s, int64_t job_id, const char *name)
{
    static char text[4 << 20];
    char path[256];

    snprintf(path, sizeof(path), "%s/c/%" PRId64 "/%03" PRId64 "/%d/%s", s->archive, job_id / 1000,
             job_id % 1000, SITE_START_S, name);
    text[0] = 0;
    if (access(path, F_OK) < 0)
        return text;
    gzFile f = gzopen(path, "rb"); /* takes plain files as they are */
    assert_non_null(f);
    int n = gzread(f, text, sizeof(text) - 1);
    assert_true(n >= 0);
    assert_int_equal(gzclose(f), Z_OK);
    text[n] = 0;
    return text;
}
