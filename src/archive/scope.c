#include "archive/scope.h"

#include "io/utf8.h"

static const struct {
    const char *prefix, *scope;
} kinds[] = {
    {"socket", "socket"}, {"memoryDomain", "memoryDomain"},
    {"core", "core"},     {"hwthread", "hwthread"},
    {"cpu", "hwthread"},  {"accelerator", "accelerator"},
};

void ta_arc_scope(const struct ta_str *level, struct ta_str *scope, struct ta_str *id)
{
    *id = TA_STR("");
    if (!level) {
        *scope = TA_STR("node");
        return;
    }
    for (size_t i = 0; i < TA_COUNT(kinds); i++) {
        struct ta_str prefix = ta_str(kinds[i].prefix);
        if (level->len > prefix.len && ta_str_starts(*level, prefix) &&
            level->at[prefix.len] >= '0' && level->at[prefix.len] <= '9') {
            *scope = ta_str(kinds[i].scope);
            *id = (struct ta_str){level->at + prefix.len, level->len - prefix.len};
            return;
        }
    }
    *scope = *level;
}

struct ta_str ta_arc_utf8(struct ta_str s, struct ta_arena *arena)
{
    size_t bad = 0;

    for (size_t i = 0; i < s.len;) {
        size_t w = ta_utf8_width(s.at + i, s.len - i);
        bad += w == 0;
        i += w ? w : 1;
    }
    if (bad == 0)
        return s;
    char *out = ta_arena_get(arena, s.len + 2 * bad);
    if (!out)
        return (struct ta_str){NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < s.len;) {
        size_t w = ta_utf8_width(s.at + i, s.len - i);
        if (w) {
            memcpy(out + n, s.at + i, w);
            n += w;
        } else {
            n += ta_utf8_put(out + n, 0xFFFD);
        }
        i += w ? w : 1;
    }
    return (struct ta_str){out, n};
}
