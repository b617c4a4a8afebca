/* output.h - one archive file being made: written, synced, read back, compared.
 *
 * Memory: the writer's (writer.h) while it is written, the reader's while it is verified, never both.
 */
#ifndef TARN_ARCHIVE_OUTPUT_H
#define TARN_ARCHIVE_OUTPUT_H

#include "archive/host_rows.h"
#include "io/json_write.h"

enum { TA_ARC_SOURCES_MAX = 1 << 20 }; /* bytes of the list of sources in a file's metadata */

struct ta_arc_output_conf {
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    const char *state; /* directory of the temporary file */
    unsigned file_mode;
    bool plain; /* ta_arc_schema */
    struct ta_pq_options parquet;
};

struct ta_arc_output {
    const struct ta_arc_output_conf *conf;
    char temporary[32]; /* name in the state directory */
    char path[TA_PATH_MAX];
    struct ta_file *file;
    struct ta_sink guard; /* in front of the file's sink: notes when writing fails */
    bool is_broken;       /* it did */
    struct ta_file_sink sink;
    struct ta_pq_writer *writer;
    struct ta_buf sources; /* JSON: [["host","file",bytes],...] */
    struct ta_json_writer json;
    uint64_t rows, bytes; /* after finish */
};

/* Begins the file out-<number>.tmp. Borrows conf. On failure: discard. */
int ta_arc_output_begin(struct ta_arc_output *o, const struct ta_arc_output_conf *conf,
                        unsigned number, struct ta_err *err);
/* Names a source in the file's metadata; beyond TA_ARC_SOURCES_MAX only their number is told. */
int ta_arc_output_source(struct ta_arc_output *o, struct ta_str host,
                         const struct ta_arc_file *file, struct ta_err *err);
/* The footer has grown enough: begin another file with the next host. */
bool ta_arc_output_is_full(const struct ta_arc_output *o);
/* Writes the footer, syncs, reads the file back and compares it with what was put. */
int ta_arc_output_finish(struct ta_arc_output *o, struct ta_str cluster, struct ta_err *err);
/* Frees everything; with `keep` false the temporary file goes too. Fine on a zeroed struct. */
void ta_arc_output_end(struct ta_arc_output *o, bool keep);

#endif
