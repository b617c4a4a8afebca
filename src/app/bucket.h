/* bucket.h - "s3://bucket/prefix" as a place for archive files.
 *
 * What is not given comes from the environment that S3 tools share: AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION or AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3 or
 * AWS_ENDPOINT_URL. Secrets are in no message.
 */
#ifndef TARN_APP_BUCKET_H
#define TARN_APP_BUCKET_H

#include "archive/place_s3.h"

#include <stdbool.h>

/* NULL or "": from the environment, or the usual default. */
struct ta_bucket_conf {
    const char *address;    /* "s3://bucket" or "s3://bucket/some/prefix" */
    const char *endpoint;   /* URL; default Amazon's of the region */
    const char *region;     /* default us-east-1 */
    const char *access_key; /* taken together with secret_key */
    const char *secret_key;
    const char *ca_file;      /* PEM certificates instead of the system's */
    const char *checkpoints;  /* below it the state of unfinished uploads is kept */
    const _Atomic bool *stop; /* ends a transfer under way; may be NULL */
};

struct ta_bucket {
    struct ta_s3 *s3;
    struct ta_arc_place_s3 place;
    char name[256], prefix[1024], endpoint[512];
    char state[4096]; /* CHECKPOINTS/.tarn/archive */
};

bool ta_bucket_is_address(const char *text); /* begins with s3:// */

/* Connects to nothing yet. Borrows conf's strings until the close. TA_EINVAL: the address is malformed or keys
 * are missing. */
int ta_bucket_open(struct ta_bucket *b, const struct ta_bucket_conf *conf, struct ta_err *err);
void ta_bucket_close(struct ta_bucket *b); /* fine on a zeroed struct */

#endif
