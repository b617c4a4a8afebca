/* cmd_top.c - `tarn top`: what a running store does, live. */
#include "app/command.h"
#include "app/token.h"
#include "app/top_view.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum {
    OUT_MAX = 64 << 10,
    HEAD_EVERY = 20, /* lines, when the output is no terminal */
    REQUEST_MS = 10000
};

struct values {
    const char *url, *token, *ca_file;
    int64_t interval_ns, count;
    bool insecure, json, plain;
};

#define AT(member) offsetof(struct values, member)
static const struct ta_option rows[] = {
    {.name = "url",
     .kind = TA_OPT_TEXT,
     .offset = AT(url),
     .arg = "URL",
     .default_ = "http://127.0.0.1:8082",
     .help = "the store"},
    {.name = "token",
     .kind = TA_OPT_TEXT,
     .offset = AT(token),
     .arg = "FILE",
     .help = "file that holds the access token (JWT)"},
    {.name = "interval",
     .kind = TA_OPT_DURATION,
     .offset = AT(interval_ns),
     .arg = "TIME",
     .rule = ">0",
     .default_ = "2s",
     .help = "between two looks"},
    {.name = "count",
     .kind = TA_OPT_INT,
     .offset = AT(count),
     .arg = "N",
     .rule = ">=0",
     .default_ = "0",
     .help = "end after so many; 0: never"},
    {.name = "json", .kind = TA_OPT_SWITCH, .offset = AT(json), .help = "one JSON object a line"},
    {.name = "plain",
     .kind = TA_OPT_SWITCH,
     .offset = AT(plain),
     .help = "lines instead of a screen, as when the output is no terminal"},
    {.name = "ca-file",
     .kind = TA_OPT_TEXT,
     .offset = AT(ca_file),
     .arg = "FILE",
     .help = "PEM certificates to trust instead of the system's"},
    {.name = "insecure",
     .kind = TA_OPT_SWITCH,
     .offset = AT(insecure),
     .help = "do not verify the server's certificate"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

static _Atomic bool stop_requested; /* set by the signal handler below */

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop_requested, true);
}

/* The terminal as it was, for the end. */
struct screen {
    bool is_on, has_input;
    struct termios before;
};

static void screen_begin(struct screen *s)
{
    struct sigaction action = {.sa_handler = on_signal};

    (void)sigaction(SIGINT, &action, NULL); /* these cannot fail with valid numbers */
    (void)sigaction(SIGTERM, &action, NULL);
    if (!s->is_on)
        return;
    s->has_input = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &s->before) == 0;
    if (s->has_input) {
        struct termios t = s->before;
        t.c_lflag &= (tcflag_t) ~(ICANON | ECHO); /* a key counts without Enter */
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &t);
    }
    fputs("\033[?1049h\033[?25l", stdout); /* a screen of its own, no cursor */
}

static void screen_end(struct screen *s)
{
    if (!s->is_on)
        return;
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    if (s->has_input)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
}

