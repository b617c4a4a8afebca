#include "archive/place_s3.h"

#include "persist/host_files.h"

#include <stdio.h>
#include <xxhash.h>

enum { PIECE = 64 * 1024 };

static int key_of(const struct ta_arc_place_s3 *p, const char *name, char out[static TA_PATH_MAX],
                  struct ta_err *err)
{
    int n = snprintf(out, TA_PATH_MAX, "%s%s", p->prefix, name);

    return n < 0 || n >= TA_PATH_MAX ? ta_fail(err, TA_ERANGE, "%s: key too long", name) : TA_OK;
}

static int s3_exists(struct ta_arc_place *self, const char *name, struct ta_err *err)
{
    struct ta_arc_place_s3 *p = TA_CONTAINER(self, struct ta_arc_place_s3, place);
    struct ta_s3_object object;
    char key[TA_PATH_MAX];
    int r = key_of(p, name, key, err);

    return r < 0 ? r : ta_s3_head(p->s3, key, &object, err);
}

/* A hash of the whole file: what tells our object from another of the same name. */
static int tag_of(struct ta_arc_place_s3 *p, struct ta_file *file, char out[32], struct ta_err *err)
{
    unsigned char *piece = ta_alloc(p->alloc, PIECE);
    uint64_t hash = 0;
    uint64_t at = 0;
    int64_t n = piece ? 1 : ta_fail(err, TA_ENOMEM, "no memory to hash a file");

    while (n > 0) {
        n = ta_pread_full(file, piece, PIECE, at, err);
        if (n > 0)
            hash = XXH3_64bits_withSeed(piece, (size_t)n, hash);
        at += n > 0 ? (uint64_t)n : 0;
    }
    ta_release(p->alloc, piece, PIECE);
    snprintf(out, 32, "%016llx", (unsigned long long)hash);
    return n < 0 ? (int)n : TA_OK;
}

static int s3_publish(struct ta_arc_place *self, const char *path, const char *name,
                      struct ta_err *err)
{
    struct ta_arc_place_s3 *p = TA_CONTAINER(self, struct ta_arc_place_s3, place);
    struct ta_file *file = NULL;
    char key[TA_PATH_MAX];
    char tag[32];

    int r = key_of(p, name, key, err);
    if (r >= 0)
        r = ta_open(p->vfs, path, TA_OPEN_READ, 0, &file, err);
    if (r >= 0)
        r = tag_of(p, file, tag, err);
    if (r >= 0)
        r = ta_s3_put(p->s3, key, file, tag, err);
    (void)ta_close(&file, NULL); /* only read */
    return r < 0 ? r : p->vfs->unlink(p->vfs, path, err);
}

void ta_arc_place_s3_init(struct ta_arc_place_s3 *p, struct ta_vfs *vfs, struct ta_s3 *s3,
                          const char *prefix, struct ta_alloc *alloc)
{
    *p = (struct ta_arc_place_s3){
        .place = {s3_exists, s3_publish}, .vfs = vfs, .alloc = alloc, .s3 = s3, .prefix = prefix};
}
