#include "app/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

/* The one mutable global of the program: a handler can be given nothing else. */
static volatile sig_atomic_t armed_at_s;

static sig_atomic_t mono_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (sig_atomic_t)ts.tv_sec;
}

static void fill(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

int ta_signals_block(struct ta_err *err)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set;

    fill(&set);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) < 0)
        return ta_fail_sys(err, "setting up signals");
    return TA_OK;
}

enum ta_signal ta_signals_wait(int timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    sigset_t set;

    fill(&set);
    switch (sigtimedwait(&set, NULL, &timeout)) {
    case SIGINT:
    case SIGTERM:
        return TA_SIGNAL_STOP;
    case SIGHUP:
        return TA_SIGNAL_RELOAD;
    case SIGUSR1:
        return TA_SIGNAL_CHECKPOINT;
    default:
        return TA_SIGNAL_NONE; /* timeout, or interrupted: the caller comes again */
    }
}

static void abort_stop(int sig)
{
    static const char text[] = "<2>[CRITICAL] second signal: the stop is aborted\n";

    (void)sig;
    /* A terminal and a supervisor may both pass on the same Ctrl-C. */
    if (mono_s() - armed_at_s <= 1)
        return;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)ignored;
    _exit(1);
}

void ta_signals_arm_abort(void)
{
    struct sigaction action = {.sa_handler = abort_stop, .sa_flags = SA_RESTART};
    sigset_t set;

    armed_at_s = mono_s();
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
