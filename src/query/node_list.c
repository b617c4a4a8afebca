/* node_list.c - whether a node list names a host; declared in cluster.h.
 *
 * Ranges of different widths may stand side by side, so several readings of a name can be open at
 * once: the set of places in the name that the term so far can reach is carried along.
 */
#include "base/number.h"
#include "query/cluster.h"

enum { NAME_MAX_BYTES = 255 };

struct places {
    bool is_in[NAME_MAX_BYTES + 1];
};

static bool number_at(struct ta_str host, size_t at, size_t width, uint64_t *out)
{
    if (width > host.len - at || width > 18)
        return false;
    for (size_t i = at; i < at + width; i++)
        if (host.at[i] < '0' || host.at[i] > '9')
            return false;
    return ta_parse_u64((struct ta_str){host.at + at, width}, out) >= 0;
}

/* One "a-b" of a bracket: adds where it leads to. */
static void step_range(struct ta_str range, struct ta_str host, const struct places *from,
                       struct places *to)
{
    size_t width = range.len / 2;
    uint64_t low, high, n;

    if (range.len < 3 || range.len % 2 == 0 || range.at[width] != '-' ||
        !number_at(range, 0, width, &low) || !number_at(range, width + 1, width, &high))
        return;
    for (size_t i = 0; i <= host.len; i++)
        if (from->is_in[i] && number_at(host, i, width, &n) && n >= low && n <= high)
            to->is_in[i + width] = true;
}

static void step_bracket(struct ta_str ranges, struct ta_str host, struct places *p)
{
    struct places next = {0};

    while (ranges.len > 0) {
        const char *comma = memchr(ranges.at, ',', ranges.len);
        size_t len = comma ? (size_t)(comma - ranges.at) : ranges.len;

        step_range((struct ta_str){ranges.at, len}, host, p, &next);
        len += comma != NULL;
        ranges = (struct ta_str){ranges.at + len, ranges.len - len};
    }
    *p = next;
}

static void step_literal(char c, struct ta_str host, struct places *p)
{
    for (size_t i = host.len; i > 0; i--)
        p->is_in[i] = p->is_in[i - 1] && host.at[i - 1] == c;
    p->is_in[0] = false;
}

static bool term_has(struct ta_str term, struct ta_str host)
{
    struct places p = {{true}};

    for (size_t i = 0; i < term.len;) {
        if (term.at[i] != '[') {
            step_literal(term.at[i++], host, &p);
            continue;
        }
        const char *close = memchr(term.at + i, ']', term.len - i);
        if (!close)
            return false;
        size_t end = (size_t)(close - term.at);
        step_bracket((struct ta_str){term.at + i + 1, end - i - 1}, host, &p);
        i = end + 1;
    }
    return p.is_in[host.len];
}

bool ta_node_list_has(struct ta_str list, struct ta_str host)
{
    bool is_inside = false;
    size_t begin = 0;

    if (host.len == 0 || host.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i <= list.len; i++) {
        char c = i < list.len ? list.at[i] : ',';

        if (i == list.len || (c == ',' && !is_inside)) {
            if (i > begin && term_has((struct ta_str){list.at + begin, i - begin}, host))
                return true;
            begin = i + 1;
        }
        is_inside = c == '[' || (is_inside && c != ']');
    }
    return false;
}
