/* page.h - the files of web/ and the plot library, as tools/embed put them into the binary. */
#ifndef TARN_APP_PAGE_H
#define TARN_APP_PAGE_H

#include <stddef.h>

struct ta_page_file {
    const char *name; /* "index.html" */
    const char *type; /* media type */
    const char *etag; /* quoted, of the content's SHA-256 */
    const unsigned char *at;
    size_t len;
};

extern const struct ta_page_file ta_page_files[];
extern const size_t ta_page_n_files;

#endif
