/* vfs_mem_state.c - what the disk holds, what is only in memory, and what a crash makes of both.
 *
 * Entries are three lists: as seen (live), as on disk (durable), and the changes in between
 * (pending, in order). A crash applies some of the pending changes to the durable list.
 */
#include "base/rand.h"
#include "io/vfs_mem_int.h"

#include <string.h>

enum { SECTOR = 512 };

static int bytes_reserve(struct ta_vfs_mem *m, struct ta_mem_bytes *b, size_t size)
{
    size_t cap = b->cap ? b->cap : SECTOR;

    if (size <= b->cap)
        return TA_OK;
    while (cap < size && cap <= SIZE_MAX / 2)
        cap *= 2;
    unsigned char *grown = cap < size ? NULL : ta_resize(m->alloc, b->at, b->cap, cap);
    if (!grown)
        return TA_ENOMEM;
    memset(grown + b->cap, 0, cap - b->cap);
    b->at = grown;
    b->cap = cap;
    return TA_OK;
}

int ta_mem_resize_file(struct ta_vfs_mem *m, struct ta_mem_inode *i, size_t size)
{
    int r = bytes_reserve(m, &i->now, size);

    if (r == TA_OK)
        r = bytes_reserve(m, &i->synced, size);
    if (r < 0)
        return r;
    if (size < i->now.size)
        memset(i->now.at + size, 0, i->now.size - size);
    i->now.size = size;
    return TA_OK;
}

static void bytes_done(struct ta_vfs_mem *m, struct ta_mem_bytes *b)
{
    ta_release(m->alloc, b->at, b->cap);
    *b = (struct ta_mem_bytes){0};
}

int ta_mem_new_inode(struct ta_vfs_mem *m, enum ta_file_kind kind, size_t *out)
{
    size_t i = MEM_ROOT;

    ta_mem_collect(m);
    while (i < m->n_inodes && m->inodes[i].in_use)
        i++;
    if (i >= m->cap_inodes) {
        size_t cap = m->cap_inodes ? m->cap_inodes * 2 : 16, width = sizeof(*m->inodes);
        void *grown = ta_resize(m->alloc, m->inodes, m->cap_inodes * width, cap * width);
        if (!grown)
            return TA_ENOMEM;
        m->inodes = grown;
        m->cap_inodes = cap;
    }
    if (m->n_inodes == 0)
        m->inodes[MEM_NONE] = (struct ta_mem_inode){0};
    if (i >= m->n_inodes)
        m->n_inodes = i + 1;
    m->inodes[i] = (struct ta_mem_inode){.kind = kind, .in_use = true, .mtime_ns = ++m->ticks};
    *out = i;
    return TA_OK;
}

static int reserve(struct ta_vfs_mem *m, struct ta_mem_entries *e, size_t want)
{
    size_t cap = e->cap ? e->cap : 16, width = sizeof(*e->at);

    if (want <= e->cap)
        return TA_OK;
    while (cap < want)
        cap *= 2;
    void *grown = ta_resize(m->alloc, e->at, e->cap * width, cap * width);
    if (!grown)
        return TA_ENOMEM;
    e->at = grown;
    e->cap = cap;
    return TA_OK;
}

int ta_mem_reserve_change(struct ta_vfs_mem *m)
{
    size_t most = m->durable.n + m->pending.n + 2;
    int r = reserve(m, &m->pending, m->pending.n + 2);

    if (r == TA_OK)
        r = reserve(m, &m->durable, most);
    if (r == TA_OK)
        r = reserve(m, &m->live, most > m->live.n + 2 ? most : m->live.n + 2);
    return r;
}

size_t ta_mem_find(const struct ta_mem_entries *e, size_t dir, const char *name)
{
    size_t i = 0;

    while (i < e->n && (e->at[i].dir != dir || strcmp(e->at[i].name, name)))
        i++;
    return i;
}

void ta_mem_set(struct ta_mem_entries *e, size_t dir, const char *name, size_t inode)
{
    size_t i = ta_mem_find(e, dir, name);

    if (inode == MEM_NONE) {
        if (i < e->n) { /* in order: a listing goes by serial numbers */
            e->n--;
            memmove(e->at + i, e->at + i + 1, (e->n - i) * sizeof(*e->at));
        }
        return;
    }
    if (i == e->n) {
        e->at[e->n++].dir = dir;
        e->at[i].serial = ++e->last;
        memcpy(e->at[i].name, name, strlen(name) + 1);
    }
    e->at[i].inode = inode;
}

static bool refers(const struct ta_mem_entries *e, size_t inode)
{
    for (size_t i = 0; i < e->n; i++)
        if (e->at[i].inode == inode)
            return true;
    return false;
}

