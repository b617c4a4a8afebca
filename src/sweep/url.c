#include "sweep/url.h"

#include "rest/client.h"

#include <stdarg.h>

int ta_url_add(struct ta_buf *out, ...)
{
    const char *text;
    va_list ap;
    int r = TA_OK;

    va_start(ap, out);
    while (r == TA_OK && (text = va_arg(ap, const char *)) != NULL) {
        if (strcmp(text, "%") == 0)
            r = ta_rest_encode(out, ta_str(va_arg(ap, const char *)), false);
        else
            r = ta_buf_z(out, text);
    }
    va_end(ap);
    if (r == TA_OK && (r = ta_buf_byte(out, 0)) == TA_OK)
        out->len--;
    return r;
}
