/* bench_jobs - states of nodes out of the job database into Parquet.
 *
 * Method: a database on disk with NODES nodes and, all told, argv[1] states (default 2,000,000), a minute apart,
 * written node after node in the order of time as reports come in. The export alone (rows read in the file's order,
 * encoded, compressed, listed for the deletion; no sync), CPU time of the process; then the whole move of what is
 * left: export, read back, publish, delete. Anonymous memory is RssAnon of the process, at its highest in a probe
 * every 2^16 rows of the export and after it.
 */
#include "jobs/node_parquet.h"
#include "jobs/node_retention.h"
#include "jobs/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NODES = 1500 };

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int r, const struct ta_err *err)
{
    if (r >= 0)
        return;
    fprintf(stderr, "bench_jobs: %s\n", err->text);
    exit(1);
}

static unsigned long anonymous_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    unsigned long kib = 0;
    char line[256];

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "RssAnon: %lu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static void fill(struct ta_sql *sql, unsigned long states, struct ta_err *err)
{
    char text[2048];

    snprintf(
        text, sizeof(text),
        "BEGIN;"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d - 1)"
        "INSERT INTO node SELECT i + 1, printf('n%%04d', i), 'fritz', 'main', NULL FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %lu - 1)"
        "INSERT INTO node_state SELECT i + 1, 1700000000 + i / %d * 60, i %% 5, i * 7 %% 129, "
        "i * 31 %% 257 * 1024, i %% 4, CASE i * 13 %% 7 WHEN 0 THEN 'idle' WHEN 1 THEN 'mixed' "
        "ELSE 'allocated' END, CASE i * 11 %% 23 WHEN 0 THEN 'partial' ELSE 'full' END,"
        "CASE i * 11 %% 23 WHEN 0 THEN '{\"degraded\":[],\"missing\":[\"m' || (i %% 9) || '\"]}' "
        "ELSE "
        "'{\"degraded\":[],\"missing\":[]}' END, i %% %d + 1 FROM n; COMMIT;",
        NODES, states, NODES, NODES);
    must(ta_sql_run(sql, text, err), err);
}

/* A sink that counts. */
static int count_write(struct ta_sink *self, const void *buf, size_t n, struct ta_err *err)
{
    (void)self;
    (void)buf;
    (void)n;
    (void)err;
    return TA_OK;
}

static void export_alone(struct ta_sql *sql, const char *dir, struct ta_err *err)
{
    struct ta_sink sink = {count_write};
    struct ta_moved_rows moved;
    struct ta_pq_writer *writer;
    struct ta_node_export e = {
        .sql = sql, .moved = &moved, .cutoff_s = INT64_MAX, .bytes_max = UINT64_MAX};

    must(ta_moved_rows_begin(&moved, &ta_vfs_posix, dir, &ta_heap, err), err);
    double begin = cpu_s();
    must(ta_pq_writer_new(&writer, &ta_node_parquet_schema, &ta_node_parquet_options, &sink,
                          &ta_heap, err),
         err);
    e.writer = writer;
    must(ta_node_export(&e, err), err);
    must(ta_pq_writer_finish(writer, err), err);
    double took = cpu_s() - begin;
    printf("node states, export alone: %.0f rows/s per core (%llu rows, %.1f bytes a row)\n",
           (double)e.rows / took, (unsigned long long)e.rows,
           (double)ta_pq_writer_bytes(writer) / (double)e.rows);
    printf("node states, anonymous memory: %.1f MiB (goal 24)\n", (double)anonymous_kib() / 1024);
    ta_pq_writer_free(writer);
    ta_moved_rows_done(&moved);
}

static void move(struct ta_sql *sql, const char *dir, struct ta_err *err)
{
    struct ta_arc_place_dir place;
    struct ta_node_retained done;

    ta_arc_place_dir_init(&place, &ta_vfs_posix, dir, 0750);
    const struct ta_node_retention conf = {.sql = sql,
                                           .cutoff_s = INT64_MAX,
                                           .vfs = &ta_vfs_posix,
                                           .alloc = &ta_heap,
                                           .place = &place.place,
                                           .state = dir,
                                           .date = "2026-11-28"};
    double begin = cpu_s();
    must(ta_node_states_move(&conf, &done, err), err);
    printf("node states, moved and deleted: %.0f rows/s per core (%llu rows in %llu files)\n",
           (double)done.deleted / (cpu_s() - begin), (unsigned long long)done.deleted,
           (unsigned long long)done.files);
    printf("node states, anonymous memory after moving: %.1f MiB\n",
           (double)anonymous_kib() / 1024);
}

int main(int argc, char **argv)
{
    const struct ta_job_schema_options schema = {.may_upgrade = true};
    unsigned long states = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    char dir[] = "/tmp/tarn-bench-XXXXXX";
    char path[128];
    struct ta_err err = {0};
    struct ta_sql sql;

    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/job.db", dir);
    const struct ta_sql_options options = {.path = path};
    const struct ta_sql_options large = {.path = path, .cache_bytes = GiB};
    /* A process of its own fills it, so that its cache is not counted with ours. */
    pid_t child = fork();
    if (child == 0) {
        must(ta_sql_open(&sql, &large, &err), &err);
        must(ta_sql_run(&sql, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", &err), &err);
        must(ta_job_schema_ready(&sql, &schema, &err), &err);
        fill(&sql, states, &err);
        ta_sql_done(&sql);
        _exit(0);
    }
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        return 1;
    must(ta_sql_open(&sql, &options, &err), &err);
    export_alone(&sql, dir, &err);
    if (argc > 2)
        move(&sql, dir, &err);
    ta_sql_done(&sql);
    snprintf(path, sizeof(path), "rm -r %s", dir);
    return system(path) != 0;
}