static void drop_entries_of(struct ta_mem_entries *e, size_t dir)
{
    size_t kept = 0;

    for (size_t i = 0; i < e->n; i++)
        if (e->at[i].dir != dir)
            e->at[kept++] = e->at[i];
    e->n = kept;
}

/* A directory takes its entries with it, which may set free more: until nothing changes. */
void ta_mem_collect(struct ta_vfs_mem *m)
{
    bool again = true;

    while (again) {
        again = false;
        for (size_t i = MEM_ROOT + 1; i < m->n_inodes; i++) {
            struct ta_mem_inode *n = &m->inodes[i];
            if (!n->in_use || n->opens || refers(&m->live, i) || refers(&m->durable, i) ||
                refers(&m->pending, i))
                continue;
            bytes_done(m, &n->now);
            bytes_done(m, &n->synced);
            n->in_use = false;
            drop_entries_of(&m->live, i);
            drop_entries_of(&m->durable, i);
            drop_entries_of(&m->pending, i);
            again = true;
        }
    }
}

uint64_t ta_mem_used(struct ta_vfs_mem *m)
{
    uint64_t used = 0;

    for (size_t i = MEM_ROOT + 1; i < m->n_inodes; i++)
        if (m->inodes[i].in_use && (m->inodes[i].opens || refers(&m->live, i)))
            used += m->inodes[i].now.size;
    return used;
}

size_t ta_mem_inodes_used(struct ta_vfs_mem *m)
{
    size_t used = 0;

    for (size_t i = MEM_ROOT; i < m->n_inodes; i++)
        used += m->inodes[i].in_use && (m->inodes[i].opens || refers(&m->live, i));
    return used;
}

void ta_mem_sync_file(struct ta_mem_inode *i)
{
    struct ta_mem_bytes *to = &i->synced;
    size_t end = i->dirty_to < i->now.size ? i->dirty_to : i->now.size;

    if (to->size > i->now.size)
        memset(to->at + i->now.size, 0, to->size - i->now.size);
    to->size = i->now.size;
    if (i->dirty_from < end)
        memcpy(to->at + i->dirty_from, i->now.at + i->dirty_from, end - i->dirty_from);
    i->dirty_from = i->dirty_to = 0;
}

static bool group_touches(const struct ta_mem_entries *e, uint64_t group, size_t dir)
{
    for (size_t i = 0; i < e->n; i++)
        if (e->at[i].group == group && e->at[i].dir == dir)
            return true;
    return false;
}

/* An operation that touches this directory becomes durable as a whole, in its other directory
 * too. What was pending for the same names before it is overtaken and must not come back. */
void ta_mem_sync_dir(struct ta_vfs_mem *m, size_t dir)
{
    struct ta_mem_entries *p = &m->pending;
    size_t kept = 0;

    for (size_t i = 0; i < p->n; i++) {
        struct ta_mem_entry *e = &p->at[i];
        if (!group_touches(p, e->group, dir))
            continue;
        ta_mem_set(&m->durable, e->dir, e->name, e->inode);
        e->done = true;
        for (size_t j = 0; j < i; j++)
            if (p->at[j].dir == e->dir && !strcmp(p->at[j].name, e->name))
                p->at[j].done = true;
    }
    for (size_t i = 0; i < p->n; i++)
        if (!p->at[i].done)
            p->at[kept++] = p->at[i];
    p->n = kept;
}

static void end_life(struct ta_vfs_mem *m)
{
    m->life++;
    for (size_t i = MEM_ROOT; i < m->n_inodes; i++)
        m->inodes[i].lock_owner = NULL;
}

void ta_vfs_mem_kill(struct ta_vfs_mem *m)
{
    pthread_mutex_lock(&m->lock);
    end_life(m);
    pthread_mutex_unlock(&m->lock);
}

static void cut_file(struct ta_mem_inode *n, struct ta_rand *rand)
{
    size_t size = ta_rand_u64(rand) & 1 ? n->now.size : n->synced.size;

    /* Both have the same room and zeros behind their sizes. */
    for (size_t at = 0; at < size; at += SECTOR) {
        size_t width = size - at < SECTOR ? size - at : SECTOR;
        if (ta_rand_u64(rand) & 1)
            memcpy(n->now.at + at, n->synced.at + at, width);
    }
    if (n->now.size > size)
        memset(n->now.at + size, 0, n->now.size - size);
    if (n->now.cap)
        memcpy(n->synced.at, n->now.at, n->now.cap);
    n->now.size = n->synced.size = size;
    n->dirty_from = n->dirty_to = 0;
}

