#include "app/protector.h"

#include <stdio.h>
#include <string.h>

static int make_text(char **out, size_t *room, const char *head, const char *tail)
{
    *room = strlen(head) + strlen(tail) + 1;
    *out = ta_alloc(&ta_heap, *room);
    if (!*out)
        return TA_ENOMEM;
    snprintf(*out, *room, "%s%s", head, tail);
    return TA_OK;
}

/* The URL without its slash at the end, and where the answer is kept. */
static int make_names(struct ta_protector *p, const struct ta_config *c)
{
    int r = make_text(&p->url, &p->url_room, c->main.backend_url, "");

    if (r < 0)
        return r;
    size_t len = strlen(p->url);
    if (len > 0 && p->url[len - 1] == '/')
        p->url[len - 1] = 0;
    return make_text(&p->path, &p->path_room, c->store.checkpoint_dir,
                     "/.tarn/state/used-nodes.json");
}

static void load(struct ta_protector *p)
{
    struct ta_err why = {0};

    if (ta_used_nodes_load(&p->known, p->vfs, p->path, &why) < 0)
        ta_logf(p->log, TA_LOG_WARN, "the last list of nodes with jobs is lost: %s", why.text);
    p->counts.nodes = p->known.n;
}

int ta_protector_open(struct ta_protector *p, const struct ta_config *config, struct ta_vfs *vfs,
                      struct ta_clock *clock, struct ta_log *log, struct ta_err *err)
{
    *p = (struct ta_protector){.vfs = vfs, .clock = clock, .log = log};
    if (!config->main.backend_url[0] && !config->main.db[0])
        return TA_OK;
    p->database = config->main.db;
    if (make_names(p, config) < 0) {
        ta_protector_close(p);
        return ta_fail(err, TA_ENOMEM, "node provider");
    }
    p->is_on = true;
    pthread_mutex_init(&p->lock, NULL);
    p->provider = (struct ta_node_provider_conf){
        .url = p->url, .token_file = config->tarn.backend_token_file, .stop = &p->stop};
    ta_used_nodes_init(&p->known, &ta_heap);
    load(p);
    if (p->database[0])
        ta_protector_ask(p); /* at once, since it costs little: better than the last answer */
    return TA_OK;
}

void ta_protector_close(struct ta_protector *p)
{
    ta_release(&ta_heap, p->url, p->url_room);
    ta_release(&ta_heap, p->path, p->path_room);
    if (p->is_on) {
        ta_used_nodes_done(&p->known);
        pthread_mutex_destroy(&p->lock);
    }
    *p = (struct ta_protector){0};
}

/* ---- asking ------------------------------------------------------------------------------------ */

static void save(struct ta_protector *p)
{
    struct ta_err why = {0};
    char dir[4096];
    const char *slash = strrchr(p->path, '/');
    int r = TA_OK;

    if ((size_t)(slash - p->path) >= sizeof(dir))
        r = ta_fail(&why, TA_ERANGE, "the path is too long");
    if (r == TA_OK) {
        memcpy(dir, p->path, (size_t)(slash - p->path));
        dir[slash - p->path] = 0;
        r = ta_mkdir_all(p->vfs, dir, 0750, &why);
    }
    if (r == TA_OK)
        r = ta_used_nodes_save(&p->known, p->vfs, p->path, &why);
    if (r < 0)
        ta_logf(p->log, TA_LOG_WARN, "the list of nodes with jobs is not kept for a restart: %s",
                why.text);
}

void ta_protector_ask(struct ta_protector *p)
{
    int64_t now_s = ta_now_s(p->clock);
    struct ta_used_nodes next;
    struct ta_err why = {0};

    ta_used_nodes_init(&next, &ta_heap);
    int r = p->database[0] ? ta_used_nodes_of_jobs(&next, p->database, now_s, &why)
                           : ta_used_nodes_ask(&next, &p->provider, now_s, &why);
    if (r == TA_ECANCELED) { /* the server stops */
        ta_used_nodes_done(&next);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->counts.asked++;
    p->counts.failed += r < 0;
    if (r == TA_OK) {
        struct ta_used_nodes old = p->known;
        p->known = next;
        next = old;
        p->counts.nodes = p->known.n;
        p->counts.answered_s = now_s;
    }
    pthread_mutex_unlock(&p->lock);
    ta_used_nodes_done(&next);
    if (r < 0)
        ta_logf(p->log, TA_LOG_WARN,
                "nodes with running jobs: %s; the last answer counts (%zu nodes)", why.text,
                p->known.n);
    else
        save(p);
}

void ta_protector_quit(struct ta_protector *p)
{
    atomic_store(&p->stop, true);
}

/* ---- looking ------------------------------------------------------------------------------------ */

bool ta_protector_has(struct ta_protector *p, struct ta_str cluster, struct ta_str host)
{
    if (!p->is_on)
        return false;
    pthread_mutex_lock(&p->lock);
    bool has = ta_used_nodes_has(&p->known, cluster, host);
    pthread_mutex_unlock(&p->lock);
    return has;
}

void ta_protector_counts(struct ta_protector *p, struct ta_protector_counts *out)
{
    pthread_mutex_lock(&p->lock);
    *out = p->counts;
    pthread_mutex_unlock(&p->lock);
}
