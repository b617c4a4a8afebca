#include "app/token.h"

#include "io/vfs.h"

#include <string.h>

int ta_token_read(const char *path, char out[TA_TOKEN_TEXT_MAX], struct ta_err *err)
{
    static const char scheme[] = "Bearer ";
    const size_t len = sizeof(scheme) - 1, room = TA_TOKEN_TEXT_MAX - len - 1;
    struct ta_file *file;
    int r = ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, err);

    if (r < 0)
        return r;
    memcpy(out, scheme, len);
    int64_t got = ta_pread_full(file, out + len, room, 0, err);
    (void)ta_close(&file, NULL); /* it was only read */
    if (got < 0)
        return (int)got;
    out[len + (size_t)got] = 0;
    out[strcspn(out, "\r\n")] = 0;
    if (strlen(out) == len || (size_t)got == room)
        return ta_fail(err, TA_EINVAL, "%.200s: holds no token in its first line", path);
    return TA_OK;
}
