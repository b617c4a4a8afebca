#include "app/privileges.h"

#include "base/alloc.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

enum { ENTRY_MAX = 64 * 1024 }; /* bytes of one passwd or group entry; groups list members */

struct identity {
    uid_t uid;
    gid_t gid;
    bool has_user, has_group;
};

static int find_user(const char *name, char *buf, struct identity *id, struct ta_err *err)
{
    struct passwd entry, *found = NULL;
    int sys = getpwnam_r(name, &entry, buf, ENTRY_MAX, &found);

    if (!found) {
        errno = sys;
        return sys ? ta_fail_sys(err, "main.user: looking up \"%.64s\"", name)
                   : ta_fail(err, TA_ENOTFOUND, "main.user: unknown user \"%.64s\"", name);
    }
    id->uid = entry.pw_uid;
    id->gid = entry.pw_gid;
    id->has_user = id->has_group = true;
    return TA_OK;
}

static int find_group(const char *name, char *buf, struct identity *id, struct ta_err *err)
{
    struct group entry, *found = NULL;
    int sys = getgrnam_r(name, &entry, buf, ENTRY_MAX, &found);

    if (!found) {
        errno = sys;
        return sys ? ta_fail_sys(err, "main.group: looking up \"%.64s\"", name)
                   : ta_fail(err, TA_ENOTFOUND, "main.group: unknown group \"%.64s\"", name);
    }
    id->gid = entry.gr_gid;
    id->has_group = true;
    return TA_OK;
}

static bool is_already(const struct identity *id)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;

    if (getresuid(&r, &e, &s) < 0 || getresgid(&rg, &eg, &sg) < 0)
        return false;
    bool user_is = !id->has_user || (r == id->uid && e == id->uid && s == id->uid);
    /* A service manager that started us as the user may have chosen the group as well. */
    bool group_is = rg == id->gid && eg == id->gid && sg == id->gid;
    return e != 0 && user_is && group_is;
}

static int verify(const struct identity *id, struct ta_err *err)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;

    if (getresuid(&r, &e, &s) < 0 || getresgid(&rg, &eg, &sg) < 0)
        return ta_fail_sys(err, "reading user and group ids");
    if (rg != id->gid || eg != id->gid || sg != id->gid)
        return ta_fail(err, TA_ESTATE, "the group id did not change for good");
    if (!id->has_user)
        return TA_OK;
    if (r != id->uid || e != id->uid || s != id->uid)
        return ta_fail(err, TA_ESTATE, "the user id did not change for good");
    if (id->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
        return ta_fail(err, TA_ESTATE, "root could be regained after dropping it");
    return TA_OK;
}

static int become(const char *user, const struct identity *id, struct ta_err *err)
{
    if (id->has_user ? initgroups(user, id->gid) < 0 : setgroups(1, &id->gid) < 0)
        return ta_fail_sys(err, "setting the supplementary groups");
    if (setresgid(id->gid, id->gid, id->gid) < 0)
        return ta_fail_sys(err, "setting the group id");
    if (id->has_user && setresuid(id->uid, id->uid, id->uid) < 0)
        return ta_fail_sys(err, "setting the user id");
    return verify(id, err);
}

/* Who the names are; *out stays empty when both are. */
static int find(const char *user, const char *group, struct identity *out, struct ta_err *err)
{
    int r = TA_OK;

    if (!user[0] && !group[0])
        return TA_OK;
    char *buf = ta_alloc(&ta_heap, ENTRY_MAX);
    if (!buf)
        return ta_fail(err, TA_ENOMEM, "no memory to look up the user");
    if (user[0])
        r = find_user(user, buf, out, err);
    if (r == TA_OK && group[0])
        r = find_group(group, buf, out, err);
    ta_release(&ta_heap, buf, ENTRY_MAX);
    return r;
}

int ta_privileges_check(const char *user, const char *group, struct ta_err *err)
{
    struct identity id = {0};

    return find(user, group, &id, err);
}

int ta_privileges_drop(const char *user, const char *group, struct ta_err *err)
{
    struct identity id = {0};
    int r = find(user, group, &id, err);

    if (r < 0 || (!id.has_user && !id.has_group) || is_already(&id))
        return r;
    return become(user, &id, err);
}
