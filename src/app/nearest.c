#include "app/nearest.h"

enum { NAME_MAX_BYTES = 64 };

/* Edit distance (insert, delete, replace, swap of neighbours): "optimal string alignment". Both
 * lengths are at most NAME_MAX_BYTES. */
static unsigned distance(struct ta_str a, const char *b, size_t b_len)
{
    unsigned rows[3][NAME_MAX_BYTES + 1];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned best = last[j - 1] + (a.at[i - 1] != b[j - 1]);

            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a.at[i - 1] == b[j - 2] && a.at[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        unsigned *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b_len];
}

void ta_nearest_init(struct ta_nearest *n, struct ta_str wanted)
{
    /* A third of the letters may be wrong: more is another word, not a slip. */
    *n = (struct ta_nearest){.wanted = wanted, .distance = (unsigned)(wanted.len / 3 + 2)};
}

void ta_nearest_offer(struct ta_nearest *n, const char *candidate)
{
    size_t len = strlen(candidate);

    if (n->wanted.len > NAME_MAX_BYTES || len > NAME_MAX_BYTES || n->wanted.len == 0)
        return;
    unsigned d = distance(n->wanted, candidate, len);
    if (d < n->distance) {
        n->distance = d;
        n->best = candidate;
    }
}
