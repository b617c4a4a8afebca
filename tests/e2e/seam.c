/* seam.c - LD_PRELOAD library between tarn and the system: file calls fail and the wall clock is off, as the page
 * in the file named by TARN_SEAM says. The test changes the page while the server runs (seam.py).
 *
 * One int32 for each kind of call, 0 or the errno it fails with, then an int64 with the seconds that are added to
 * CLOCK_REALTIME. A write may fail with -1: half of it is written, once; the rest is the caller's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct page {
    volatile int32_t write, sync, space, change;
    volatile int64_t clock_s;
};

static const struct page *page(void)
{
    static const struct page *mapped;
    static const struct page none;

    if (!mapped) {
        const char *path = getenv("TARN_SEAM");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(none), PROT_READ, MAP_SHARED, fd, 0);
        if (fd >= 0)
            close(fd);
        mapped = p == MAP_FAILED ? &none : p;
    }
    return mapped;
}

/* Before the first thread: what follows need not think of races. */
__attribute__((constructor)) static void begin(void)
{
    (void)page();
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Is the call to fail? Then errno is set. */
static int fails(int32_t with)
{
    if (with == 0)
        return 0;
    errno = with;
    return 1;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
    int32_t with = page()->write;

    if (with == -1)
        return NEXT(pwrite)(fd, buf, n / 2 + n % 2, at);
    return fails(with) ? -1 : NEXT(pwrite)(fd, buf, n, at);
}

int fdatasync(int fd)
{
    return fails(page()->sync) ? -1 : NEXT(fdatasync)(fd);
}

int fsync(int fd)
{
    return fails(page()->sync) ? -1 : NEXT(fsync)(fd);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    return fails(page()->space) ? -1 : NEXT(fallocate)(fd, mode, at, n);
}

int open(const char *path, int flags, ...)
{
    va_list rest;

    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (flags & (O_CREAT | O_WRONLY | O_RDWR) && fails(page()->change))
        return -1;
    return NEXT(open)(path, flags, mode);
}

int rename(const char *from, const char *to)
{
    return fails(page()->change) ? -1 : NEXT(rename)(from, to);
}

int unlink(const char *path)
{
    return fails(page()->change) ? -1 : NEXT(unlink)(path);
}

int mkdir(const char *path, mode_t mode)
{
    return fails(page()->change) ? -1 : NEXT(mkdir)(path, mode);
}

int ftruncate(int fd, off_t size)
{
    return fails(page()->change) ? -1 : NEXT(ftruncate)(fd, size);
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    int r = NEXT(clock_gettime)(id, out);

    if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        out->tv_sec += page()->clock_s;
    return r;
}
