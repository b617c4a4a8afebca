/* token.h - the access token of a file, as the header of a request wants it. */
#ifndef TARN_APP_TOKEN_H
#define TARN_APP_TOKEN_H

#include "base/err.h"

enum { TA_TOKEN_TEXT_MAX = 8192 + 16 };

/* "Bearer " and the first line of the file. The text is a secret: it belongs into no message. */
int ta_token_read(const char *path, char out[TA_TOKEN_TEXT_MAX], struct ta_err *err);

#endif
