/* request.h - what a client may ask of /api/query, /api/healthcheck and /api/free, decoded.
 *
 * Plain structs whose strings and lists live in the arena of the request. (spec: http-api 4.1, 6,
 * 7)
 */
#ifndef TARN_QUERY_REQUEST_H
#define TARN_QUERY_REQUEST_H

#include "query/decode.h"

/* Bounds of one request. Over them the request is refused with the reason. */
struct ta_query_limits {
    size_t arena_bytes;  /* the decoded request; twice as much at most while it runs */
    size_t window_bytes; /* one series that is resampled: 8 bytes a sample */
    size_t queries_max;  /* also selectors of a free */
    size_t ids_max;      /* strings in one list: type-ids, nodes, metrics */
    size_t name_max;     /* bytes of one string; at most 8 KiB */
    int64_t range_s_max; /* longest from .. to; 0: any (what is read is what is stored) */
};

/* 16 MiB, 16 MiB (24 days of seconds), 131,072, 65,536, 1 KiB: a request of all metrics of 1,000
 * hosts passes. */
extern const struct ta_query_limits ta_query_limits_default;

struct ta_query_item {
    struct ta_dec_item item; /* first member */
    struct ta_opt_str type, subtype;
    struct ta_str_list type_ids, subtype_ids;
    struct ta_str metric, host;
    int64_t resolution_s; /* 0: native */
    double scale_by;      /* 0: off; NaN when the request says null */
    bool is_aggregated;
};

struct ta_query_request {
    struct ta_str cluster;
    struct ta_dec_chain queries;      /* of struct ta_query_item */
    struct ta_str_list for_all_nodes; /* metric names */
    int64_t from_s, to_s;
    bool with_stats, with_data, with_padding; /* default true */
    bool with_ids; /* ours: name the type-id of every entry; default false */
};

/* The root for the decoder, and the defaults. */
extern const struct ta_dec_field ta_query_root;
#define TA_QUERY_REQUEST_DEFAULTS                                                                  \
    ((struct ta_query_request){.with_stats = true, .with_data = true, .with_padding = true})

struct ta_health_request {
    struct ta_str cluster;
    struct ta_str_list nodes, metrics;
};

extern const struct ta_dec_field ta_health_root;

/* An array of selectors: a struct ta_dec_chain of struct ta_dec_list. */
extern const struct ta_dec_field ta_free_root;

/* The decoder's share of the limits. */
static inline struct ta_dec_limits ta_query_decode_limits(const struct ta_query_limits *l)
{
    return (struct ta_dec_limits){l->queries_max, l->ids_max, l->name_max};
}

#endif
