/* token.h - a bearer token that comes from a file and goes stale.
 *
 * The file is read again when the token ends within five minutes and after it was refused; a token
 * given as text stays as it is. Its end is read from the token's own claim `exp`, unverified: checking
 * signatures is the server's part. Any thread.
 */
#ifndef TARN_REST_TOKEN_H
#define TARN_REST_TOKEN_H

#include "base/buf.h"
#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { TA_TOKEN_MAX = 16 * 1024 };

struct ta_token_file {
    pthread_mutex_t lock;
    const char *path;   /* NULL: `text` was given as it is */
    struct ta_buf text; /* guarded by lock */
    int64_t end_s;      /* its exp; INT64_MAX: none; guarded by lock */
    bool is_refused;    /* guarded by lock */
};

/* `path` names a file, or (when no such file is there and may_be_text) is the token itself.
 * Borrowed. TA_EINVAL, TA_EIO. */
int ta_token_file_init(struct ta_token_file *t, const char *path, bool may_be_text,
                       struct ta_alloc *alloc, struct ta_err *err);
void ta_token_file_done(struct ta_token_file *t);

/* Adds the present token to `out`. When a new one cannot be read, the old one is given. */
int ta_token_file_get(struct ta_token_file *t, int64_t now_s, struct ta_buf *out,
                      struct ta_err *err);
/* The server said 401: the next get reads the file. */
void ta_token_file_refused(struct ta_token_file *t);

/* `exp` of a JSON web token, INT64_MAX when it has none. */
int64_t ta_token_end_s(struct ta_str token);

#endif
