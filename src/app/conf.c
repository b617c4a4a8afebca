/* conf.c - the sections of a configuration: from one file, or each from a file of its own. */
#include "app/conf.h"

#include "app/conf_int.h"
#include "io/json_read.h"

#include <stdio.h>
#include <string.h>

struct document {
    struct ta_config *config;
    struct ta_vfs *vfs; /* NULL: "-file" keys are ignored */
    struct ta_alloc *alloc;
    struct ta_log *log;
};

/* TA_OK and *out = NULL for "metrics", which is no table; TA_ENOTFOUND for any other name. */
static int find_section(struct ta_str name, const struct ta_conf_section **out)
{
    *out = NULL;
    for (size_t i = 0; i < ta_conf_n_sections; i++)
        if (ta_str_is(name, ta_conf_sections[i].table->name)) {
            *out = &ta_conf_sections[i];
            return TA_OK;
        }
    return ta_str_is(name, "metrics") ? TA_OK : TA_ENOTFOUND;
}

static int read_section(struct ta_conf_reader *r, struct ta_str name, struct ta_config *c,
                        struct ta_err *err)
{
    const struct ta_conf_section *section;
    struct ta_json_token t;
    int got = ta_conf_next(r, &t, err);

    if (got < 0)
        return got;
    if (find_section(name, &section) < 0)
        return ta_json_skip(r->json, err);
    const char *where = section ? section->table->name : "metrics";
    if (t.kind != TA_JSON_OBJECT)
        return ta_conf_bad(r, &t, where, err, "expected an object, found %s",
                           ta_conf_kind_name(&t));
    if (!section) {
        c->has_metrics = true;
        c->metrics = NULL;
        c->n_metrics = 0;
        return ta_conf_read_metrics(r, c, err);
    }
    char *at = (char *)c + section->offset;
    if (section->present_offset != SIZE_MAX)
        *(bool *)((char *)c + section->present_offset) = true;
    got = ta_conf_defaults(section->table, at, err); /* a second one replaces the first whole */
    return got < 0 ? got : ta_conf_read_table(r, section->table, where, at, err);
}

/* Opens a reader over `src` and hands it on: to the whole document when `section` is empty. */
static int read_sections(struct ta_conf_reader *r, const struct document *d, struct ta_err *err);

static int read_source(const struct document *d, const char *name, struct ta_source *src,
                       struct ta_str section, struct ta_err *err)
{
    struct ta_conf_reader r = {.file = name, .arena = &d->config->arena, .log = d->log};
    int got = ta_json_reader_new(&r.json, src, NULL, d->alloc);

    if (got < 0)
        return ta_fail(err, got, "%.160s: no memory to read it", name);
    got = section.len ? read_section(&r, section, d->config, err) : read_sections(&r, d, err);
    if (got == TA_OK) {
        struct ta_err why = {0};
        if (ta_json_finish(r.json, &why) < 0)
            got = ta_fail(err, TA_EINVAL, "%.160s: could not decode: %s", name, why.text);
    }
    ta_json_reader_free(r.json);
    return got;
}

static int read_file(const struct document *d, const char *path, struct ta_str section,
                     struct ta_err *err)
{
    struct ta_file_source src;
    struct ta_file *file = NULL;
    int r = ta_open(d->vfs, path, TA_OPEN_READ, 0, &file, err);

    if (r < 0)
        return r;
    ta_file_source_init(&src, file);
    r = read_source(d, path, &src.source, section, err);
    (void)ta_close(&file, NULL); /* it was only read */
    return r;
}

/* "<name>-file" with exactly one dash names a section in a file of its own (spec: config 2). */
static bool is_file_key(struct ta_str key, struct ta_str *section)
{
    static const struct ta_str tail = {"-file", 5};
    const char *dash = memchr(key.at, '-', key.len);

    if (!dash || key.len <= tail.len || (size_t)(dash - key.at) != key.len - tail.len)
        return false;
    *section = (struct ta_str){key.at, key.len - tail.len};
    return memcmp(dash, tail.at, tail.len) == 0;
}

static int follow_file(struct ta_conf_reader *r, const struct document *d, const char *key,
                       struct ta_str section, struct ta_err *err)
{
    const struct ta_conf_section *known;
    struct ta_json_token t;
    struct ta_err why = {0};
    const char *path = NULL;
    int got = ta_conf_next(r, &t, err);

