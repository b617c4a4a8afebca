/* request.c - the tables behind request.h. */
#include "query/request.h"

#include <stddef.h>

#define AT(member) offsetof(struct ta_query_item, member)
static const struct ta_dec_field item_fields[] = {
    {"type", TA_DEC_OPT_STR, AT(type), NULL},
    {"subtype", TA_DEC_OPT_STR, AT(subtype), NULL},
    {"metric", TA_DEC_STR, AT(metric), NULL},
    {"host", TA_DEC_STR, AT(host), NULL},
    {"resolution", TA_DEC_I64, AT(resolution_s), NULL},
    {"type-ids", TA_DEC_STRS, AT(type_ids), NULL},
    {"subtype-ids", TA_DEC_STRS, AT(subtype_ids), NULL},
    {"scale-by", TA_DEC_FACTOR, AT(scale_by), NULL},
    {"aggreg", TA_DEC_BOOL, AT(is_aggregated), NULL},
};
#undef AT
static const struct ta_dec_type item_type = {"APIQuery", item_fields, TA_COUNT(item_fields),
                                             sizeof(struct ta_query_item), false};

#define AT(member) offsetof(struct ta_query_request, member)
static const struct ta_dec_field query_fields[] = {
    {"cluster", TA_DEC_STR, AT(cluster), NULL},
    {"queries", TA_DEC_OBJECTS, AT(queries), &item_type},
    {"for-all-nodes", TA_DEC_STRS, AT(for_all_nodes), NULL},
    {"from", TA_DEC_I64, AT(from_s), NULL},
    {"to", TA_DEC_I64, AT(to_s), NULL},
    {"with-stats", TA_DEC_BOOL, AT(with_stats), NULL},
    {"with-data", TA_DEC_BOOL, AT(with_data), NULL},
    {"with-padding", TA_DEC_BOOL, AT(with_padding), NULL},
    {"with-ids", TA_DEC_BOOL, AT(with_ids), NULL},
};
#undef AT
static const struct ta_dec_type query_type = {"APIQueryRequest", query_fields,
                                              TA_COUNT(query_fields),
                                              sizeof(struct ta_query_request), false};

#define AT(member) offsetof(struct ta_health_request, member)
static const struct ta_dec_field health_fields[] = {
    {"cluster", TA_DEC_STR, AT(cluster), NULL},
    {"nodes", TA_DEC_STRS, AT(nodes), NULL},
    {"metric-names", TA_DEC_STRS, AT(metrics), NULL},
};
#undef AT
static const struct ta_dec_type health_type = {"HealthCheckReq", health_fields,
                                               TA_COUNT(health_fields),
                                               sizeof(struct ta_health_request), true};

const struct ta_dec_field ta_query_root = {"", TA_DEC_OBJECT, 0, &query_type};
const struct ta_dec_field ta_health_root = {"", TA_DEC_OBJECT, 0, &health_type};
const struct ta_dec_field ta_free_root = {"", TA_DEC_LISTS, 0, NULL};

const struct ta_query_limits ta_query_limits_default = {
    .arena_bytes = 16 * MiB,
    .window_bytes = 16 * MiB,
    .queries_max = 131072,
    .ids_max = 65536,
    .name_max = 1024,
};
