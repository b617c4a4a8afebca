/* files.h - libtarn: a store's samples in files.
 *
 *     ROOT/<cluster>/<host>/<from>.bin|.json      checkpoints, in cc-metric-store's formats
 *     ARCHIVE/<cluster>/<before>.parquet          old checkpoints, for the tools of data analysis
 *
 * A checkpoint writes what no file covers yet and writes again the files into whose range samples
 * came since; each is written under another name, synced and renamed. .json files keep the binary64
 * that was stored, .bin files the nearest binary32, as the format has it.
 *
 * All three take the lock of the directory for the call: TARN_ESTATE while a `tarn serve` or another
 * call works there. They may run while samples are written and read.
 */
#ifndef TARN_FILES_H
#define TARN_FILES_H

#include <tarn/tarn.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tarn_files {
    uint64_t n_files;   /* written, read, archived */
    uint64_t n_samples; /* in them; rows of an archive */
    uint64_t n_damaged; /* files that were not sound: what was good in them was taken */
};

enum tarn_format { TARN_FORMAT_BINARY, TARN_FORMAT_JSON };

/* Samples before `before_s` into files; INT64_MAX: all. Makes ROOT when it is missing. A host that
 * fails does not keep the others from being written; only TARN_OK means that all is on disk.
 * `out` may be NULL. */
TARN_API int tarn_checkpoint(struct tarn_store *s, const char *root, enum tarn_format format,
                             int64_t before_s, struct tarn_files *out, struct tarn_error *err);

/* Files back into the store, also what a `tarn serve` that is not running has in its log there
 * (checkpoint such a store into another ROOT: the log stays). Samples older than the retention and
 * of unknown metrics are passed over. Damage is no error: the good part is taken, a copy of a damaged
 * file is kept as <name>.corrupt. `out` may be NULL. */
TARN_API int tarn_restore(struct tarn_store *s, const char *root, struct tarn_files *out,
                          struct tarn_error *err);

struct tarn_archive {
    const char *checkpoints; /* ROOT */
    const char *archive;     /* ARCHIVE; made when it is missing */
    const char *cluster;     /* NULL: all */
    int64_t before_s;        /* files whose range ends at or before this; names the output */
    int keep;                /* true: leave the checkpoints; the next run archives them again */
};

/* Checkpoints into Parquet, in some 24 MiB of memory whatever their number. A checkpoint goes when
 * its rows stand in a file that was synced and read back. TARN_EIO also when a host or a cluster was
 * left for another time: *out says what was done. `out` may be NULL. */
TARN_API int tarn_archive(const struct tarn_archive *what, struct tarn_files *out,
                          struct tarn_error *err);

#ifdef __cplusplus
}
#endif

#endif
