/* gzip_source.h - a source that gives another one's bytes as one gzip member.
 *
 * Memory: 64 KiB of input and what zlib takes to compress (about 270 KiB), all from init to done.
 */
#ifndef TARN_JOBS_GZIP_SOURCE_H
#define TARN_JOBS_GZIP_SOURCE_H

#include "base/arena.h"
#include "io/stream.h"

#include <stdbool.h>

struct ta_gzip_source {
    struct ta_source source;
    struct ta_source *from;
    struct ta_arena arena;
    void *z; /* z_stream */
    unsigned char *room;
    bool has_ended, is_done;
};

/* Borrows from and alloc. `level` of zlib, 1..9. TA_ENOMEM. */
int ta_gzip_source_init(struct ta_gzip_source *s, struct ta_source *from, int level,
                        struct ta_alloc *alloc, struct ta_err *err);
void ta_gzip_source_done(struct ta_gzip_source *s); /* fine on a zeroed struct */

#endif