    if (got < 0)
        return got;
    if (find_section(section, &known) < 0 || !d->vfs)
        return ta_json_skip(r->json, err);
    if (t.kind != TA_JSON_STRING)
        return ta_conf_bad(r, &t, key, err, "expected a path, found %s", ta_conf_kind_name(&t));
    got = ta_conf_copy(r, &t, key, &path, err);
    if (got < 0)
        return got;
    got = read_file(d, path, section, &why);
    if (got == TA_EIO || got == TA_ENOTFOUND) {
        /* The section stays empty; where it is required, that check says so. */
        ta_logf(d->log, TA_LOG_ERROR, "%s: %s", key, why.text);
        return TA_OK;
    }
    return got < 0 ? ta_fail(err, got, "%s", why.text) : TA_OK;
}

static int read_sections(struct ta_conf_reader *r, const struct document *d, struct ta_err *err)
{
    struct ta_json_token t;
    int got = ta_conf_next(r, &t, err);

    if (got < 0)
        return got;
    if (t.kind != TA_JSON_OBJECT)
        return ta_conf_bad(r, &t, "configuration", err, "expected an object, found %s",
                           ta_conf_kind_name(&t));
    while ((got = ta_conf_next(r, &t, err)) == TA_OK && t.kind == TA_JSON_KEY) {
        struct ta_str section;
        char key[80]; /* the token's text is gone with the next one */

        if (t.text.len >= sizeof(key)) {
            got = ta_json_skip(r->json, err);
        } else {
            memcpy(key, t.text.at, t.text.len);
            key[t.text.len] = 0;
            struct ta_str name = {key, t.text.len};
            got = is_file_key(name, &section) ? follow_file(r, d, key, section, err)
                                              : read_section(r, name, d->config, err);
        }
        if (got < 0)
            return got;
    }
    return got;
}

static int start(struct ta_config *c, const char *name, struct ta_alloc *alloc, struct ta_err *err)
{
    *c = (struct ta_config){.path = ""};
    ta_arena_init(&c->arena, alloc, TA_CONF_BYTES_MAX);
    struct ta_str path = ta_arena_copy(&c->arena, ta_str(name));
    if (!path.at)
        return ta_fail(err, TA_ENOMEM, "no memory for the configuration");
    c->path = path.at;
    for (size_t i = 0; i < ta_conf_n_sections; i++) {
        const struct ta_conf_section *s = &ta_conf_sections[i];
        int r = ta_conf_defaults(s->table, (char *)c + s->offset, err);
        if (r < 0)
            return r;
    }
    return TA_OK;
}

static int end(struct ta_config *c, int r, struct ta_log *log, struct ta_err *err)
{
    /* Empty means a random port of all interfaces to the reference, whatever its manual says. */
    if (r == TA_OK && !c->main.addr[0])
        c->main.addr = TA_CONF_ADDR;
    if (r == TA_OK)
        r = ta_conf_check(c, log, err);
    if (r < 0)
        ta_config_done(c);
    return r;
}

int ta_config_load(struct ta_config *out, struct ta_vfs *vfs, const char *path,
                   struct ta_alloc *alloc, struct ta_log *log, struct ta_err *err)
{
    struct document d = {.config = out, .vfs = vfs, .alloc = alloc, .log = log};
    int r = start(out, path, alloc, err);

    if (r == TA_OK)
        r = read_file(&d, path, (struct ta_str){0}, err);
    return end(out, r, log, err);
}

int ta_config_parse(struct ta_config *out, const char *name, struct ta_str text, struct ta_vfs *vfs,
                    struct ta_alloc *alloc, struct ta_log *log, struct ta_err *err)
{
    struct document d = {.config = out, .vfs = vfs, .alloc = alloc, .log = log};
    struct ta_mem_source src;
    int r = start(out, name, alloc, err);

    ta_mem_source_init(&src, text.at, text.len, 0);
    if (r == TA_OK)
        r = read_source(&d, name, &src.source, (struct ta_str){0}, err);
    return end(out, r, log, err);
}

void ta_config_done(struct ta_config *c)
{
    if (c->arena.parent)
        ta_arena_done(&c->arena);
    *c = (struct ta_config){.path = ""};
}
