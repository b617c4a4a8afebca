#include "app/job_event.h"

struct walk {
    const char *at, *end;
};

static bool is_at(const struct walk *w, char c)
{
    return w->at < w->end && *w->at == c;
}

/* Up to the first of `stops` that no backslash stands before; the end stops too. */
static struct ta_str take_until(struct walk *w, const char *stops)
{
    const char *begin = w->at;

    while (w->at < w->end && !strchr(stops, *w->at))
        w->at += *w->at == '\\' && w->end - w->at > 1 ? 2 : 1;
    return (struct ta_str){begin, (size_t)(w->at - begin)};
}

static int take_tags(struct walk *w, struct ta_job_event *out, struct ta_err *err)
{
    while (is_at(w, ',')) {
        struct ta_str key, value;

        w->at++;
        key = take_until(w, "=, \n");
        if (!is_at(w, '='))
            return ta_fail(err, TA_EFORMAT, "a tag without a value");
        w->at++;
        value = take_until(w, ", \n");
        if (ta_str_is(key, "function"))
            out->function = value;
    }
    return TA_OK;
}

/* Behind the opening quote, up to and with the closing one. `into` NULL: passed over. */
static int take_text(struct walk *w, struct ta_buf *into, struct ta_err *err)
{
    while (w->at < w->end && *w->at != '"') {
        int e;

        if (*w->at == '\\' && w->end - w->at > 1 && (w->at[1] == '"' || w->at[1] == '\\'))
            w->at++;
        e = into ? ta_buf_byte(into, *w->at) : TA_OK;
        if (e < 0)
            return ta_fail(err, e, "the event is too large");
        w->at++;
    }
    if (!is_at(w, '"'))
        return ta_fail(err, TA_EFORMAT, "a text without its closing quote");
    w->at++;
    return TA_OK;
}

static int take_fields(struct walk *w, struct ta_job_event *out, struct ta_buf *event,
                       struct ta_err *err)
{
    do {
        struct ta_str key;
        bool is_event;
        int e;

        w->at++; /* the space, or the comma */
        key = take_until(w, "=, \n");
        if (!key.len || !is_at(w, '='))
            return ta_fail(err, TA_EFORMAT, "a field without a value");
        w->at++;
        if (!is_at(w, '"')) {
            (void)take_until(w, ", \n"); /* a number or the like: not asked for */
            continue;
        }
        w->at++;
        is_event = ta_str_is(key, "event");
        if (is_event)
            ta_buf_reset(event);
        e = take_text(w, is_event ? event : NULL, err);
        if (e < 0)
            return e;
        out->has_event |= is_event;
    } while (is_at(w, ','));
    return TA_OK;
}

static int take_line(struct walk *w, struct ta_job_event *out, struct ta_buf *event,
                     struct ta_err *err)
{
    int e;

    *out = (struct ta_job_event){.measurement = take_until(w, ", \n")};
    if (!out->measurement.len)
        return ta_fail(err, TA_EFORMAT, "a line without a measurement");
    e = take_tags(w, out, err);
    if (e >= 0 && !is_at(w, ' '))
        e = ta_fail(err, TA_EFORMAT, "a line without a field");
    if (e >= 0)
        e = take_fields(w, out, event, err);
    if (e < 0)
        return e;
    if (w->at < w->end && *w->at != '\n' && *w->at != ' ' && *w->at != '\r')
        return ta_fail(err, TA_EFORMAT, "something behind the fields that is no time");
    (void)take_until(w, "\n"); /* when it happened is in the event itself */
    return 1;
}

int ta_job_event_next(struct ta_str *rest, struct ta_job_event *out, struct ta_buf *event,
                      struct ta_err *err)
{
    struct walk w = {rest->at, rest->at + rest->len};
    int e = 0;

    ta_buf_reset(event);
    while (is_at(&w, '\n') || is_at(&w, '\r') || is_at(&w, ' ') || is_at(&w, '#')) {
        if (*w.at == '#')
            (void)take_until(&w, "\n");
        else
            w.at++;
    }
    if (w.at < w.end)
        e = take_line(&w, out, event, err);
    *rest = (struct ta_str){w.at, (size_t)(w.end - w.at)};
    return e;
}
