#include "archive/place.h"

#include "persist/host_files.h"

#include <stdio.h>

static int path_of(const struct ta_arc_place_dir *p, const char *name, char out[static TA_PATH_MAX],
                   struct ta_err *err)
{
    int n = snprintf(out, TA_PATH_MAX, "%s/%s", p->dir, name);

    return n < 0 || n >= TA_PATH_MAX ? ta_fail(err, TA_ERANGE, "%s/%s: path too long", p->dir, name)
                                     : TA_OK;
}

static int dir_exists(struct ta_arc_place *self, const char *name, struct ta_err *err)
{
    struct ta_arc_place_dir *p = TA_CONTAINER(self, struct ta_arc_place_dir, place);
    struct ta_err why = {0};
    char path[TA_PATH_MAX];
    struct ta_stat st;
    int r = path_of(p, name, path, err);

    if (r < 0)
        return r;
    r = p->vfs->stat(p->vfs, path, &st, &why);
    if (r == TA_ENOTFOUND)
        return 0;
    return r < 0 ? ta_fail(err, r, "%s", why.text) : 1;
}

static int dir_publish(struct ta_arc_place *self, const char *path, const char *name,
                       struct ta_err *err)
{
    struct ta_arc_place_dir *p = TA_CONTAINER(self, struct ta_arc_place_dir, place);
    char to[TA_PATH_MAX];
    int r = path_of(p, name, to, err);

    if (r < 0)
        return r;
    char *slash = strrchr(to, '/');
    *slash = 0;
    r = ta_mkdir_all(p->vfs, to, p->dir_mode, err);
    if (r < 0)
        return r;
    *slash = '/';
    r = p->vfs->rename_new(p->vfs, path, to, err);
    if (r < 0)
        return r;
    *slash = 0;
    return p->vfs->sync_dir(p->vfs, to, err);
}

void ta_arc_place_dir_init(struct ta_arc_place_dir *p, struct ta_vfs *vfs, const char *dir,
                           unsigned dir_mode)
{
    *p = (struct ta_arc_place_dir){
        .place = {dir_exists, dir_publish}, .vfs = vfs, .dir = dir, .dir_mode = dir_mode};
}
