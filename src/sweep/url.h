/* url.h - URLs put together piece by piece. */
#ifndef TARN_SWEEP_URL_H
#define TARN_SWEEP_URL_H

#include "base/buf.h"

enum { TA_URL_MAX = 8 * 1024 };

/* Adds every text; "%" before one encodes it: ta_url_add(&b, base, "/rules/", "%", id, NULL). The
 * list ends with NULL; a NUL byte is put behind what was added, out->len does not count it. */
int ta_url_add(struct ta_buf *out, ...) __attribute__((sentinel));

#endif
