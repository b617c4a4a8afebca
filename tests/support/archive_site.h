/* archive_site.h - a store with some metrics, a job database and an archive of files: what an archiver
 * works between.
 *
 * Cluster "c" with subcluster "main": hosts n1..n64, four threads and two accelerators each. Metrics:
 * load (node, footprint avg), flops_any (hwthread), power (node, energy), acc_util (accelerator), and
 * never (node), of which there are no samples.
 */
#ifndef TESTS_ARCHIVE_SITE_H
#define TESTS_ARCHIVE_SITE_H

#include "jobs/archive_queue.h"
#include "jobs/archiver.h"

enum { SITE_START_S = 1700000040, SITE_HOSTS_MAX = 64 };

struct archive_site {
    char dir[64], database[96], archive[96];
    struct ta_store *store;
    struct ta_cluster *cluster;
    const struct ta_cluster *clusters[1];
    struct ta_clock_manual clock;
    struct ta_sql sql; /* of the test */
};

/* Makes all of it in a directory of its own; samples of `minutes` minutes from SITE_START_S on. The clock
 * stands at their end. */
void archive_site_open(struct archive_site *s, int hosts, int minutes);
void archive_site_close(struct archive_site *s);

/* A finished job of the first `hosts` hosts over all the samples. Returns its row. */
int64_t archive_site_job(struct archive_site *s, int64_t job_id, int hosts, int64_t duration_s,
                         const char *state);
/* An opener of the archive, for an archiver. */
int archive_site_backend(void *self, struct ta_backend **out, struct ta_alloc *alloc,
                         struct ta_err *err);
/* What an archiver needs; two workers, three attempts, retries at once. */
struct ta_archiver_conf archive_site_conf(struct archive_site *s);
int64_t archive_site_ask(struct archive_site *s, const char *sql);
/* Waits until the statement gives `want`; fails the test after two minutes. */
void archive_site_wait(struct archive_site *s, const char *sql, int64_t want);
/* The job's file; empty when there is none. In a static buffer. */
const char *archive_site_read(struct archive_site *s, int64_t job_id, const char *name);

#endif
