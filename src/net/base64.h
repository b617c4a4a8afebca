/* base64.h - base64 and base64url (RFC 4648), decoding only. */
#ifndef TARN_NET_BASE64_H
#define TARN_NET_BASE64_H

#include "base/str.h"

#include <stdint.h>

enum ta_base64 {
    TA_BASE64_STD, /* "+/", padded */
    TA_BASE64_URL  /* "-_", without padding, as JWS has it */
};

/* Room that any text of n bytes fits in once decoded. */
static inline size_t ta_base64_room(size_t n)
{
    return n / 4 * 3 + 3;
}

/* Decodes all of s. `out` has room for ta_base64_room(s.len) bytes. The number of bytes; or
 * -1 - n when the text is malformed at its byte n (as the reference counts it). CR and LF are
 * skipped; unused bits at the end are ignored, both as the reference does. */
int64_t ta_base64_decode(enum ta_base64 kind, struct ta_str s, unsigned char *out);

#endif