/* Whether the operation of a group happened: one answer for each of its entries. */
static bool happened(uint64_t seed, uint64_t group)
{
    struct ta_rand r = {seed ^ group * 0x9e3779b97f4a7c15u};

    return ta_rand_u64(&r) & 1;
}

void ta_vfs_mem_power_cut(struct ta_vfs_mem *m, uint64_t seed)
{
    struct ta_rand rand = {seed};

    pthread_mutex_lock(&m->lock);
    end_life(m);
    for (size_t i = 0; i < m->pending.n; i++) {
        const struct ta_mem_entry *e = &m->pending.at[i];
        if (happened(seed, e->group))
            ta_mem_set(&m->durable, e->dir, e->name, e->inode);
    }
    m->pending.n = 0;
    m->live.n = m->durable.n;
    m->live.last = m->durable.last;
    if (m->durable.n)
        memcpy(m->live.at, m->durable.at, m->durable.n * sizeof(*m->live.at));
    for (size_t i = MEM_ROOT + 1; i < m->n_inodes; i++)
        if (m->inodes[i].in_use && m->inodes[i].kind == TA_KIND_FILE)
            cut_file(&m->inodes[i], &rand);
    ta_mem_collect(m);
    pthread_mutex_unlock(&m->lock);
}

static int copy_entries(struct ta_vfs_mem *m, struct ta_mem_entries *to,
                        const struct ta_mem_entries *from)
{
    int r = reserve(m, to, from->cap);

    if (r == TA_OK && from->n)
        memcpy(to->at, from->at, from->n * sizeof(*to->at));
    if (r == TA_OK) {
        to->n = from->n;
        to->last = from->last;
    }
    return r;
}

static int copy_inode(struct ta_vfs_mem *m, size_t at, const struct ta_mem_inode *from)
{
    struct ta_mem_inode *to = &m->inodes[at];

    *to = *from;
    to->opens = 0;
    to->lock_owner = NULL;
    to->now = to->synced = (struct ta_mem_bytes){0};
    int r = bytes_reserve(m, &to->now, from->now.cap);
    if (r == TA_OK)
        r = bytes_reserve(m, &to->synced, from->now.cap);
    if (r < 0)
        return r;
    if (from->now.cap) {
        memcpy(to->now.at, from->now.at, from->now.cap);
        memcpy(to->synced.at, from->synced.at, from->now.cap);
    }
    to->now.size = from->now.size;
    to->synced.size = from->synced.size;
    return TA_OK;
}

int ta_vfs_mem_copy(struct ta_vfs_mem *out, struct ta_vfs_mem *from)
{
    int r = ta_vfs_mem_init(out, from->alloc);

    if (r < 0)
        return r;
    pthread_mutex_lock(&from->lock);
    out->capacity = from->capacity;
    out->inodes_max = from->inodes_max;
    out->read_only = from->read_only;
    out->ticks = from->ticks;
    out->groups = from->groups;
    r = copy_entries(out, &out->live, &from->live);
    if (r == TA_OK)
        r = copy_entries(out, &out->durable, &from->durable);
    if (r == TA_OK)
        r = copy_entries(out, &out->pending, &from->pending);
    for (size_t i = MEM_ROOT + 1; r == TA_OK && i < from->n_inodes; i++) {
        while (r == TA_OK && out->n_inodes <= i) {
            size_t got;
            r = ta_mem_new_inode(out, TA_KIND_FILE, &got);
            if (r == TA_OK)
                out->inodes[got].opens = 1; /* not to be collected on the way */
        }
        if (r == TA_OK)
            r = copy_inode(out, i, &from->inodes[i]);
        if (r == TA_OK)
            out->inodes[i].opens = 1;
    }
    for (size_t i = MEM_ROOT + 1; i < out->n_inodes; i++)
        out->inodes[i].opens = 0;
    pthread_mutex_unlock(&from->lock);
    if (r < 0)
        ta_vfs_mem_done(out);
    return r;
}

void ta_vfs_mem_done(struct ta_vfs_mem *m)
{
    if (!m->alloc)
        return;
    for (size_t i = 0; i < m->n_inodes; i++) {
        bytes_done(m, &m->inodes[i].now);
        bytes_done(m, &m->inodes[i].synced);
    }
    ta_release(m->alloc, m->inodes, m->cap_inodes * sizeof(*m->inodes));
    ta_release(m->alloc, m->live.at, m->live.cap * sizeof(*m->live.at));
    ta_release(m->alloc, m->durable.at, m->durable.cap * sizeof(*m->durable.at));
    ta_release(m->alloc, m->pending.at, m->pending.cap * sizeof(*m->pending.at));
    pthread_mutex_destroy(&m->lock);
    memset(m, 0, sizeof(*m));
}
