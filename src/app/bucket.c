#include "app/bucket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char scheme[] = "s3://";

bool ta_bucket_is_address(const char *text)
{
    return strncmp(text, scheme, strlen(scheme)) == 0;
}

static const char *first_of(const char *a, const char *b, const char *c, const char *last)
{
    return a && a[0] ? a : b && b[0] ? b : c && c[0] ? c : last;
}

/* The prefix gets its '/' at the end. */
static int split_address(struct ta_bucket *b, const char *address, struct ta_err *err)
{
    const char *name = address + strlen(scheme);
    size_t len = strcspn(name, "/");
    const char *prefix = name + len + (name[len] == '/');
    size_t rest = strlen(prefix);

    if (len == 0 || len >= sizeof(b->name) || rest + 2 > sizeof(b->prefix))
        return ta_fail(err, TA_EINVAL, "%.200s: expected s3://BUCKET or s3://BUCKET/PREFIX",
                       address);
    snprintf(b->name, sizeof(b->name), "%.*s", (int)len, name);
    snprintf(b->prefix, sizeof(b->prefix), "%s%s", prefix,
             rest && prefix[rest - 1] != '/' ? "/" : "");
    return TA_OK;
}

static void set_endpoint(struct ta_bucket *b, const char *given, const char *region)
{
    char amazon[128];

    snprintf(amazon, sizeof(amazon), "https://s3.%.64s.amazonaws.com", region);
    snprintf(b->endpoint, sizeof(b->endpoint), "%s",
             first_of(given, getenv("AWS_ENDPOINT_URL_S3"), getenv("AWS_ENDPOINT_URL"), amazon));
    size_t len = strlen(b->endpoint);
    if (len && b->endpoint[len - 1] == '/')
        b->endpoint[len - 1] = 0;
}

int ta_bucket_open(struct ta_bucket *b, const struct ta_bucket_conf *c, struct ta_err *err)
{
    bool is_given = c->access_key && c->access_key[0] && c->secret_key && c->secret_key[0];
    struct ta_sigv4_keys keys = {
        .access = is_given ? c->access_key : getenv("AWS_ACCESS_KEY_ID"),
        .secret = is_given ? c->secret_key : getenv("AWS_SECRET_ACCESS_KEY"),
        .token = is_given ? NULL : getenv("AWS_SESSION_TOKEN"),
        .region =
            first_of(c->region, getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), "us-east-1"),
    };

    memset(b, 0, sizeof(*b));
    int r = split_address(b, c->address, err);
    if (r < 0)
        return r;
    if (!keys.access || !keys.secret)
        return ta_fail(err, TA_EINVAL,
                       "%.200s: there are no keys: neither configured nor in AWS_ACCESS_KEY_ID and "
                       "AWS_SECRET_ACCESS_KEY",
                       c->address);
    set_endpoint(b, c->endpoint, keys.region);
    if ((size_t)snprintf(b->state, sizeof(b->state), "%s/.tarn/archive", c->checkpoints) >=
        sizeof(b->state))
        return ta_fail(err, TA_EINVAL, "%.200s: the path is too long", c->checkpoints);
    const struct ta_s3_conf conf = {
        .endpoint = b->endpoint,
        .bucket = b->name,
        .keys = keys,
        .http = {.ca_file = c->ca_file && c->ca_file[0] ? c->ca_file : NULL, .stop = c->stop},
        .clock = &ta_clock_system,
    };
    r = ta_rest_global_init(err);
    if (r >= 0)
        r = ta_s3_new(&b->s3, &conf, &ta_heap, err);
    if (r >= 0)
        ta_arc_place_s3_init(&b->place, &ta_vfs_posix, b->s3, b->prefix, &ta_heap);
    return r;
}

void ta_bucket_close(struct ta_bucket *b)
{
    ta_s3_free(b->s3);
    b->s3 = NULL;
}
