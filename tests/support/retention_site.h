/* retention_site.h - a job database, an archive of 40 jobs in a memory file system, and where they may go. */
#ifndef TESTS_RETENTION_SITE_H
#define TESTS_RETENTION_SITE_H

#include "io/vfs_fault.h"
#include "io/vfs_mem.h"
#include "jobs/job_retention.h"

enum { JOBS = 40, START = 1700000000, CUTOFF = START + 30 * 100 };

struct retention_site {
    struct ta_vfs_mem mem;
    struct ta_vfs_fault fault;
    struct ta_arc_place_dir place;
    struct ta_sql sql;
    struct ta_backend *archive, *target;
    struct ta_job_retention conf;
};

/* The path of a list of copies; removed with the database. */
extern char rs_list[96];
/* How often job i stands in Parquet files, with the data that it had: after rs_see_files. */
extern unsigned rs_in_files[JOBS];

/* Of a group of tests: the directory of the databases. */
int rs_make_dir(void **state);
int rs_drop_dir(void **state);

void rs_init(struct retention_site *s, enum ta_job_policy policy);
void rs_done(struct retention_site *s);
void rs_open_database(struct retention_site *s);
void rs_open_archives(struct retention_site *s);

const char *rs_cluster_of(unsigned i);
struct ta_job_address rs_address_of(unsigned i);
/* What becomes of job i: 5 runs, 6 waits for the archiver, 7 is in no archive; 8 has a user's tag, 9 an application's. */
bool rs_must_stay(unsigned i, enum ta_job_tag_rule rule);
void rs_put_job(struct ta_backend *to, unsigned i);

/* Reads all Parquet files; how many there are. */
unsigned rs_see_files(struct ta_vfs *vfs);
void rs_inflate_text(struct ta_str packed, char *out, size_t room);
bool rs_has_row(struct retention_site *s, unsigned i);
bool rs_has_job(struct ta_backend *b, unsigned i);
void rs_assert_moved_to_files(struct retention_site *s, enum ta_job_tag_rule rule);
/* Each job that may be copied stands in one file, and nothing is gone. */
void rs_assert_copied_to_files(struct retention_site *s);

#endif
