/* bench_app_write - the whole way of a line without a log and with it, every answer after its sync: HTTP, the route,
 * scanner, store, log.
 *
 * Method: 64 nodes post 580 lines each interval, every node on a connection of its own that is kept.
 * The clients are another process, so that the CPU time of this one, system included, is the
 * server's; one worker. The first interval, which makes the series, is left out; the keeper's
 * compression of everything at the end is in. Without and with alternate, best of three each; the ratio is
 * the median of those of neighbours, which a busy machine slows alike. The log lies in the working directory. With more clients than one core serves: tests/bench/serve.sh.
 */
#include "app/own_metrics.h"
#include "app/protector.h"
#include "app/routes.h"
#include "app/safe.h"
#include "ingest/ingest.h"
#include "load/fleet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOSTS = 64, TICKS = 60, ROUNDS = 3 };

static void must(bool is_good, const char *what)
{
    if (is_good)
        return;
    perror(what);
    exit(1);
}

struct cpu {
    double user_s, system_s;
};

static struct cpu cpu_now(void)
{
    struct rusage u;

    must(getrusage(RUSAGE_SELF, &u) == 0, "getrusage");
    return (struct cpu){(double)u.ru_utime.tv_sec + 1e-6 * (double)u.ru_utime.tv_usec,
                        (double)u.ru_stime.tv_sec + 1e-6 * (double)u.ru_stime.tv_usec};
}

/* ---- clients ------------------------------------------------------------------------------- */

static int dial(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
    return fd;
}

static void send_all(int fd, const char *at, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        must(sent > 0, "send");
        at += sent;
        n -= (size_t)sent;
    }
}

/* What the nodes will post is made first, so that the server does not share its core with the making
 * of it. All nodes post, then all answers are read, as on the minute. */
static void post_tick(const struct ta_fleet *f, const int *fd, uint64_t tick, double *values,
                      struct ta_buf *bodies)
{
    char text[512];

    for (uint32_t h = 0; h < HOSTS; h++) {
        ta_buf_reset(&bodies[h]);
        must(ta_fleet_post(f, h, tick, values, &bodies[h]) == TA_OK, "memory");
    }
    for (uint32_t h = 0; h < HOSTS; h++) {
        int n = snprintf(text, sizeof(text),
                         "POST /api/write HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                         bodies[h].len);
        send_all(fd[h], text, (size_t)n);
        send_all(fd[h], bodies[h].at, bodies[h].len);
    }
    for (uint32_t h = 0; h < HOSTS; h++) {
        ssize_t n = recv(fd[h], text, sizeof(text), 0);
        must(n > 15 && memcmp(text, "HTTP/1.1 200 OK", 15) == 0, "answer");
    }
}

/* Tells when the first interval is there and goes on when told so. */
static void run_clients(const struct ta_fleet *f, uint16_t port, int told, int tell)
{
    double *values = malloc(f->layout.n_columns * sizeof(*values));
    struct ta_buf bodies[HOSTS];
    int fd[HOSTS];
    char byte = 0;

    for (int i = 0; i < HOSTS; i++) {
        ta_buf_init(&bodies[i], &ta_heap, MiB);
        fd[i] = dial(port);
    }
    post_tick(f, fd, 0, values, bodies);
    must(write(tell, &byte, 1) == 1 && read(told, &byte, 1) == 1, "pipe");
    for (uint64_t tick = 1; tick < TICKS; tick++)
        post_tick(f, fd, tick, values, bodies);
    free(values);
    for (int i = 0; i < HOSTS; i++)
        ta_buf_done(&bodies[i]);
}

/* ---- server -------------------------------------------------------------------------------- */

static struct ta_store *new_store(const struct ta_load_layout *l)
{
    struct ta_store_conf conf = {.alloc = &ta_heap, .n_shards = 8};
    struct ta_metric defs[128];
    struct ta_store *s = NULL;

    for (uint32_t i = 0; i < l->n_metrics; i++)
        defs[i] = (struct ta_metric){ta_str(l->metrics[i].name), 60,
                                     l->metrics[i].aggregation == 'a' ? TA_AGG_AVG : TA_AGG_SUM};
    must(ta_metrics_new(&conf.metrics, &ta_heap, NULL, defs, l->n_metrics, NULL) == TA_OK &&
             ta_store_new(&s, &conf, NULL) == TA_OK,
         "memory");
    ta_metrics_unref(conf.metrics);
    return s;
}

/* CPU seconds of this process from the second interval to the last answer, and the keeper's. */
static struct cpu serve(const struct ta_fleet *f, struct ta_app *app)
{
    const struct ta_http_route route = {
        .path = "/api/write", .methods = TA_HTTP_POST, .handler = &ta_handle_write};
    struct ta_http_config conf = {
        .addr = "127.0.0.1:0", .n_workers = 1, .routes = &route, .n_routes = 1, .app = app};
    struct ta_http_server *server;
    int up[2], down[2], status = 1;
    char byte;

