/* mem_file.h - bytes in memory as a file to read, for tests of readers. */
#ifndef TARN_TESTS_MEM_FILE_H
#define TARN_TESTS_MEM_FILE_H

#include "io/vfs.h"

struct mem_file {
    struct ta_file file; /* read only; close does nothing */
    const void *at;
    size_t len;
};

/* Borrows the bytes. */
void mem_file_init(struct mem_file *f, const void *p, size_t n);

#endif
