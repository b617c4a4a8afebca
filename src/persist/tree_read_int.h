/* tree_read_int.h - shared by tree_read.c (binary files, life) and tree_read_json.c. */
#ifndef TARN_PERSIST_TREE_READ_INT_H
#define TARN_PERSIST_TREE_READ_INT_H

#include "io/json_read.h"
#include "persist/tree_read.h"

enum {
    TREE_WINDOW = 256 * 1024, /* of a binary file; longer than the longest name and head */
    TREE_FREQ_MAX = 1 << 30
};
#define TREE_TIME_MAX ((int64_t)1 << 53)

struct tree_bin_level {
    uint32_t metrics_left, children_left;
    bool has_children; /* their count was read */
};

struct tree_bin {
    uint64_t size, at; /* of the file; of the next byte */
    uint64_t window_at;
    size_t window_len;
    unsigned char *window;
    bool has_begun;
    unsigned mute;    /* levels from this depth on are passed over; 0: none */
    bool is_skipping; /* the values at `at` are */
    uint32_t values_left;
    struct tree_bin_level level[TA_TREE_DEPTH_MAX];
};

enum tree_json_state { JSON_LEVEL, JSON_METRICS, JSON_CHILDREN, JSON_METRIC, JSON_DATA };

/* One value after a key decides where it goes. */
enum tree_json_key { KEY_OTHER, KEY_FROM, KEY_TO, KEY_FREQ, KEY_START, KEY_DATA, KEY_NAME };

/* From offset `at` of the file on. */
struct tree_json_source {
    struct ta_source source;
    struct ta_file *file;
    uint64_t at;
};

struct tree_json {
    struct tree_json_source source, again_source;
    struct ta_json_reader *json, *again; /* again: the data array that stood before its head */
    enum tree_json_state state[2 * TA_TREE_DEPTH_MAX + 2];
    unsigned n_states;
    bool has_begun;
    enum tree_json_key key;
    bool has_freq, has_start, has_head; /* of the open metric; head: its event was given */
    bool has_data;
    int64_t freq_s, start_s;
    uint64_t metric_at, data_at;
    size_t n_values; /* collected */
    size_t n_given;  /* of them: given, gone with the next call */
    bool is_skipping;
    bool has_again_begun, is_broken;
};

struct tree_name {
    size_t len;
    char at[TA_TREE_NAME_READ_MAX];
};

struct ta_tree_reader {
    struct ta_alloc *alloc;
    struct ta_file *file;
    enum ta_tree_format format;
    bool is_ended;
    bool has_from, has_to;
    int64_t from_s, to_s;
    unsigned depth; /* of the open level */
    struct tree_name level[TA_TREE_DEPTH_MAX], metric;
    struct tree_bin bin;
    struct tree_json json;
    double values[TA_TREE_PIECE + 1];
};

void ta_tree_name_set(struct tree_name *n, struct ta_str s);
/* Could such an array stand in this file? NULL, or what is wrong with it. */
const char *ta_tree_implausible(const struct ta_tree_reader *r, int64_t freq_s, int64_t start_s,
                                uint64_t count);
/* Fills *out with the rest of the file as damage and ends the reading. Returns 1. */
int ta_tree_stop(struct ta_tree_reader *r, struct ta_tree_event *out, uint64_t at, uint64_t end,
                 const char *why);

int ta_tree_json_open(struct ta_tree_reader *r);
void ta_tree_json_close(struct ta_tree_reader *r);
int ta_tree_json_next(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err);

#endif
