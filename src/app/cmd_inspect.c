/* cmd_inspect.c - `tarn inspect`: what is inside a file, and whether it is whole. */
#include "app/command.h"
#include "app/inspect.h"
#include "io/json_read.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 64 << 20 };

struct values {
    bool json;
};

static const struct ta_option rows[] = {
    {.name = "json",
     .kind = TA_OPT_SWITCH,
     .offset = offsetof(struct values, json),
     .help = "one JSON object a line and file"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

static const struct ta_inspect_kind *const kinds[] = {
    &ta_inspect_parquet, &ta_inspect_log,        &ta_inspect_snapshot,
    &ta_inspect_ref_wal, &ta_inspect_checkpoint,
};

static const struct ta_inspect_kind *kind_of(const char *path, const unsigned char *head, size_t n)
{
    for (size_t i = 0; i < TA_COUNT(kinds); i++)
        if (kinds[i]->matches(path, head, n))
            return kinds[i];
    return NULL;
}

/* The description as indented lines, from its own JSON: one source for both forms. Lists of objects get an
 * item a line. */
static void print_text(struct ta_str json)
{
    struct ta_mem_source source;
    struct ta_json_reader *reader = NULL;
    struct ta_json_token t;
    bool at_start = true;

    ta_mem_source_init(&source, json.at, json.len, 0);
    if (ta_json_reader_new(&reader, &source.source, NULL, &ta_heap) < 0)
        return;
    while (ta_json_next(reader, &t, NULL) > 0) {
        int indent = t.depth > 1 ? (int)(t.depth - 1) * 2 : 0;
        switch (t.kind) {
        case TA_JSON_KEY:
            printf("%s%*s%.*s:", at_start ? "" : "\n", indent, "", TA_STR_FMT(t.text));
            at_start = false;
            break;
        case TA_JSON_OBJECT:
        case TA_JSON_ARRAY:
        case TA_JSON_OBJECT_END:
        case TA_JSON_ARRAY_END:
            break;
        case TA_JSON_TRUE:
        case TA_JSON_FALSE:
            printf(" %s", t.kind == TA_JSON_TRUE ? "yes" : "no");
            break;
        default:
            printf(" %.*s", TA_STR_FMT(t.text));
        }
    }
    printf("\n\n");
    ta_json_reader_free(reader);
}

static int describe(struct ta_file *file, const char *path, struct ta_json_writer *w,
                    struct ta_err *err)
{
    unsigned char head[TA_INSPECT_HEAD];
    uint64_t bytes;

    int r = file->ops->size(file, &bytes, err);
    if (r < 0)
        return r;
    int64_t n = ta_pread_full(file, head, sizeof(head), 0, err);
    if (n < 0)
        return (int)n;
    const struct ta_inspect_kind *kind = kind_of(path, head, (size_t)n);
    if (!kind)
        return ta_fail(err, TA_EFORMAT, "%s: of no kind that is known", path);
    ta_json_put_object(w);
    ta_json_member_z(w, "file", path);
    ta_json_member_z(w, "kind", kind->name);
    ta_json_member_i64(w, "bytes", (int64_t)bytes);
    r = kind->describe(file, w, &ta_heap, err);
    ta_json_put_object_end(w);
    return r < 0 ? ta_fail_context(err, r, "%s: ", path) : TA_OK;
}

static int inspect(const char *path, bool json, struct ta_err *err)
{
    struct ta_json_writer w;
    struct ta_file *file = NULL;
    struct ta_buf out;

    int r = ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, err);
    if (r < 0)
        return r;
    ta_buf_init(&out, &ta_heap, TEXT_MAX);
    ta_json_writer_init(&w, &out);
    r = describe(file, path, &w, err);
    if (out.len && json)
        printf("%.*s\n", (int)out.len, out.at);
    else if (out.len)
        print_text(ta_buf_view(&out));
    ta_buf_done(&out);
    (void)ta_close(&file, NULL); /* only read */
    return r;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct ta_operands files = {0};
    struct values v = {0};
    int status;

    if (!ta_command_parse(self, argc, argv, &v, &files, &status))
        return status;
    if (files.n == 0)
        return ta_command_usage(self, "no file given");
    status = TA_EXIT_OK;
    for (size_t i = 0; i < files.n; i++) {
        struct ta_err err = {0};
        if (inspect(files.word[i], v.json, &err) < 0)
            status = ta_command_fail(self, &err);
    }
    return status;
}

const struct ta_command ta_cmd_inspect = {
    .name = "inspect",
    .operands = "FILE...",
    .summary = "what is inside a file, and whether it is whole",
    .options = &options,
    .run = run,
};
