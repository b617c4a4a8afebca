/* doctor_probe.c - what doctor.c judges: asks the kernel, the disk and a running store. */
#include "app/doctor.h"
#include "app/privileges.h"
#include "base/clock.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { SYNCS = 32, BLOCK = 4096 };

/* linux/magic.h: file systems that are gone with the power. */
enum { TMPFS = 0x01021994 };
static const long RAMFS = 0x858458f6;

/* ---- the machine ------------------------------------------------------------------------------ */

static void probe_limits(struct ta_machine *m)
{
    struct rlimit limit;
    long pages = sysconf(_SC_PHYS_PAGES);
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "re");
    unsigned long long limit_bytes;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        m->files_max = limit.rlim_max; /* the server raises its own limit to this */
    if (pages > 0)
        m->memory_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    if (f && fscanf(f, "%llu", &limit_bytes) == 1)
        m->memory_limit = limit_bytes;
    if (f)
        fclose(f);
}

static void probe_clock(struct ta_machine *m)
{
    struct timex t = {0};

    m->now_s = ta_now_s(&ta_clock_system);
    m->is_clock_synchronised = adjtimex(&t) != TIME_ERROR && !(t.status & STA_UNSYNC);
}

/* ---- the disk --------------------------------------------------------------------------------- */

/* The directory itself, or what exists of the path to it. */
static void find_directory(struct ta_machine *m, const char *wanted)
{
    struct stat st;

    snprintf(m->directory, sizeof(m->directory), "%s", wanted);
    while (stat(m->directory, &st) < 0 && errno == ENOENT) {
        char *slash = strrchr(m->directory, '/');
        if (!slash) {
            snprintf(m->directory, sizeof(m->directory), ".");
            break;
        }
        if (slash == m->directory) {
            m->directory[1] = 0;
            break;
        }
        *slash = 0;
    }
    m->has_directory = stat(m->directory, &st) == 0 && S_ISDIR(st.st_mode);
    m->is_others_writable = m->has_directory && (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX);
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* A file of its own, as the log writes: a block, then its sync. */
static int measure_syncs(const char *path, double times[SYNCS], struct ta_err *err)
{
    static const char block[BLOCK];
    struct ta_file *file;
    int r = ta_open(&ta_vfs_posix, path, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_EXCLUSIVE, 0600,
                    &file, err);

    if (r < 0)
        return r;
    for (int i = 0; r == TA_OK && i < SYNCS; i++) {
        r = ta_pwrite_full(file, block, BLOCK, (uint64_t)i * BLOCK, err);
        int64_t from_ns = ta_mono_ns(&ta_clock_system);
        if (r == TA_OK)
            r = file->ops->sync(file, err);
        times[i] = (double)(ta_mono_ns(&ta_clock_system) - from_ns) / 1e9;
    }
    int c = ta_close(&file, err);
    (void)ta_vfs_posix.unlink(&ta_vfs_posix, path,
                              NULL); /* 128 KiB, and its name says what it was */
    return r < 0 ? r : c;
}

static void probe_disk(struct ta_machine *m)
{
    double times[SYNCS];
    struct ta_space space;
    struct statfs fs;
    struct ta_err err = {0};
    char path[640];

    snprintf(path, sizeof(path), "%s/.tarn-doctor-%ld", m->directory, (long)getpid());
    if (measure_syncs(path, times, &err) < 0) {
        snprintf(m->trouble, sizeof(m->trouble), "%.199s", err.text);
    } else {
        m->is_writable = true;
        qsort(times, SYNCS, sizeof(times[0]), by_size);
        m->sync_s_median = times[SYNCS / 2];
        m->sync_s_worst = times[SYNCS - 1];
    }
    if (ta_vfs_posix.space(&ta_vfs_posix, m->directory, &space, NULL) == TA_OK) {
        m->free_bytes = space.free_bytes;
        m->total_bytes = space.total_bytes;
        m->free_inodes = space.free_inodes;
        m->is_network = space.is_network;
    }
    if (statfs(m->directory, &fs) == 0)
        m->is_memory = (long)fs.f_type == TMPFS || (long)fs.f_type == RAMFS;
}

/* Directories at the second level: DIR/<cluster>/<host>. */
static uint64_t count_hosts(const char *root, int level)
{
    struct ta_dirent entry;
    struct ta_dir *dir;
    uint64_t n = 0;
    char path[1024];

    if (ta_vfs_posix.open_dir(&ta_vfs_posix, root, &dir, NULL) < 0)
        return 0;
    while (dir->ops->next(dir, &entry, NULL) > 0) {
        if (entry.kind != TA_KIND_DIR || entry.name[0] == '.')
            continue;
        if (level == 1)
            n++;
        else if ((size_t)snprintf(path, sizeof(path), "%s/%s", root, entry.name) < sizeof(path))
            n += count_hosts(path, level + 1);
    }
    dir->ops->close(dir);
    return n;
}

/* ---- certificates and accounts ------------------------------------------------------------------ */

static bool others_may_read(const char *path)
{
    struct stat st;

    return path && path[0] && stat(path, &st) == 0 && (st.st_mode & S_IROTH);
}

static int64_t end_of(const char *cert_file, struct ta_machine *m)
{
    FILE *f = fopen(cert_file, "re");
    X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    struct tm tm;
    int64_t end_s = 0;

    if (!f)
        snprintf(m->tls_trouble, sizeof(m->tls_trouble), "main.https-cert-file: %.120s: %.40s",
                 cert_file, strerror(errno));
    else if (!x)
        snprintf(m->tls_trouble, sizeof(m->tls_trouble),
                 "main.https-cert-file: %.120s: no PEM certificate in it", cert_file);
    else if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
        end_s = timegm(&tm);
    X509_free(x);
    if (f)
        fclose(f);
    return end_s;
}

static void probe_tls(struct ta_machine *m, const struct ta_conf_main *c)
{
    if (!c->cert_file[0] || !c->key_file[0])
        return;
    m->certificate_end_s = end_of(c->cert_file, m);
    m->key_is_readable_by_all = others_may_read(c->key_file);
    if (!m->tls_trouble[0] && access(c->key_file, R_OK) < 0)
        snprintf(m->tls_trouble, sizeof(m->tls_trouble), "main.https-key-file: %.120s: %.40s",
                 c->key_file, strerror(errno));
}

void ta_doctor_probe(struct ta_machine *m, const struct ta_config *c, const char *config_path,
                     int64_t hosts)
{
    struct ta_err err = {0};

    *m = (struct ta_machine){.sync_s_median = -1, .sync_s_worst = -1};
    probe_limits(m);
    probe_clock(m);
    find_directory(m, c->store.checkpoint_dir);
    probe_disk(m);
    m->hosts = hosts > 0 ? (uint64_t)hosts : count_hosts(c->store.checkpoint_dir, 0);
    probe_tls(m, &c->main);
    m->config_is_readable_by_all = others_may_read(config_path);
    if (ta_privileges_check(c->main.user, c->main.group, &err) < 0)
        snprintf(m->user_trouble, sizeof(m->user_trouble), "%.199s", err.text);
}

/* ---- a running store ---------------------------------------------------------------------------- */

static int64_t date_of(const struct ta_rest_client *client)
{
    struct ta_str date = ta_rest_header(client, "Date");
    struct tm tm = {0};
    char text[64];

    if (date.len == 0 || date.len >= sizeof(text))
        return 0;
    memcpy(text, date.at, date.len);
    text[date.len] = 0;
    return strptime(text, "%a, %d %b %Y %H:%M:%S", &tm) ? timegm(&tm) : 0;
}

void ta_doctor_ask(struct ta_asked *out, const char *url, const char *token, const char *ca_file)
{
    struct ta_rest_conf conf = {.ca_file = ca_file, .total_ms = 10000, .connect_ms = 5000};
    struct ta_rest_header header = {"Authorization", token};
    struct ta_rest_client *client = NULL;
    struct ta_rest_answer *answer;
    struct ta_err err = {0};
    char target[2048];
    size_t n = strlen(url);

    *out = (struct ta_asked){.url = url, .has_token = token != NULL};
    while (n > 0 && url[n - 1] == '/')
        n--;
    snprintf(target, sizeof(target), "%.*s/metrics", (int)(n < 2000 ? n : 2000), url);
    struct ta_rest_request q = {
        .method = "GET", .url = target, .headers = &header, .n_headers = token ? 1 : 0};
    int r = ta_rest_global_init(&err);
    if (r == TA_OK)
        r = ta_rest_client_new(&client, &conf, &ta_heap, &err);
    if (r == TA_OK)
        r = ta_rest_begin(client, &q, &answer, &err);
    if (r == TA_OK) {
        int64_t date_s = date_of(client);
        out->status = answer->status;
        out->clock_ahead_s = date_s ? date_s - ta_now_s(&ta_clock_system) : 0;
        if (answer->status == 200 && ta_scrape_read(&out->metrics, &answer->body, &err) < 0)
            out->status = 502; /* it calls itself an exposition and is none */
    }
    snprintf(out->trouble, sizeof(out->trouble), "%.199s", err.text);
    ta_rest_client_free(client);
}
