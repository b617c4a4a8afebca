/* host_files.h - which checkpoint files a host has, and what range each covers.
 *
 *   ROOT/<cluster>/<host>/<from>.bin|.json   (spec: formats 1)
 *
 * `from` is the file's name; `to` stands in a .bin's head and at a .json's end. A file whose range cannot
 * be read is listed as damaged: it is never counted on, and whoever loads or archives sets it aside.
 */
#ifndef TARN_PERSIST_HOST_FILES_H
#define TARN_PERSIST_HOST_FILES_H

#include "base/buf.h"
#include "io/vfs.h"
#include "persist/tree_write.h"

#include <stdbool.h>
#include <stdint.h>

enum { TA_PATH_MAX = 4096 };

struct ta_host_file {
    int64_t from_s, to_s;
    enum ta_tree_format format;
    bool is_damaged;
    bool is_replaced; /* by a file of the other format, which is durable before this one goes */
};

struct ta_host_files {
    struct ta_host_file *at; /* ascending by from_s, .bin before .json */
    size_t n, cap;
    bool has_wal; /* a reference's current.wal is there */
    struct ta_alloc *alloc;
};

/* Lists `dir`; a missing directory is an empty list. 24 bytes a file. Other names are ignored (the caller
 * who cares looks for himself). */
int ta_host_files_read(struct ta_host_files *out, struct ta_vfs *vfs, const char *dir,
                       struct ta_alloc *alloc, struct ta_err *err);
void ta_host_files_done(struct ta_host_files *f);

/* May `name` be one component of a path below the data directory? Refuses what could lead out of it or be
 * taken for one of our own: empty, longer than 255 bytes, containing '/', '\\', NUL or "..", equal to "." . */
bool ta_is_path_name(struct ta_str name);

/* "<root>/<cluster>/<host>" or with a file name behind it. TA_EINVAL when a name may not be a path
 * component, TA_ERANGE when it does not fit TA_PATH_MAX. */
int ta_host_dir(char out[static TA_PATH_MAX], const char *root, struct ta_str cluster,
                struct ta_str host, struct ta_err *err);
int ta_host_file_path(char out[static TA_PATH_MAX], const char *dir, int64_t from_s,
                      enum ta_tree_format format, const char *suffix, struct ta_err *err);

/* "<number>.bin" or ".json": 1 with both filled, 0 for any other name. */
int ta_host_file_name(const char *name, int64_t *out_from_s, enum ta_tree_format *out_format);

#endif
