/* shaky_archive.h - job archives of each form in one directory, one of whose calls fails.
 *
 * Calls are those on files, on SQLite databases, or requests to the server of the buckets. What is opened while
 * a trouble is armed meets it; everything else is sound. For one thread. */
#ifndef TESTS_SHAKY_ARCHIVE_H
#define TESTS_SHAKY_ARCHIVE_H

#include "jobs/backend.h"
#include "s3_server.h"

enum shaky_form { FILES, DATABASE, BUCKET, FORMS };
enum shaky_trouble { WITH_FILES, WITH_SQL, WITH_REQUESTS, TROUBLES = WITH_REQUESTS + S3_FAULTS };

struct archive {
    enum shaky_form form;
    const char *name; /* of a file, directory or bucket */
    struct ta_backend *backend;
    struct ta_s3 *s3;
};

/* Everything is in `dir`, which must stay. */
void shaky_start(const char *dir);
void shaky_stop(void);
struct s3_server *shaky_server(void);

/* The n-th call from now on fails, or all from there on. */
void shaky_arm(enum shaky_trouble trouble, long n, bool for_good);
/* All is sound again; whether a call has failed. */
bool shaky_disarm(void);

/* How to open what is no archive. */
struct ta_vfs *shaky_files(void);
struct ta_sql_options shaky_database(const char *path);
void shaky_path(char path[160], const char *name);

int shaky_open(struct archive *a);
int shaky_open_client(struct archive *a); /* only the bucket's client, a->s3 */
void shaky_close(struct archive *a);
/* With all of its files; all buckets lose theirs. */
void shaky_wipe(const struct archive *a);

#endif
