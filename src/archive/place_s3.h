/* place_s3.h - finished archive files into a bucket.
 *
 * The file is uploaded from the state directory, confirmed by size and tag (a hash of its bytes), and only
 * then removed there: an upload that was cut off is simply done again.
 */
#ifndef TARN_ARCHIVE_PLACE_S3_H
#define TARN_ARCHIVE_PLACE_S3_H

#include "archive/place.h"
#include "rest/s3.h"

struct ta_arc_place_s3 {
    struct ta_arc_place place;
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    struct ta_s3 *s3;
    const char *prefix; /* "" or "metrics/"; put in front of every name */
};

/* Borrows all. */
void ta_arc_place_s3_init(struct ta_arc_place_s3 *p, struct ta_vfs *vfs, struct ta_s3 *s3,
                          const char *prefix, struct ta_alloc *alloc);

#endif
