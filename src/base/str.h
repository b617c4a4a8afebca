/* str.h - slices of somebody else's bytes, and the few helpers everybody needs. */
#ifndef TARN_BASE_STR_H
#define TARN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A slice: not NUL-terminated, not owned. at may be NULL only when len is 0. */
struct ta_str {
    const char *at;
    size_t len;
};

#define TA_STR(lit) ((struct ta_str){(lit), sizeof(lit) - 1})
/* For printf("%.*s", TA_STR_FMT(s)) */
#define TA_STR_FMT(s)   (int)((s).len < 1024 ? (s).len : 1024), ((s).at ? (s).at : "")
#define TA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that holds `member`, from a pointer to that member. */
#define TA_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline struct ta_str ta_str(const char *z)
{
    return (struct ta_str){z, z ? strlen(z) : 0};
}

static inline bool ta_str_eq(struct ta_str a, struct ta_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool ta_str_is(struct ta_str a, const char *z)
{
    return ta_str_eq(a, ta_str(z));
}

/* Bytewise order, as the reference sorts names: < 0, 0, > 0. */
static inline int ta_str_cmp(struct ta_str a, struct ta_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.at, b.at, n) : 0;

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static inline bool ta_str_starts(struct ta_str a, struct ta_str prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.at, prefix.at, prefix.len) == 0);
}

#endif
