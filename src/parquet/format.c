#include "parquet/format.h"

#include "base/str.h"

static const char *const type_names[] = {"BOOLEAN", "INT32",  "INT64",      "INT96",
                                         "FLOAT",   "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};

static const char *const encoding_names[] = {
    "PLAIN",          "GROUP_VAR_INT",       "PLAIN_DICTIONARY",        "RLE",
    "BIT_PACKED",     "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY",
    "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"};

static const char *const codec_names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                          "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};

size_t ta_pq_type_width(enum ta_pq_type type)
{
    switch (type) {
    case TA_PQ_BOOL:
        return 1;
    case TA_PQ_INT32:
    case TA_PQ_FLOAT:
        return 4;
    case TA_PQ_INT64:
    case TA_PQ_DOUBLE:
        return 8;
    default:
        return 0;
    }
}

const char *ta_pq_type_name(unsigned type)
{
    return type < TA_COUNT(type_names) ? type_names[type] : "unknown";
}

const char *ta_pq_encoding_name(unsigned encoding)
{
    return encoding < TA_COUNT(encoding_names) ? encoding_names[encoding] : "unknown";
}

const char *ta_pq_codec_name(unsigned codec)
{
    return codec < TA_COUNT(codec_names) ? codec_names[codec] : "unknown";
}
