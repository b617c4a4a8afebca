#include "rest/credentials.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool take(struct ta_x509 *out, const char *cert, const char *key)
{
    if (!cert || !key || strlen(cert) >= sizeof(out->cert) || strlen(key) >= sizeof(out->key) ||
        access(cert, R_OK) < 0 || access(key, R_OK) < 0)
        return false;
    memcpy(out->cert, cert, strlen(cert) + 1);
    memcpy(out->key, key, strlen(key) + 1);
    return true;
}

bool ta_x509_find(struct ta_x509 *out, ta_env_reader env)
{
    char proxy[64], cert[512], key[512];
    const char *home = env("HOME");

    *out = (struct ta_x509){0};
    if (take(out, env("X509_HOST_CERT"), env("X509_HOST_KEY")) ||
        take(out, env("X509_USER_PROXY"), env("X509_USER_PROXY")) ||
        take(out, env("X509_USER_CERT"), env("X509_USER_KEY")))
        return true;
    snprintf(proxy, sizeof(proxy), "/tmp/x509up_u%lu", (unsigned long)getuid());
    if (take(out, proxy, proxy))
        return true;
    if (!home || strlen(home) > 400)
        return false;
    snprintf(cert, sizeof(cert), "%s/.globus/usercert.pem", home);
    snprintf(key, sizeof(key), "%s/.globus/userkey.pem", home);
    return take(out, cert, key);
}

int ta_x509_check_key(const char *key, struct ta_err *err)
{
    struct stat st;

    if (stat(key, &st) < 0)
        return ta_fail_sys(err, "%.200s", key);
    if (st.st_mode & 077)
        return ta_fail(err, TA_EDENIED,
                       "%.200s: a private key that others may read (mode %03o) is not used", key,
                       (unsigned)(st.st_mode & 0777));
    return TA_OK;
}
