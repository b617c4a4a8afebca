/* sql_fault.c - the system's VFS with a counter before each call. */
#include "sql_fault.h"

#include <sqlite3.h>
#include <stddef.h>

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* stands behind this struct */
};

static sqlite3_vfs *real_vfs;
static long calls_left;
static bool is_for_good, was_hit;

static bool strikes(void)
{
    if (calls_left < 0)
        return false;
    if (calls_left > 0) {
        calls_left--;
        return false;
    }
    was_hit = true;
    if (!is_for_good)
        calls_left = -1;
    return true;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct faulty_file *)(void *)f)->real;
}

#define REAL(f, call, ...) real_of(f)->pMethods->call(real_of(f), ##__VA_ARGS__)

static int f_close(sqlite3_file *f)
{
    return real_of(f)->pMethods ? REAL(f, xClose) : SQLITE_OK;
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return strikes() ? SQLITE_IOERR_READ : REAL(f, xRead, p, n, at);
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    return strikes() ? SQLITE_FULL : REAL(f, xWrite, p, n, at);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return strikes() ? SQLITE_IOERR_TRUNCATE : REAL(f, xTruncate, size);
}

static int f_sync(sqlite3_file *f, int flags)
{
    /* The system never stops in these tests, so the real sync would only cost time. */
    (void)f;
    (void)flags;
    return strikes() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *out)
{
    return strikes() ? SQLITE_IOERR_FSTAT : REAL(f, xFileSize, out);
}

static int f_lock(sqlite3_file *f, int level)
{
    return REAL(f, xLock, level);
}

static int f_unlock(sqlite3_file *f, int level)
{
    return REAL(f, xUnlock, level);
}

static int f_reserved(sqlite3_file *f, int *out)
{
    return REAL(f, xCheckReservedLock, out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f, xFileControl, op, arg);
}

static int f_sector(sqlite3_file *f)
{
    return REAL(f, xSectorSize);
}

static int f_character(sqlite3_file *f)
{
    return REAL(f, xDeviceCharacteristics);
}

static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return strikes() ? SQLITE_IOERR_SHMMAP : REAL(f, xShmMap, page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return REAL(f, xShmLock, offset, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
    REAL(f, xShmBarrier);
}

static int f_shm_unmap(sqlite3_file *f, int delete_it)
{
    return REAL(f, xShmUnmap, delete_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_character,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags, int *out)
{
    struct faulty_file *faulty = (struct faulty_file *)(void *)f;

    (void)vfs;
    f->pMethods = NULL;
    if (strikes())
        return SQLITE_CANTOPEN;
    faulty->real = (sqlite3_file *)(void *)(faulty + 1);

    int r = real_vfs->xOpen(real_vfs, name, faulty->real, flags, out);

    /* Whenever the real file has methods it must be closed, so this one must have them too. */
    if (faulty->real->pMethods)
        f->pMethods = &methods;
    return r;
}

void sql_fault_arm(long left, bool for_good)
{
    static sqlite3_vfs vfs;

    if (!real_vfs) {
        sqlite3_initialize();
        real_vfs = sqlite3_vfs_find(NULL);
        vfs = *real_vfs;
        vfs.pNext = NULL;
        vfs.zName = SQL_FAULT_VFS;
        vfs.szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile;
        vfs.xOpen = v_open;
        sqlite3_vfs_register(&vfs, 0);
    }
    calls_left = left;
    is_for_good = for_good;
    was_hit = false;
}

bool sql_fault_hit(void)
{
    return was_hit;
}
