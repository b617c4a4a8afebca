/* poison.c - messages that could not be read whole, kept for a person to look at. */
#include "app/nats_in.h"

#include "base/units.h"

enum { HEAD_MAX = 1024 };

void ta_poison_init(struct ta_poison *p, struct ta_vfs *vfs, struct ta_clock *clock,
                    const char *path, uint64_t max_bytes)
{
    struct ta_stat st;

    *p = (struct ta_poison){.path = path, .max_bytes = max_bytes, .vfs = vfs, .clock = clock};
    pthread_mutex_init(&p->lock, NULL);
    if (path && vfs->stat(vfs, path, &st, NULL) == TA_OK)
        p->bytes = st.size; /* an earlier life's messages count */
}

void ta_poison_done(struct ta_poison *p)
{
    pthread_mutex_destroy(&p->lock);
}

/* The directory is made when the first message comes. */
static void make_dir(struct ta_poison *p)
{
    char dir[4096];
    const char *slash = strrchr(p->path, '/');

    if (!slash || (size_t)(slash - p->path) >= sizeof(dir))
        return;
    memcpy(dir, p->path, (size_t)(slash - p->path));
    dir[slash - p->path] = 0;
    (void)ta_mkdir_all(p->vfs, dir, 0750, NULL); /* if it fails, the open tells */
}

static int append(struct ta_poison *p, struct ta_str head, struct ta_str text)
{
    struct ta_file *file = NULL;

    if (p->bytes == 0)
        make_dir(p);
    int r = ta_open(p->vfs, p->path, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_NOFOLLOW, 0600, &file,
                    NULL);

    if (r < 0)
        return r;
    r = ta_pwrite_full(file, head.at, head.len, p->bytes, NULL);
    if (r == TA_OK)
        r = ta_pwrite_full(file, text.at, text.len, p->bytes + head.len, NULL);
    if (r == TA_OK)
        r = ta_pwrite_full(file, "\n", 1, p->bytes + head.len + text.len, NULL);
    int c = ta_close(&file, NULL);
    return r < 0 ? r : c;
}

void ta_poison_keep(struct ta_poison *p, struct ta_str subject, struct ta_str text,
                    const char *reason)
{
    char room[HEAD_MAX];
    char when[32];
    struct ta_buf head = {.at = room, .cap = sizeof(room), .max = sizeof(room)};
    int r = ta_buf_printf(&head, "# %s %.255s: %s\n", ta_format_time(when, ta_now_s(p->clock)),
                          subject.at ? subject.at : "", reason);

    atomic_fetch_add(&p->messages, 1);
    pthread_mutex_lock(&p->lock);
    uint64_t bytes = head.len + text.len + 1;
    if (r == TA_OK && p->path && bytes <= p->max_bytes && p->bytes <= p->max_bytes - bytes &&
        append(p, ta_buf_view(&head), text) == TA_OK)
        p->bytes += bytes;
    else
        atomic_fetch_add(&p->unkept, 1);
    pthread_mutex_unlock(&p->lock);
}
