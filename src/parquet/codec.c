/* ZSTD_createCCtx_advanced is what lets a context's memory count against a budget; it stands behind
 * this macro in every release since 1.3 and is exported by the shared library. */
#define ZSTD_STATIC_LINKING_ONLY

#include "parquet/codec.h"

#include <zstd.h>
#include <zstd_errors.h>

struct ta_pq_packer {
    struct ta_alloc *alloc;
    ZSTD_CCtx *zstd;
};

struct ta_pq_unpacker {
    struct ta_alloc *alloc;
    ZSTD_DCtx *zstd;
};

/* zstd frees without a size: it stands in front of each block, padded to keep 16-byte alignment. */
enum { HEAD = 16 };

static void *zstd_get(void *opaque, size_t n)
{
    char *p = ta_alloc(opaque, n + HEAD);

    if (!p)
        return NULL;
    *(size_t *)(void *)p = n + HEAD;
    return p + HEAD;
}

static void zstd_put(void *opaque, void *at)
{
    if (!at)
        return;
    char *p = (char *)at - HEAD;
    ta_release(opaque, p, *(size_t *)(void *)p);
}

int ta_pq_packer_new(struct ta_pq_packer **out, int level, struct ta_alloc *alloc)
{
    struct ta_pq_packer *c = ta_alloc(alloc, sizeof(*c));

    if (!c)
        return TA_ENOMEM;
    c->alloc = alloc;
    c->zstd = ZSTD_createCCtx_advanced((ZSTD_customMem){zstd_get, zstd_put, alloc});
    if (!c->zstd) {
        ta_pq_packer_free(c);
        return TA_ENOMEM;
    }
    if (ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, level))) {
        ta_pq_packer_free(c);
        return TA_EINVAL;
    }
    *out = c;
    return TA_OK;
}

void ta_pq_packer_free(struct ta_pq_packer *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->zstd);
    ta_release(c->alloc, c, sizeof(*c));
}

int ta_pq_pack(struct ta_pq_packer *c, const void *p, size_t n, struct ta_buf *out)
{
    ta_buf_reset(out);
    int r = ta_buf_reserve(out, ZSTD_compressBound(n));
    if (r < 0)
        return r;
    size_t got = ZSTD_compress2(c->zstd, out->at, out->cap, p, n);
    if (ZSTD_isError(got))
        return TA_ENOMEM; /* with room for the worst case, memory is the only thing that can lack */
    out->len = got;
    return TA_OK;
}

int ta_pq_unpacker_new(struct ta_pq_unpacker **out, struct ta_alloc *alloc)
{
    struct ta_pq_unpacker *c = ta_alloc(alloc, sizeof(*c));

    if (!c)
        return TA_ENOMEM;
    c->alloc = alloc;
    c->zstd = ZSTD_createDCtx_advanced((ZSTD_customMem){zstd_get, zstd_put, alloc});
    if (!c->zstd) {
        ta_pq_unpacker_free(c);
        return TA_ENOMEM;
    }
    *out = c;
    return TA_OK;
}

void ta_pq_unpacker_free(struct ta_pq_unpacker *c)
{
    if (!c)
        return;
    ZSTD_freeDCtx(c->zstd);
    ta_release(c->alloc, c, sizeof(*c));
}

int ta_pq_unpack(struct ta_pq_unpacker *c, const void *p, size_t packed, void *out, size_t n)
{
    size_t got = ZSTD_decompressDCtx(c->zstd, out, n, p, packed);

    if (ZSTD_isError(got))
        return ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation ? TA_ENOMEM : TA_EFORMAT;
    return got == n ? TA_OK : TA_EFORMAT;
}