/* Waits; true when it is time to end: a signal, or q pressed. */
static bool rest(const struct screen *s, int64_t ms)
{
    int64_t until_ns = ta_mono_ns(&ta_clock_system) + ms * 1000000;

    while (!stop_requested) {
        int64_t left_ms = (until_ns - ta_mono_ns(&ta_clock_system)) / 1000000;
        struct pollfd p = {.fd = s->has_input ? STDIN_FILENO : -1, .events = POLLIN};
        char key = 0;

        if (left_ms <= 0)
            return false;
        if (poll(&p, 1, left_ms > 1000 ? 1000 : (int)left_ms) > 0 &&
            (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
            return true;
    }
    return true;
}

static int scrape(struct ta_rest_client *client, const char *url, const char *authorization,
                  struct ta_scrape *out, struct ta_err *err)
{
    struct ta_rest_header header = {"Authorization", authorization};
    struct ta_rest_request q = {.method = "GET",
                                .url = url,
                                .headers = &header,
                                .n_headers = authorization ? 1 : 0,
                                .decode = true};
    struct ta_rest_answer *answer;
    int r = ta_rest_begin(client, &q, &answer, err);

    if (r < 0)
        return r;
    out->at_s = ta_now_s(&ta_clock_system);
    out->at_mono_ns = ta_mono_ns(&ta_clock_system);
    if (answer->status != 200)
        r = ta_fail(err, TA_EIO, "the store answered %d%s", answer->status,
                    answer->status == 401 || answer->status == 403 ? " (give --token)" : "");
    else
        r = ta_scrape_read(out, &answer->body, err);
    ta_rest_end(client);
    return r;
}

static void show(const struct values *v, struct ta_top_view *view, const struct screen *s,
                 int64_t turn, struct ta_buf *out)
{
    struct winsize size;

    ta_buf_reset(out);
    if (v->json) {
        (void)ta_top_json(view, out);
    } else if (!s->is_on) {
        if (turn % HEAD_EVERY == 0)
            (void)ta_top_line_head(out);
        (void)ta_top_line(view, out);
    } else {
        view->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 80;
        (void)ta_buf_z(out, "\033[H\033[J"); /* home, and nothing below */
        (void)ta_top_screen(view, out);
        (void)ta_buf_printf(out, "%sq ends%s\n", view->has_colour ? "\033[2m" : "",
                            view->has_colour ? "\033[0m" : "");
    }
    fwrite(out->at, 1, out->len, stdout);
    fflush(stdout);
}

/* A store that is away for a moment, as during its restart, is waited for on a screen. */
static int watch(const struct values *v, struct ta_rest_client *client, const char *url,
                 const char *authorization, struct ta_top_view *view, struct ta_err *err)
{
    struct screen screen = {.is_on = !v->json && !v->plain && isatty(STDOUT_FILENO)};
    struct ta_scrape next = {0};
    struct ta_buf out;
    int64_t turn = 0;
    int r;

    ta_buf_init(&out, &ta_heap, OUT_MAX);
    r = scrape(client, url, authorization, &next, err);
    if (r == TA_OK) {
        ta_top_take(view, &next);
        view->has_colour = screen.is_on && !getenv("NO_COLOR");
        screen_begin(&screen);
        while (!rest(&screen, v->interval_ns / 1000000)) {
            r = scrape(client, url, authorization, &next, err);
            if (r == TA_OK)
                ta_top_take(view, &next);
            else if (!screen.is_on || r == TA_ECANCELED)
                break;
            show(v, view, &screen, turn++, &out);
            if (r < 0)
                printf("%s\n", err->text);
            if (v->count > 0 && turn == v->count)
                break;
        }
        screen_end(&screen);
    }
    ta_buf_done(&out);
    return stop_requested ? TA_OK : r;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct ta_rest_client *client = NULL;
    struct ta_top_view *view;
    struct ta_err err = {0};
    struct values v = {0};
    char token[TA_TOKEN_TEXT_MAX];
    char url[2048];
    int status;

    if (!ta_command_parse(self, argc, argv, &v, NULL, &status))
        return status;
    size_t n = strlen(v.url);
    while (n > 0 && v.url[n - 1] == '/')
        n--;
    if ((size_t)snprintf(url, sizeof(url), "%.*s/metrics", (int)n, v.url) >= sizeof(url))
        return ta_command_usage(self, "--url is too long");
    struct ta_rest_conf conf = {.ca_file = v.ca_file,
                                .insecure = v.insecure,
                                .total_ms = REQUEST_MS,
                                .stop = &stop_requested};
    view = ta_alloc_zero(&ta_heap, 1, sizeof(*view));
    int r = view ? TA_OK : ta_fail(&err, TA_ENOMEM, "no memory");
    if (r == TA_OK && v.token)
        r = ta_token_read(v.token, token, &err);
    if (r == TA_OK)
        r = ta_rest_global_init(&err);
    if (r == TA_OK)
        r = ta_rest_client_new(&client, &conf, &ta_heap, &err);
    if (r == TA_OK) {
        view->url = strchr(v.url, '@') ? "" : v.url; /* a password stays out of sight */
        r = watch(&v, client, url, v.token ? token : NULL, view, &err);
    }
    ta_rest_client_free(client);
    ta_release(&ta_heap, view, sizeof(*view));
    return r < 0 ? ta_command_fail(self, &err) : TA_EXIT_OK;
}

const struct ta_command ta_cmd_top = {
    .name = "top",
    .operands = "",
    .summary = "what a running store does, live in the terminal",
    .notes = "On a terminal a screen that q ends; elsewhere a line each time, as vmstat prints.\n"
             "Rates are those of the time between two looks.\n",
    .options = &options,
    .run = run};
