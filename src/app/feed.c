#include "app/feed.h"

#include "base/str.h"

static int64_t feed_read(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct ta_feed *f = TA_CONTAINER(self, struct ta_feed, source);

    (void)err;
    if (f->len == 0)
        return f->is_end ? 0 : TA_EAGAIN;
    n = n < f->len ? n : f->len;
    memcpy(buf, f->at, n);
    f->at += n;
    f->len -= n;
    return (int64_t)n;
}

void ta_feed_init(struct ta_feed *f)
{
    *f = (struct ta_feed){.source = {feed_read}};
}
