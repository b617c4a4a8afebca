/* backend_shared.c - see backend_int.h. */
#include "jobs/backend_int.h"

#include <inttypes.h>

#include "base/number.h"

int ta_backend_names_init(struct ta_backend_names *names, struct ta_arena *arena,
                          struct ta_err *err)
{
    *names = (struct ta_backend_names){
        .arena = arena, .at = ta_arena_get(arena, TA_BACKEND_CLUSTERS_MAX * sizeof(struct ta_str))};
    return names->at ? TA_OK : ta_fail(err, TA_ENOMEM, "no memory for the names of clusters");
}

int ta_backend_names_add(struct ta_backend_names *names, struct ta_str name, struct ta_err *err)
{
    for (size_t i = 0; i < names->n; i++)
        if (ta_str_eq(names->at[i], name))
            return TA_OK;
    if (names->n == TA_BACKEND_CLUSTERS_MAX)
        return ta_fail(err, TA_ERANGE, "more than %d clusters", TA_BACKEND_CLUSTERS_MAX);
    struct ta_str copy = ta_arena_copy(names->arena, name);
    if (!copy.at)
        return ta_fail(err, TA_ENOMEM, "no memory for the names of clusters");
    names->at[names->n++] = copy;
    return TA_OK;
}

static int number_of(struct ta_str text, int64_t *out)
{
    if (text.len && text.at[text.len - 1] == '\n')
        text.len--;
    return ta_parse_i64(text, out);
}

int ta_backend_version_of(const char *name, struct ta_str text,
                          const struct ta_backend_options *options, int64_t *out,
                          struct ta_err *err)
{
    if (number_of(text, out) < 0)
        return ta_fail(err, TA_EFORMAT, "%s: its version \"%.*s\" is no number", name,
                       (int)(text.len < 32 ? text.len : 32), text.at ? text.at : "");
    if (*out == TA_BACKEND_VERSION ||
        (options->may_be_old && *out >= 1 && *out < TA_BACKEND_VERSION))
        return TA_OK;
    return ta_fail(err, TA_ESTATE, "%s: a job archive of version %" PRId64 ", not %d%s", name, *out,
                   TA_BACKEND_VERSION,
                   *out >= 1 && *out < TA_BACKEND_VERSION
                       ? ": bring it up to date with 'tarn job-archive migrate'"
                       : "");
}

int ta_backend_mark_of(const char *name, struct ta_str text, int64_t *out, struct ta_err *err)
{
    return number_of(text, out) < 0
               ? ta_fail(err, TA_EFORMAT, "%s: the time of the last compression is no number", name)
               : TA_OK;
}

int64_t ta_backend_piece(const struct ta_backend_data *data, uint64_t *done, void *buf, size_t room,
                         struct ta_err *err)
{
    uint64_t left = data->bytes - *done;
    unsigned char more;
    int64_t n = left ? data->source->read(data->source, buf, left < room ? (size_t)left : room, err)
                     : data->source->read(data->source, &more, 1, err);

    if (n < 0)
        return n;
    if (left ? n == 0 : n > 0)
        return ta_fail(err, TA_EFORMAT,
                       "a job's data are %s than the %" PRIu64 " bytes they should be",
                       left ? "shorter" : "longer", data->bytes);
    *done += left ? (uint64_t)n : 0;
    return left ? n : 0;
}
