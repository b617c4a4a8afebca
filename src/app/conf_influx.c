/* conf_influx.c - tarn.influx-tags: tags of other collectors that name a type (line.h: struct ta_line_tag). */
#include "app/conf_int.h"
#include "io/json_read.h"

#include <stddef.h>

enum { TAGS_MAX = 32 };

struct item {
    const char *tag, *type;
};

static const struct ta_conf_key tag_keys[] = {
    {.name = "tag",
     .kind = TA_CONF_TEXT,
     .is_required = true,
     .offset = offsetof(struct item, tag),
     .help = "name of the tag, such as \"cpu\""},
    {.name = "type",
     .kind = TA_CONF_TEXT,
     .is_required = true,
     .offset = offsetof(struct item, type),
     .help = "the type that it names, such as \"hwthread\"; its value becomes the type-id"},
};
const struct ta_conf_table ta_conf_influx_tag_table = {"influx-tags", tag_keys, TA_COUNT(tag_keys),
                                                       TA_CONF_REFUSE};

int ta_conf_read_influx_tags(struct ta_conf_reader *r, const char *where, void *section,
                             struct ta_err *err)
{
    struct ta_conf_tarn *tarn = section;
    struct ta_json_token t;
    int got;

    tarn->n_influx_tags = 0;
    tarn->influx_tags = ta_arena_get(r->arena, TAGS_MAX * sizeof(*tarn->influx_tags));
    if (!tarn->influx_tags)
        return ta_fail(err, TA_ENOMEM, "%.160s: configuration is too large", r->file);
    while ((got = ta_conf_next(r, &t, err)) == TA_OK && t.kind != TA_JSON_ARRAY_END) {
        struct item item = {0};

        if (t.kind != TA_JSON_OBJECT)
            return ta_conf_bad(r, &t, where, err, "expected an object, found %s",
                               ta_conf_kind_name(&t));
        if (tarn->n_influx_tags == TAGS_MAX)
            return ta_conf_bad(r, &t, where, err, "more than %d tags", TAGS_MAX);
        got = ta_conf_read_table(r, &ta_conf_influx_tag_table, where, &item, err);
        if (got < 0)
            return got;
        if (!item.tag[0] || !item.type[0])
            return ta_conf_bad(r, &t, where, err, "an empty name");
        tarn->influx_tags[tarn->n_influx_tags++] =
            (struct ta_line_tag){ta_str(item.tag), ta_str(item.type)};
    }
    return got;
}
