/* seal.h - checksums for checkpoint files, where the reference's formats have none.
 *
 * Both formats leave room: a reader of .bin ignores the bytes behind the host's level, one of .json the keys it
 * does not know (spec: formats 3, 4). The file is covered in blocks of one size with a CRC-32C each:
 *
 *   .bin    content, n x u32 sum, seal
 *   .json   content ,"sums":[n numbers],"seal":"<the seal in hex>","from":F,"to":T} LF
 *
 *   offset  size  seal                                            integers little-endian
 *   0       8     "TARNSUM1"
 *   8       8     bytes of content, from the start of the file
 *   16      4     bytes of a block: 2^10 and more; the last block may be shorter
 *   20      4     n, at most TA_SEAL_SUMS
 *   24      16    from, to of the file
 *   40      4     CRC-32C of the n sums as u32
 *   44      4     CRC-32C of bytes 0..43
 *
 * A file that outgrows its sums joins them two by two, so the memory is constant: 32 KiB.
 *
 * Reading: a single flipped bit of a block of up to 4 KiB (files of up to 32 MiB) is put right; from the first block
 * on that is damaged further, nothing is believed. Garbage passes for a flipped bit once in 2^32 / 8 / 4 KiB
 * = 131,072 such blocks, once in half a million for small files; for whole otherwise once in 2^32. A file without a seal (the reference's, or one that was cut) is read as it is. What happens
 * to a file between the check and the reading is not noticed.
 */
#ifndef TARN_PERSIST_SEAL_H
#define TARN_PERSIST_SEAL_H

#include "base/buf.h"
#include "io/vfs.h"
#include "persist/data_dir.h"
#include "persist/tree_write.h"

enum { TA_SEAL_SUMS = 8192, TA_SEAL_BYTES = 48, TA_SEAL_FIXES = 4 };

/* ---- writing ------------------------------------------------------------------------------------- */

/* A file whose writes are summed and passed on to `inner`. Has pwrite only: what comes at the end, and four bytes
 * over zeros that were written before. */
struct ta_seal {
    struct ta_file file;
    struct ta_file *inner;
    uint64_t at; /* bytes of content so far */
    uint32_t block;
    uint32_t sums[TA_SEAL_SUMS];
};

void ta_seal_begin(struct ta_seal *s, struct ta_file *inner);
/* How many sums the content has. */
uint32_t ta_seal_count(const struct ta_seal *s);
void ta_seal_encode(const struct ta_seal *s, int64_t from_s, int64_t to_s,
                    unsigned char out[static TA_SEAL_BYTES]);

/* ---- reading ------------------------------------------------------------------------------------- */

/* A file as it was written, as far as it can be known: no byte is read before its block was checked, and all
 * blocks before it, so that a reader who goes through the file from its start has it read once. Has pread and
 * size only; a read may end with a block. One thread at a time, until all is checked. Moves with nobody: keep it
 * where it was opened. */
struct ta_sealed {
    struct ta_file file;
    struct ta_file *inner;
    bool is_sealed; /* there are good sums to check by */

    /* private */
    struct ta_alloc *alloc;
    struct ta_damage *damage;
    uint64_t end;     /* nothing from here on is believed; UINT64_MAX: all is */
    uint64_t checked; /* the next block to be checked begins here; UINT64_MAX: none is left */
    uint64_t content;
    uint32_t block;
    uint32_t *sums;
    unsigned char *piece; /* what is checked and not read */
    struct {
        uint64_t at;
        unsigned char mask;
    } fix[TA_SEAL_FIXES];
    size_t n_fixes;
};

/* Finds the sums of a file. What is found wrong, now or while it is read, is added to *damage (the size of the file
 * stays until it is met). A file that cannot be read here counts as unsealed: the reader will meet the error itself.
 * Only TA_ENOMEM is an error. Memory: 96 KiB. Borrows inner and damage until ta_sealed_done. */
int ta_sealed_open(struct ta_sealed *s, struct ta_file *inner, enum ta_tree_format format,
                   struct ta_alloc *alloc, struct ta_damage *damage, struct ta_err *err);
/* Checks what no reader has come to yet (about 3 GB/s out of the page cache). An error of the disk. */
int ta_sealed_check(struct ta_sealed *s, struct ta_err *err);
void ta_sealed_done(struct ta_sealed *s); /* fine on a zeroed struct, and after a failed open */

/* The range that the seal names: 1 = *to_s filled, 0 = no good seal, < 0 the file could not be read. */
int ta_seal_range(struct ta_file *file, enum ta_tree_format format, int64_t *from_s, int64_t *to_s,
                  struct ta_err *err);

#endif
