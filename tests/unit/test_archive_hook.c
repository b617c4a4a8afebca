/* Hooks of archived jobs: what an executable gets, and that it cannot hold up the archiver. */
#include "jobs/archive_hook.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/tarn-hook-XXXXXX";
static char script[64], output[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(script, sizeof(script), "%s/hook", dir);
    snprintf(output, sizeof(output), "%s/out", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(script);
    (void)unlink(output);
    return rmdir(dir);
}

/* `body` may name the output file as $1. */
static int run(const char *body, struct ta_str meta, int64_t timeout_ms, const atomic_bool *stop,
               struct ta_err *err)
{
    char text[512];
    int fd;

    (void)unlink(script);
    (void)unlink(output);
    fd = open(script, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    int n = snprintf(text, sizeof(text), "#!/bin/sh\nset -- %s\n%s\n", output, body);
    assert_int_equal(write(fd, text, (size_t)n), n);
    assert_int_equal(close(fd), 0);
    return ta_archive_hook_run(
        &(struct ta_archive_hook){.command = script, .timeout_ms = timeout_ms, .stop = stop}, meta,
        &ta_heap, err);
}

static const char *read_output(void)
{
    static char text[256];
    FILE *f = fopen(output, "r");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

    if (f)
        fclose(f);
    text[n] = 0;
    return text;
}

static void an_executable_gets_the_meta_document(void **state)
{
    (void)state;
    assert_int_equal(run("cat >$1", TA_STR("{\"jobId\":1}\n"), 60000, NULL, NULL), TA_OK);
    assert_string_equal(read_output(), "{\"jobId\":1}\n");
}

static void it_sees_no_other_environment_than_a_path(void **state)
{
    (void)state;
    setenv("SECRET_TOKEN", "x", 1);
    assert_int_equal(run("env | grep -c SECRET >$1; true", TA_STR(""), 60000, NULL, NULL), TA_OK);
    assert_string_equal(read_output(), "0\n");
}

static void a_large_document_passes_also_when_nobody_reads_it(void **state)
{
    struct ta_str big = {calloc(1, 4 << 20), 4 << 20};

    (void)state;
    memset((void *)(uintptr_t)big.at, 'x', big.len);
    assert_int_equal(run("wc -c >$1", big, 60000, NULL, NULL), TA_OK);
    assert_int_equal(atoi(read_output()), 4 << 20);
    assert_int_equal(run("exec <&-; exit 0", big, 60000, NULL, NULL), TA_OK);
    free((void *)(uintptr_t)big.at);
}

static void its_failure_is_told(void **state)
{
    struct ta_err err = {0};

    (void)state;
    assert_int_equal(run("exit 3", TA_STR("{}"), 60000, NULL, &err), TA_EIO);
    assert_non_null(strstr(err.text, "ended with status 3"));
    err = (struct ta_err){0};
    assert_int_equal(run("kill -9 $$", TA_STR("{}"), 60000, NULL, &err), TA_EIO);
    assert_non_null(strstr(err.text, "ended with signal 9"));
    assert_int_equal(
        ta_archive_hook_run(&(struct ta_archive_hook){.command = "/nowhere", .timeout_ms = 1000},
                            TA_STR("{}"), &ta_heap, NULL),
        TA_ENOTFOUND);
}

/* It has started a child that would outlive it: both are gone when the call returns. */
static void one_that_takes_too_long_is_killed_with_its_children(void **state)
{
    struct ta_err err = {0};

    (void)state;
    assert_int_equal(run("sleep 1000 & echo $! >$1; wait", TA_STR("{}"), 1000, NULL, &err),
                     TA_ERANGE);
    assert_non_null(strstr(err.text, "took longer than 1000 ms"));
    pid_t child = (pid_t)atoi(read_output());
    /* Killed, and then reaped by whoever reaps orphans here. */
    for (int i = 0; child > 0 && i < 6000 && kill(child, 0) == 0; i++) {
        char path[64], line[256] = "";
        snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
        FILE *f = fopen(path, "r");
        if (f) {
            (void)!fgets(line, sizeof(line), f);
            fclose(f);
        }
        if (strstr(line, ") Z"))
            return;
        usleep(10000);
    }
    assert_true(child <= 0 || (kill(child, 0) < 0 && errno == ESRCH));
}

static void a_stop_ends_it(void **state)
{
    atomic_bool stop = true;

    (void)state;
    assert_int_equal(run("sleep 1000", TA_STR("{}"), 600000, &stop, NULL), TA_ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_executable_gets_the_meta_document),
        cmocka_unit_test(it_sees_no_other_environment_than_a_path),
        cmocka_unit_test(a_large_document_passes_also_when_nobody_reads_it),
        cmocka_unit_test(its_failure_is_told),
        cmocka_unit_test(one_that_takes_too_long_is_killed_with_its_children),
        cmocka_unit_test(a_stop_ends_it),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
