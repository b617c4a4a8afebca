#include "retention_site.h"

#include "jobs/job_parquet_read.h"
#include "jobs/schema.h"
#include "sql_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static char dir[64], database[96];
char rs_list[96];

const char *rs_cluster_of(unsigned i)
{
    return i % 3 ? "fritz" : "alex";
}

struct ta_job_address rs_address_of(unsigned i)
{
    return (struct ta_job_address){ta_str(rs_cluster_of(i)), 1000 + i, START + i * 100};
}

bool rs_must_stay(unsigned i, enum ta_job_tag_rule rule)
{
    return i >= 30 || i == 5 || i == 6 || i == 7 || (i == 8 && rule != TA_JOBS_ALL) ||
           (i == 9 && rule == TA_JOBS_UNTAGGED);
}

void rs_put_job(struct ta_backend *to, unsigned i)
{
    const struct ta_job_address address = rs_address_of(i);
    struct ta_mem_source source;
    char meta[512], data[64];

    snprintf(meta, sizeof(meta),
             "{\"cluster\":\"%s\",\"subCluster\":\"main\",\"jobId\":%u,\"startTime\":%u,"
             "\"user\":\"u\",\"project\":\"p\",\"jobState\":\"completed\",\"shared\":\"none\","
             "\"resources\":[{\"hostname\":\"n%u\"}],\"statistics\":{},\"duration\":60,"
             "\"numNodes\":1}\n",
             rs_cluster_of(i), 1000 + i, START + i * 100, i);
    int n = snprintf(data, sizeof(data), "{\"job\":%u}", i);
    ta_mem_source_init(&source, data, (size_t)n, 0);
    assert_int_equal(
        ta_backend_put(to, &address,
                       &(struct ta_backend_data){&source.source, (uint64_t)n, i % 2 == 0},
                       ta_str(meta), false, NULL),
        TA_OK);
}

void rs_open_database(struct retention_site *s)
{
    const struct ta_sql_options options = {.path = database, .vfs = SQL_FAULT_VFS};

    assert_int_equal(ta_sql_open(&s->sql, &options, NULL), TA_OK);
}

static void fill_database(struct retention_site *s)
{
    const struct ta_job_schema_options options = {.may_upgrade = true};
    char text[1024];

    assert_int_equal(ta_job_schema_ready(&s->sql, &options, NULL), TA_OK);
    snprintf(text, sizeof(text),
             "PRAGMA synchronous = OFF; BEGIN; INSERT INTO tag (id, tag_type, tag_name) VALUES (1, "
             "'note', 'keep'), (2, 'app', 'vasp');"
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d - 1)"
             "INSERT INTO job (id, job_id, cluster, subcluster, start_time, hpc_user, project, "
             "duration, walltime, job_state, resources, num_nodes, shared, monitoring_status) "
             "SELECT i + 1, 1000 + i, CASE WHEN i %% 3 THEN 'fritz' ELSE 'alex' END, 'main', "
             "%d + i * 100, 'u', 'p', 60, 60, CASE i WHEN 5 THEN 'running' ELSE 'completed' END, "
             "'[]', 1, 'none', CASE i WHEN 6 THEN 1 ELSE 3 END FROM n;"
             "INSERT INTO jobtag (job_id, tag_id) VALUES (9, 1), (10, 2); COMMIT;",
             JOBS, START);
    assert_int_equal(ta_sql_run(&s->sql, text, NULL), TA_OK);
}

void rs_open_archives(struct retention_site *s)
{
    const struct ta_backend_options options = {.may_create = true};

    assert_int_equal(
        ta_backend_open_files(&s->archive, &s->fault.vfs, "/jobs", &options, &ta_heap, NULL),
        TA_OK);
    assert_int_equal(
        ta_backend_open_files(&s->target, &s->fault.vfs, "/copy", &options, &ta_heap, NULL), TA_OK);
    s->conf.archive = s->archive;
}

static void drop_database(void)
{
    const char *suffixes[] = {"", "-wal", "-shm"};
    char path[128];

    for (size_t i = 0; i < TA_COUNT(suffixes); i++) {
        snprintf(path, sizeof(path), "%s%s", database, suffixes[i]);
        unlink(path);
        snprintf(path, sizeof(path), "%s%s", rs_list, suffixes[i]);
        unlink(path);
    }
}

void rs_init(struct retention_site *s, enum ta_job_policy policy)
{
    memset(s, 0, sizeof(*s));
    sql_fault_arm(-1, false);
    drop_database();
    rs_open_database(s);
    fill_database(s);
    assert_int_equal(ta_vfs_mem_init(&s->mem, &ta_heap), TA_OK);
    ta_vfs_fault_init(&s->fault, &s->mem.vfs, &ta_heap);
    s->fault.left = -1;
    s->fault.sys = 28;
    assert_int_equal(ta_mkdir_all(&s->mem.vfs, "/out", 0755, NULL), TA_OK);
    assert_int_equal(ta_mkdir_all(&s->mem.vfs, "/state", 0755, NULL), TA_OK);
    ta_arc_place_dir_init(&s->place, &s->fault.vfs, "/out", 0750);
    s->conf = (struct ta_job_retention){.sql = &s->sql,
                                        .policy = policy,
                                        .cutoff_s = CUTOFF,
                                        .alloc = &ta_heap,
                                        .parquet = {.vfs = &s->fault.vfs,
                                                    .alloc = &ta_heap,
                                                    .place = &s->place.place,
                                                    .state = "/state",
                                                    .date = "2026-11-28"}};
    rs_open_archives(s);
    for (unsigned i = 0; i < JOBS; i++)
        if (i != 7)
            rs_put_job(s->archive, i);
}

