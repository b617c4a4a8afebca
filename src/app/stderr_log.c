#include "app/stderr_log.h"

#include "base/err.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const prefixes[] = {
    [TA_LOG_DEBUG] = "<7>[DEBUG]    ", [TA_LOG_INFO] = "<6>[INFO]     ",
    [TA_LOG_WARN] = "<4>[WARNING]  ",  [TA_LOG_ERROR] = "<3>[ERROR]    ",
    [TA_LOG_CRIT] = "<2>[CRITICAL] ",
};

/* FNV-1a over the text without digits and without what stands in quotes. */
static uint64_t hash_kind(enum ta_log_level level, const char *text)
{
    uint64_t h = 14695981039346656037u ^ (uint64_t)level;
    bool is_quoted = false;

    for (; *text; text++) {
        if (*text == '"')
            is_quoted = !is_quoted;
        if (is_quoted || (*text >= '0' && *text <= '9'))
            continue;
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    }
    return h;
}

/* One write per line, so that lines of two threads never mix. */
static void write_line(const struct ta_stderr_log *l, enum ta_log_level level, const char *text)
{
    char line[1200], date[32] = "";
    size_t n;

    if (l->has_date) {
        time_t now = (time_t)ta_now_s(l->clock);
        struct tm tm;

        if (localtime_r(&now, &tm))
            strftime(date, sizeof(date), "%Y/%m/%d %H:%M:%S ", &tm);
    }
    n = (size_t)snprintf(line, sizeof(line) - 1, "%s%s%s", prefixes[level], date, text);
    if (n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    /* Text of the network must not forge lines or drive a terminal. */
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = '?';
    line[n++] = '\n';
    ssize_t ignored = write(l->fd, line, n); /* nowhere left to complain */
    (void)ignored;
}

static void end_window(struct ta_stderr_log *l, struct ta_log_kind *k)
{
    char text[sizeof(k->text) + 64];

    if (k->n_held_back > 0) {
        snprintf(text, sizeof(text), "%s (%u more like this in %d s)", k->text, k->n_held_back,
                 TA_LOG_WINDOW_S);
        write_line(l, k->level, text);
    }
    k->n_lines = k->n_held_back = 0;
}

static bool is_over(const struct ta_log_kind *k, int64_t now)
{
    return now - k->since_mono_ns >= (int64_t)TA_LOG_WINDOW_S * 1000000000;
}

static struct ta_log_kind *find_kind(struct ta_stderr_log *l, uint64_t hash, int64_t now)
{
    struct ta_log_kind *oldest = &l->kinds[0];

    for (size_t i = 0; i < TA_LOG_KINDS; i++) {
        struct ta_log_kind *k = &l->kinds[i];

        if (k->hash == hash)
            return k;
        if (k->since_mono_ns < oldest->since_mono_ns)
            oldest = k;
    }
    end_window(l, oldest);
    *oldest = (struct ta_log_kind){.hash = hash, .since_mono_ns = now};
    return oldest;
}

static void emit(struct ta_log *self, enum ta_log_level level, const char *text)
{
    struct ta_stderr_log *l = TA_CONTAINER(self, struct ta_stderr_log, log);

    if ((int)level < l->level)
        return;
    uint64_t hash = hash_kind(level, text);
    int64_t now = ta_mono_ns(l->clock);

    pthread_mutex_lock(&l->lock);
    struct ta_log_kind *k = find_kind(l, hash, now);
    if (is_over(k, now)) {
        end_window(l, k);
        k->since_mono_ns = now;
    }
    if (k->n_lines < TA_LOG_BURST) {
        k->n_lines++;
        write_line(l, level, text);
    } else {
        k->n_held_back++;
        l->n_held_back++;
        k->level = level;
        snprintf(k->text, sizeof(k->text), "%s", text);
    }
    pthread_mutex_unlock(&l->lock);
}

void ta_stderr_log_init(struct ta_stderr_log *l, int fd, struct ta_clock *clock)
{
    *l = (struct ta_stderr_log){.log = {emit},
                                .fd = fd,
                                .clock = clock,
                                .level = TA_LOG_WARN,
                                .lock = PTHREAD_MUTEX_INITIALIZER};
}

void ta_stderr_log_done(struct ta_stderr_log *l)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < TA_LOG_KINDS; i++)
        end_window(l, &l->kinds[i]);
    pthread_mutex_unlock(&l->lock);
    pthread_mutex_destroy(&l->lock);
}

void ta_stderr_log_tick(struct ta_stderr_log *l)
{
    int64_t now = ta_mono_ns(l->clock);

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < TA_LOG_KINDS; i++)
        if (is_over(&l->kinds[i], now))
            end_window(l, &l->kinds[i]);
    pthread_mutex_unlock(&l->lock);
}

int ta_log_level_parse(const char *word, enum ta_log_level *out)
{
    static const struct {
        const char *word;
        enum ta_log_level level;
    } words[] = {{"debug", TA_LOG_DEBUG}, {"info", TA_LOG_INFO},   {"warn", TA_LOG_WARN},
                 {"err", TA_LOG_ERROR},   {"fatal", TA_LOG_ERROR}, {"crit", TA_LOG_CRIT}};

    for (size_t i = 0; i < TA_COUNT(words); i++)
        if (strcmp(word, words[i].word) == 0) {
            *out = words[i].level;
            return TA_OK;
        }
    return TA_EINVAL;
}
