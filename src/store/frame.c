/* frame.c - rows of doubles, tick by tick: the newest slots of a group.
 *
 * One row holds one slot of all members: a node's samples of one moment land side by side, one store
 * each, whatever the number of series. Filled with all-ones bytes, which is a NaN: absent.
 */
#include "store/store_int.h"

#include <assert.h>

/* Blocks of about 64 to 256 bytes for narrow groups, single rows for wide ones. */
static uint8_t rows_shift(uint32_t stride)
{
    return stride <= 4 ? 3 : stride <= 8 ? 2 : stride <= 16 ? 1 : 0;
}

static size_t block_bytes(const struct ta_frame *f)
{
    return ((size_t)f->stride << f->shift) * sizeof(double);
}

static size_t frame_bytes(const struct ta_frame *f)
{
    return sizeof(*f) + f->n_blocks * sizeof(f->blocks[0]);
}

int ta_frame_new(struct ta_frame **out, struct ta_alloc *a, uint32_t window, uint32_t pos0,
                 uint32_t stride)
{
    uint8_t shift = rows_shift(stride);
    uint8_t n_blocks = (uint8_t)(WINDOW_SLOTS >> shift);
    struct ta_frame *f = ta_alloc_zero(a, 1, sizeof(*f) + (size_t)n_blocks * sizeof(f->blocks[0]));

    assert(window < WINDOWS && stride > 0);
    if (!f)
        return TA_ENOMEM;
    f->window = (uint16_t)window;
    f->shift = shift;
    f->n_blocks = n_blocks;
    f->pos0 = pos0;
    f->stride = stride;
    *out = f;
    return TA_OK;
}

void ta_frame_free(struct ta_alloc *a, struct ta_frame *f)
{
    for (uint32_t i = 0; i < f->n_blocks; i++)
        ta_release(a, f->blocks[i], block_bytes(f));
    ta_release(a, f, frame_bytes(f));
}

size_t ta_frame_bytes(const struct ta_frame *f)
{
    size_t bytes = frame_bytes(f);

    for (uint32_t i = 0; i < f->n_blocks; i++)
        bytes += f->blocks[i] ? block_bytes(f) : 0;
    return bytes;
}

double *ta_frame_make_row(struct ta_alloc *a, struct ta_frame *f, uint32_t slot)
{
    double **block = &f->blocks[slot % WINDOW_SLOTS >> f->shift];

    if (!*block) {
        *block = ta_alloc(a, block_bytes(f));
        if (!*block)
            return NULL;
        memset(*block, 0xff, block_bytes(f));
    }
    return ta_frame_row(f, slot);
}

static bool is_empty(const double *row, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (row[i] == row[i])
            return false;
    return true;
}

int ta_frame_restride(struct ta_alloc *a, struct ta_frame **frame, uint32_t pos0, uint32_t stride)
{
    struct ta_frame *from = *frame, *to;
    uint32_t first = pos0 > from->pos0 ? pos0 : from->pos0;
    uint32_t end =
        pos0 + stride < from->pos0 + from->stride ? pos0 + stride : from->pos0 + from->stride;
    uint32_t n = end > first ? end - first : 0;

    if (ta_frame_new(&to, a, from->window, pos0, stride) < 0)
        return TA_ENOMEM;
    for (uint32_t slot = 0; slot < WINDOW_SLOTS; slot++) {
        const double *row = n ? ta_frame_cell(from, slot, first) : NULL;
        double *copy;

        if (!row || is_empty(row, n))
            continue;
        copy = ta_frame_make_row(a, to, slot);
        if (!copy) {
            ta_frame_free(a, to);
            return TA_ENOMEM;
        }
        memcpy(copy + (first - pos0), row, n * sizeof(*copy));
    }
    ta_frame_free(a, from);
    *frame = to;
    return TA_OK;
}
