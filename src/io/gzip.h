/* gzip.h - gzip as sources around a source: packing and unpacking while it is read.
 *
 * Memory: 64 KiB, and zlib's own from `alloc`: 256 KiB to pack, 40 KiB to unpack.
 */
#ifndef TARN_IO_GZIP_H
#define TARN_IO_GZIP_H

#include "base/alloc.h"
#include "io/stream.h"

struct ta_gzip_state;

struct ta_gzip {
    struct ta_source source;
    struct ta_source *inner; /* borrowed */
    struct ta_alloc *alloc;
    struct ta_gzip_state *state;
};

/* The inner source's bytes as one gzip member, default level, no name, no time. TA_ENOMEM. */
int ta_gzip_pack(struct ta_gzip *g, struct ta_source *inner, struct ta_alloc *alloc,
                 struct ta_err *err);
/* The content of all gzip members of the inner source. A read fails with TA_EFORMAT when a checksum or length
 * is wrong, a member ends early, or bytes that are no member follow. */
int ta_gzip_unpack(struct ta_gzip *g, struct ta_source *inner, struct ta_alloc *alloc,
                   struct ta_err *err);
void ta_gzip_done(struct ta_gzip *g); /* fine on a zeroed struct */

#endif