void rs_done(struct retention_site *s)
{
    ta_backend_close(s->archive);
    ta_backend_close(s->target);
    ta_sql_done(&s->sql);
    ta_vfs_mem_done(&s->mem);
}

unsigned rs_in_files[JOBS];

void rs_inflate_text(struct ta_str packed, char *out, size_t room)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)packed.at,
                  .avail_in = (unsigned)packed.len,
                  .next_out = (unsigned char *)out,
                  .avail_out = (unsigned)room - 1};

    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    out[z.total_out] = 0;
    inflateEnd(&z);
}

static void see_file(struct ta_vfs *vfs, const char *path)
{
    struct ta_job_parquet_reader *r;
    struct ta_file *file;
    struct ta_job job;
    struct ta_str data;
    int e;

    assert_int_equal(ta_open(vfs, path, TA_OPEN_READ, 0, &file, NULL), TA_OK);
    assert_int_equal(ta_job_parquet_open(&r, file, 0, &ta_heap, NULL), TA_OK);
    while ((e = ta_job_parquet_next(r, &job, &data, NULL)) > 0) {
        unsigned i = (unsigned)(job.job_id - 1000);
        char wanted[64], found[64];
        snprintf(wanted, sizeof(wanted), "{\"job\":%u}", i);
        if (i % 2) /* it was plain */
            rs_inflate_text(data, found, sizeof(found));
        else
            snprintf(found, sizeof(found), "%.*s", (int)data.len, data.at);
        assert_string_equal(found, wanted);
        assert_int_equal(job.start_time, START + i * 100);
        assert_true(ta_str_is(job.cluster, rs_cluster_of(i)));
        rs_in_files[i]++;
    }
    assert_int_equal(e, 0);
    ta_job_parquet_close(r);
    ta_close(&file, NULL);
}

unsigned rs_see_files(struct ta_vfs *vfs)
{
    static const char *const clusters[] = {"alex", "fritz"};
    unsigned n = 0;

    memset(rs_in_files, 0, sizeof(rs_in_files));
    for (size_t c = 0; c < TA_COUNT(clusters); c++) {
        struct ta_dir *listing;
        struct ta_dirent entry;
        char path[512];
        snprintf(path, sizeof(path), "/out/%s", clusters[c]);
        if (vfs->open_dir(vfs, path, &listing, NULL) < 0)
            continue;
        while (listing->ops->next(listing, &entry, NULL) > 0) {
            if (!strstr(entry.name, ".parquet"))
                continue;
            snprintf(path, sizeof(path), "/out/%s/%s", clusters[c], entry.name);
            see_file(vfs, path);
            n++;
        }
        listing->ops->close(listing);
    }
    return n;
}

bool rs_has_row(struct retention_site *s, unsigned i)
{
    char text[128];
    int64_t n = 0;

    snprintf(text, sizeof(text), "SELECT count(*) FROM job WHERE job_id = %u", 1000 + i);
    assert_int_equal(ta_sql_i64(&s->sql, text, &n, NULL), TA_OK);
    return n == 1;
}

bool rs_has_job(struct ta_backend *b, unsigned i)
{
    const struct ta_job_address address = rs_address_of(i);
    int r = ta_backend_exists(b, &address, NULL);

    assert_true(r >= 0);
    return r;
}

void rs_assert_moved_to_files(struct retention_site *s, enum ta_job_tag_rule rule)
{
    rs_see_files(&s->mem.vfs);
    for (unsigned i = 0; i < JOBS; i++) {
        bool stays = rs_must_stay(i, rule);
        assert_int_equal(rs_in_files[i], !stays);
        assert_int_equal(rs_has_job(s->archive, i), stays && i != 7);
        assert_int_equal(rs_has_row(s, i), stays);
    }
}

void rs_assert_copied_to_files(struct retention_site *s)
{
    rs_see_files(&s->mem.vfs);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(rs_in_files[i], !rs_must_stay(i, s->conf.tags));
        assert_true(rs_has_row(s, i));
        assert_int_equal(rs_has_job(s->archive, i), i != 7);
    }
}

int rs_make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/tarn-retention-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(database, sizeof(database), "%s/job.db", dir);
    snprintf(rs_list, sizeof(rs_list), "%s/copied.db", dir);
    return 0;
}

int rs_drop_dir(void **state)
{
    (void)state;
    drop_database();
    return rmdir(dir);
}
