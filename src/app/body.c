#include "app/body.h"

#include "base/str.h"

static int64_t body_read(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct ta_body *b = TA_CONTAINER(self, struct ta_body, source);

    (void)err;
    if (b->len == 0)
        return b->is_end ? 0 : TA_EAGAIN;
    n = n < b->len ? n : b->len;
    memcpy(buf, b->at, n);
    b->at += n;
    b->len -= n;
    return (int64_t)n;
}

void ta_body_init(struct ta_body *b)
{
    *b = (struct ta_body){.source = {body_read}};
}

static int parse_on(struct ta_body *b, ta_body_parser parse, void *object, struct ta_err *err)
{
    if (b->is_parsed)
        return TA_OK;
    int r = parse(object, &b->source, err);
    b->is_parsed = r != TA_EAGAIN;
    return r;
}

int ta_body_piece(struct ta_body *b, const char *at, size_t len, ta_body_parser parse, void *object,
                  struct ta_err *err)
{
    b->at = at;
    b->len = len;
    int r = parse_on(b, parse, object, err);
    return r == TA_EAGAIN ? TA_OK : r;
}

int ta_body_end(struct ta_body *b, ta_body_parser parse, void *object, struct ta_err *err)
{
    b->len = 0;
    b->is_end = true;
    return parse_on(b, parse, object, err);
}