    must(ta_http_server_open(&server, &conf, NULL) == TA_OK &&
             ta_http_server_start(server, NULL) == TA_OK && pipe(up) == 0 && pipe(down) == 0,
         "server");
    pid_t pid = fork();
    if (pid == 0) {
        run_clients(f, ta_http_server_port(server), down[0], up[1]);
        _exit(0);
    }
    must(pid > 0 && read(up[0], &byte, 1) == 1, "clients");
    struct cpu begin = cpu_now();
    must(write(down[1], &byte, 1) == 1 && waitpid(pid, &status, 0) == pid && status == 0,
         "clients");
    while (ta_store_keep(app->store, ta_fleet_time(f, TICKS), 600, 1000000) > 0)
        continue;
    struct cpu took = cpu_now();
    took.user_s -= begin.user_s;
    took.system_s -= begin.system_s;
    (void)ta_http_server_stop(server, 1000);
    ta_http_server_free(server);
    for (int i = 0; i < 2; i++) {
        close(up[i]);
        close(down[i]);
    }
    return took;
}

/* ---- the log ------------------------------------------------------------------------------- */

struct durable {
    struct ta_config config;
    struct ta_protector nobody;
    struct ta_safe safe;
    char dir[64];
};

static void open_log(struct durable *d, struct ta_store *store)
{
    snprintf(d->dir, sizeof(d->dir), "bench-log-XXXXXX");
    must(mkdtemp(d->dir) != NULL && ta_config_builtin(&d->config, &ta_heap, NULL) == TA_OK, d->dir);
    d->config.store.checkpoint_dir = d->dir;
    must(ta_safe_open(&d->safe, &d->config, &d->nobody, store, &ta_vfs_posix, &ta_clock_system,
                      NULL, NULL) == TA_OK &&
             ta_safe_start(&d->safe, NULL) == TA_OK,
         "the log");
}

static void close_log(struct durable *d)
{
    char command[96];

    (void)ta_safe_stop(&d->safe, false, NULL);
    ta_safe_close(&d->safe);
    ta_config_done(&d->config);
    snprintf(command, sizeof(command), "rm -rf %s", d->dir);
    must(system(command) == 0, command);
}

static struct cpu round_of(const struct ta_fleet *f, bool is_logged)
{
    struct ta_ingest_totals totals = {0};
    struct durable d = {0};
    struct ta_ingest *in;
    struct ta_app app = {.store = new_store(&f->layout),
                         .clock = &ta_clock_system,
                         .alloc = &ta_heap,
                         .lines = &totals,
                         .line_bytes_max = 64 * KiB};
    struct ta_ingest_conf conf = {.store = app.store, .alloc = &ta_heap, .max_future_s = -1};

    if (is_logged) {
        open_log(&d, app.store);
        app.safe = &d.safe;
        conf.journal = &d.safe.vault.gate.journal;
    }
    must(ta_ingest_new(&in, &conf, NULL) == TA_OK, "memory");
    app.ingests[0] = in;
    struct cpu took = serve(f, &app);
    ta_ingest_free(in);
    if (is_logged)
        close_log(&d);
    ta_store_free(app.store);
    return took;
}

static double total_s(struct cpu c)
{
    return c.user_s + c.system_s;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    double ratio[ROUNDS];
    struct cpu best[2] = {{1e9, 1e9}, {1e9, 1e9}}; /* without, with the log */
    struct ta_fleet f;

    must(ta_fleet_init(&f, &ta_heap, NULL, NULL) == TA_OK, "memory");
    double lines = (double)(TICKS - 1) * HOSTS * f.layout.n_columns;
    for (int round = 0; round < ROUNDS; round++) {
        struct cpu took[2];
        for (int i = 0; i < 2; i++) {
            took[i] = round_of(&f, i);
            if (total_s(took[i]) < total_s(best[i]))
                best[i] = took[i];
        }
        ratio[round] = total_s(took[1]) / total_s(took[0]);
    }
    qsort(ratio, ROUNDS, sizeof(*ratio), compare);
    for (int i = 0; i < 2; i++)
        printf("HTTP end to end, %s  %.1f ns of server CPU a line (%.1f user, %.1f system)%s\n",
               i ? "each answer synced" : "without log       ", 1e9 * total_s(best[i]) / lines,
               1e9 * best[i].user_s / lines, 1e9 * best[i].system_s / lines,
               i ? "" : "; the reference takes 1100-1500");
    printf("ratio: CPU a line with the log, synced, to without it  %.2f (goal: at most 1.5)\n",
           ratio[ROUNDS / 2]);
    ta_fleet_done(&f);
    return 0;
}
