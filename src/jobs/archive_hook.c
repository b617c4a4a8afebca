/* archive_hook.c - see archive_hook.h. */
#include "jobs/archive_hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "rest/client.h"

enum { LOOK_MS = 200 /* between two looks at the stop flag */ };

/* ---- the executable ----------------------------------------------------------------------------- */

struct child {
    const struct ta_archive_hook *hook;
    int64_t deadline_ns;
    pid_t pid;
    int process; /* becomes readable when it ends */
    int input;   /* our end of its standard input; -1: closed */
};

static int spawn(struct child *c, int its_input, struct ta_err *err)
{
    char *argv[] = {(char *)(uintptr_t)c->hook->command, NULL};
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *env[] = {path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, its_input, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    int r = posix_spawn(&c->pid, c->hook->command, &actions, &attr, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (r == 0)
        return TA_OK;
    errno = r;
    return ta_fail_sys(err, "hook %.200s cannot be started", c->hook->command);
}

/* Writes what the socket takes; closes it when all is written or nobody reads. */
static void feed(struct child *c, struct ta_str *left)
{
    ssize_t n = send(c->input, left->at, left->len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0) {
        left->at += n;
        left->len -= (size_t)n;
    }
    if (left->len > 0 && (n >= 0 || errno == EAGAIN || errno == EINTR))
        return;
    close(c->input);
    c->input = -1;
}

/* Until it has ended, is out of time, or is to be stopped. */
static int attend(struct child *c, struct ta_str meta, struct ta_err *err)
{
    for (;;) {
        int64_t left_ms = (c->deadline_ns - ta_mono_ns(&ta_clock_system)) / 1000000;
        struct pollfd fds[] = {{.fd = c->process, .events = POLLIN},
                               {.fd = c->input, .events = POLLOUT}};

        if (left_ms <= 0)
            return ta_fail(err, TA_ERANGE, "hook %.200s took longer than %lld ms", c->hook->command,
                           (long long)c->hook->timeout_ms);
        if (c->hook->stop && atomic_load(c->hook->stop))
            return ta_fail(err, TA_ECANCELED, "hook %.200s was stopped", c->hook->command);
        if (poll(fds, 2, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS) < 0 && errno != EINTR)
            return ta_fail_sys(err, "hook %.200s", c->hook->command);
        if (fds[0].revents)
            return TA_OK;
        if (c->input >= 0 && fds[1].revents)
            feed(c, &meta);
    }
}

static int run_command(const struct ta_archive_hook *hook, struct ta_str meta, struct ta_err *err)
{
    struct child c = {.hook = hook,
                      .deadline_ns = ta_mono_ns(&ta_clock_system) + hook->timeout_ms * 1000000};
    int pair[2], status = 0;

    /* A socket and not a pipe: one whose reader is gone is an error and no signal. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return ta_fail_sys(err, "hook %.200s", hook->command);
    c.input = pair[0];
    int r = spawn(&c, pair[1], err);
    close(pair[1]);
    if (r >= 0) {
        c.process = pidfd_open(c.pid, 0);
        r = c.process < 0 ? ta_fail_sys(err, "hook %.200s", hook->command) : attend(&c, meta, err);
        if (c.process >= 0)
            close(c.process);
        /* It, or what it left behind. Not reaped yet, it keeps others from having its number. */
        (void)kill(-c.pid, SIGKILL);
        while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    if (c.input >= 0)
        close(c.input);
    if (r >= 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        r = ta_fail(err, TA_EIO, "hook %.200s ended with %s %d", hook->command,
                    WIFEXITED(status) ? "status" : "signal",
                    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return r;
}

/* ---- the endpoint ------------------------------------------------------------------------------- */

static int post(struct ta_rest_client *client, const struct ta_archive_hook *hook,
                struct ta_str meta, struct ta_err *err)
{
    const struct ta_rest_header type = {"Content-Type", "application/json"};
    struct ta_rest_answer *answer = NULL;
    struct ta_mem_source body;

    ta_mem_source_init(&body, meta.at, meta.len, 0);
    int r = ta_rest_begin(client,
                          &(struct ta_rest_request){.method = "POST",
                                                    .url = hook->url,
                                                    .headers = &type,
                                                    .n_headers = 1,
                                                    .body = &body.source,
                                                    .body_bytes = (int64_t)meta.len},
                          &answer, err);
    if (r >= 0 && (answer->status < 200 || answer->status > 299))
        r = ta_fail(err, TA_EIO, "the hook's endpoint answered %d", answer->status);
    ta_rest_end(client);
    return r;
}

static int run_url(const struct ta_archive_hook *hook, struct ta_str meta, struct ta_alloc *alloc,
                   struct ta_err *err)
{
    const struct ta_rest_conf conf = {.connect_ms = hook->timeout_ms,
                                      .idle_ms = hook->timeout_ms,
                                      .total_ms = hook->timeout_ms,
                                      .stop = hook->stop};
    struct ta_rest_client *client = NULL;
    int r = ta_rest_client_new(&client, &conf, alloc, err);

    if (r >= 0)
        r = post(client, hook, meta, err);
    ta_rest_client_free(client);
    return r;
}

int ta_archive_hook_run(const struct ta_archive_hook *hook, struct ta_str meta,
                        struct ta_alloc *alloc, struct ta_err *err)
{
    int r = TA_OK;

    if (hook->command && hook->command[0])
        r = run_command(hook, meta, err);
    if (hook->url && hook->url[0]) {
        int e = run_url(hook, meta, alloc, err);
        r = r < 0 ? r : e;
    }
    return r;
}
