/* id_spool.h - a list of names that can be longer than memory.
 *
 * Names are appended, then read back in order, as often as wanted. Up to `memory` bytes they stay
 * in a buffer that grows with them; beyond it they go through one 64 KiB buffer into a temporary
 * file without a name, which the system forgets with the process. Each name costs its length and
 * two bytes; one of 32 lower-case hexadecimal digits costs 18 bytes.
 *
 *     u16 (little-endian)  length of the name, 1..TA_ID_MAX; bit 15: 16 raw bytes stand for 32 digits
 *     bytes
 *
 * Knows nothing of what the names are. One thread at a time.
 */
#ifndef TARN_REST_ID_SPOOL_H
#define TARN_REST_ID_SPOOL_H

#include "base/buf.h"
#include "base/err.h"
#include "io/vfs.h"

#include <stdbool.h>
#include <stdint.h>

enum { TA_ID_MAX = 1024 }; /* longest name, bytes */

struct ta_id_spool {
    struct ta_alloc *alloc;
    struct ta_vfs *vfs;
    const char *dir;      /* of the temporary file */
    size_t memory;        /* bytes kept without a file */
    struct ta_buf buf;    /* all of it, or what is not in the file yet */
    struct ta_file *file; /* NULL: all in memory */
    uint64_t file_bytes;
    uint64_t n; /* names */
};

/* Borrows vfs and dir. Takes no memory yet. memory 0: 4 MiB. */
void ta_id_spool_init(struct ta_id_spool *s, struct ta_vfs *vfs, const char *dir, size_t memory,
                      struct ta_alloc *alloc);
void ta_id_spool_done(struct ta_id_spool *s); /* fine on a zeroed struct */

/* TA_ERANGE for an empty or too long name, TA_ENOMEM, TA_EIO: the spool holds what it held. */
int ta_id_spool_add(struct ta_id_spool *s, struct ta_str name, struct ta_err *err);

/* A point of the list to which it can be cut back, as when a listing fails half-way. */
struct ta_id_mark {
    uint64_t bytes, n;
};

struct ta_id_mark ta_id_spool_mark(const struct ta_id_spool *s);
void ta_id_spool_cut(struct ta_id_spool *s, struct ta_id_mark mark);

/* Where a reader stands. Any number of readers; none while names are being added. */
struct ta_id_cursor {
    struct ta_id_spool *spool;
    uint64_t at;  /* byte of the list */
    char *window; /* part of the file, from `window_at` on; NULL in memory */
    size_t window_len;
    uint64_t window_at;
    char text[TA_ID_MAX]; /* the name given last */
};

void ta_id_cursor_init(struct ta_id_cursor *c, struct ta_id_spool *s);
void ta_id_cursor_done(struct ta_id_cursor *c); /* fine on a zeroed struct */
/* 1 = *out is valid until the next call, 0 = end, < 0 error. */
int ta_id_cursor_next(struct ta_id_cursor *c, struct ta_str *out, struct ta_err *err);

#endif
