/* fuzz_id_list - lists of names from a service: whole and byte by byte the same names, and what a
 * spool takes it gives back. */
#include "rest/id_spool.h"
#include "rest/result_read.h"
#include "sweep/sweep.h"

#include <stdlib.h>

enum { MEMORY = 256 };

struct taking {
    struct ta_id_spool spool;
    uint64_t hash;
};

static void check(bool is_good)
{
    if (!is_good)
        abort();
}

static int take(void *self, struct ta_str name, struct ta_err *err)
{
    struct taking *t = self;

    check(name.len > 0);
    for (size_t i = 0; i < name.len; i++)
        t->hash = (t->hash ^ (unsigned char)name.at[i]) * 1099511628211u;
    return ta_is_workflow_name(name) ? ta_id_spool_add(&t->spool, name, err) : TA_OK;
}

static int read_list(const uint8_t *data, size_t size, size_t step, struct taking *t)
{
    struct ta_mem_source src;

    *t = (struct taking){0};
    ta_id_spool_init(&t->spool, &ta_vfs_posix, "/tmp", MEMORY, &ta_heap);
    ta_mem_source_init(&src, data, size, step);
    return ta_result_names(&src.source, take, t, &ta_heap, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct taking whole, bytes;
    struct ta_id_cursor a, b;
    struct ta_str x, y;
    int r = read_list(data, size, 0, &whole), got;

    check(r == read_list(data, size, 1, &bytes));
    check(whole.hash == bytes.hash && whole.spool.n == bytes.spool.n);
    ta_id_cursor_init(&a, &whole.spool);
    ta_id_cursor_init(&b, &bytes.spool);
    for (uint64_t n = 0; (got = ta_id_cursor_next(&a, &x, NULL)) > 0; n++) {
        check(n < whole.spool.n && ta_is_workflow_name(x));
        check(ta_id_cursor_next(&b, &y, NULL) == 1 && ta_str_eq(x, y));
    }
    check(got == 0 && ta_id_cursor_next(&b, &y, NULL) == 0);
    ta_id_cursor_done(&a);
    ta_id_cursor_done(&b);
    ta_id_spool_done(&whole.spool);
    ta_id_spool_done(&bytes.spool);
    return 0;
}
