/* s3_server.c - see s3_server.h. */
#include "s3_server.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TAG_HEADER "X-Amz-Meta-Tarn-Tag: "

/* ---- objects ------------------------------------------------------------------------------------ */

/* Where the key is, or where it belongs. */
static size_t place_of(const struct s3_server *s, const char *key, bool *is_there)
{
    size_t i = 0;

    while (i < s->n_objects && strcmp(s->objects[i].key, key) < 0)
        i++;
    *is_there = i < s->n_objects && strcmp(s->objects[i].key, key) == 0;
    return i;
}

static void put(struct s3_server *s, const char *key, const char *tag, const char *at, size_t len)
{
    bool is_there;
    size_t i = place_of(s, key, &is_there);

    if (!is_there) {
        if (s->n_objects == S3_OBJECTS_MAX)
            abort();
        memmove(&s->objects[i + 1], &s->objects[i], (s->n_objects - i) * sizeof(s->objects[0]));
        s->objects[i] = (struct s3_object){0};
        snprintf(s->objects[i].key, sizeof(s->objects[i].key), "%s", key);
        s->n_objects++;
    }
    snprintf(s->objects[i].tag, sizeof(s->objects[i].tag), "%s", tag);
    free(s->objects[i].at);
    s->objects[i].at = malloc(len + 1);
    memcpy(s->objects[i].at, at, len);
    s->objects[i].len = len;
}

static void drop(struct s3_server *s, const char *key)
{
    bool is_there;
    size_t i = place_of(s, key, &is_there);

    if (!is_there)
        return;
    free(s->objects[i].at);
    s->n_objects--;
    memmove(&s->objects[i], &s->objects[i + 1], (s->n_objects - i) * sizeof(s->objects[0]));
}

/* ---- answers ------------------------------------------------------------------------------------ */

struct answer {
    char *at;
    size_t len;
};

static struct answer answer_of(int status, const char *body, size_t len, bool has_body)
{
    struct answer a = {malloc(256 + len), 0};

    a.len = (size_t)sprintf(a.at, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\n\r\n", status, len);
    if (has_body && len > 0) {
        memcpy(a.at + a.len, body, len);
        a.len += len;
    }
    return a;
}

/* The value of a query's parameter with %2F for its only odd character. */
static void parameter(const char *query, const char *name, char out[256])
{
    const char *at = strstr(query, name);
    size_t n = 0;

    for (at = at ? at + strlen(name) : ""; *at && *at != '&' && n < 255; at++) {
        bool is_slash = strncmp(at, "%2F", 3) == 0;

        out[n++] = is_slash ? '/' : *at;
        at += is_slash ? 2 : 0;
    }
    out[n] = 0;
}

/* One page holds all. */
static struct answer list(const struct s3_server *s, const char *bucket, const char *query)
{
    char prefix[256], after[256], last[256] = "", text[S3_OBJECTS_MAX * 300];
    size_t skip = strlen(bucket) + 1, n = 0;
    bool by_folder = strstr(query, "delimiter=") != NULL;

    parameter(query, "prefix=", prefix);
    parameter(query, "start-after=", after);
    n += (size_t)sprintf(text + n, "<ListBucketResult><IsTruncated>false</IsTruncated>");
    for (size_t i = 0; i < s->n_objects; i++) {
        const char *key = s->objects[i].key + skip;

        if (strncmp(s->objects[i].key, bucket, skip - 1) != 0 || key[-1] != '/' ||
            strncmp(key, prefix, strlen(prefix)) != 0 || strcmp(key, after) <= 0)
            continue;
        const char *slash = strchr(key + strlen(prefix), '/');
        if (!by_folder) {
            n += (size_t)sprintf(text + n, "<Contents><Key>%s</Key></Contents>", key);
        } else if (slash && strncmp(last, key, (size_t)(slash - key) + 1) != 0) {
            snprintf(last, sizeof(last), "%.*s", (int)(slash - key) + 1, key);
            n += (size_t)sprintf(text + n, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>",
                                 last);
        }
    }
    n += (size_t)sprintf(text + n, "</ListBucketResult>");
    return answer_of(200, text, n, true);
}

static struct answer look_at(const struct s3_object *o, bool has_body)
{
    struct answer a = {malloc(256 + o->len), 0};

    a.len = (size_t)sprintf(
        a.at, "HTTP/1.1 200 x\r\nContent-Length: %zu\r\n" TAG_HEADER "%s\r\n\r\n", o->len, o->tag);
    if (has_body) {
        memcpy(a.at + a.len, o->at, o->len);
        a.len += o->len;
    }
    return a;
}

/* The value of a header of the request, up to its end. */
static void header(const char *head, const char *name, char out[64])
{
    const char *at = strcasestr(head, name), *end = strstr(head, "\r\n\r\n");

    out[0] = 0;
    if (at && at < end)
        (void)sscanf(at + strlen(name), "%63[^\r]", out);
}

/* Does what is asked, unless `does` is false, and answers as if. */
static struct answer serve(struct s3_server *s, const char *head, const char *method, char *path,
                           struct ta_str body, bool does)
{
    char tag[64], only_new[64];
    char *query = strchr(path, '?');
    bool is_there;

    if (query)
        *query++ = 0;
    char *slash = strchr(path + 1, '/');
    if (!slash || !slash[1]) { /* the bucket itself */
        path[strcspn(path + 1, "/") + 1] = 0;
        return query ? list(s, path, query) : answer_of(200, "", 0, false);
    }
    size_t i = place_of(s, path, &is_there);
    if (strcmp(method, "PUT") == 0) {
        header(head, TAG_HEADER, tag);
        header(head, "If-None-Match: ", only_new);
        if (is_there && only_new[0])
            return answer_of(412, "", 0, false);
        if (does)
            put(s, path, tag, body.at, body.len);
        return answer_of(200, "", 0, false);
    }
    if (strcmp(method, "DELETE") == 0) {
        if (does)
            drop(s, path);
        return answer_of(204, "", 0, false);
    }
    return is_there ? look_at(&s->objects[i], strcmp(method, "GET") == 0)
                    : answer_of(404, "", 0, false);
}

/* ---- connections -------------------------------------------------------------------------------- */

static void hang_up(struct s3_connection *c, bool is_reset)
{
    const struct linger at_once = {1, 0};

    if (is_reset)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(c->fd);
    free(c->at);
    *c = (struct s3_connection){.fd = -1};
}

/* A peer that gives up is no failure of the test. */
static void say(struct s3_connection *c, const char *at, size_t n)
{
    while (n > 0) {
        ssize_t put_n = send(c->fd, at, n, MSG_NOSIGNAL);

        if (put_n <= 0)
            return;
        at += put_n;
        n -= (size_t)put_n;
    }
}

static bool is_failing(struct s3_server *s)
{
    if (s->left < 0)
        return false;
    if (s->left > 0) {
        s->left--;
        return false;
    }
    if (!s->for_good)
        s->left = -1;
    s->hit = true;
    return true;
}

/* One whole request; false: the connection is gone. */
static bool handle(struct s3_server *s, struct s3_connection *c, struct ta_str body)
{
    char method[16], path[256];

    if (sscanf(c->at, "%15s %255s", method, path) != 2)
        abort();
    pthread_mutex_lock(&s->lock);
    bool fails = is_failing(s);
    enum s3_fault fault = s->fault;
    bool does = !fails || fault == S3_CUT || fault == S3_503 || fault == S3_SILENT;
    struct answer a = serve(s, c->at, method, path, body, does);
    pthread_mutex_unlock(&s->lock);
    if (fails && (fault == S3_500 || fault == S3_503)) {
        free(a.at);
        a = answer_of(fault == S3_500 ? 500 : 503, "", 0, false);
    }
    if (!fails || fault == S3_500 || fault == S3_503)
        say(c, a.at, a.len);
    else if (fault == S3_CUT)
        say(c, a.at, a.len / 2);
    free(a.at);
    if (fails && (fault == S3_RESET || fault == S3_CUT)) {
        hang_up(c, fault == S3_RESET);
        return false;
    }
    return true;
}

static void hear(struct s3_server *s, struct s3_connection *c)
{
    if (!c->at)
        c->at = malloc(S3_REQUEST_MAX + 1);
    ssize_t got = recv(c->fd, c->at + c->len, S3_REQUEST_MAX - c->len, 0);
    if (got <= 0) {
        hang_up(c, false);
        return;
    }
    c->len += (size_t)got;
    for (;;) {
        c->at[c->len] = 0;
        const char *end = strstr(c->at, "\r\n\r\n");
        const char *length = strcasestr(c->at, "\r\nContent-Length: ");
        if (!end)
            return;
        size_t head = (size_t)(end - c->at) + 4;
        size_t n = length && length < end ? strtoul(length + 18, NULL, 10) : 0;
        if (c->len < head + n)
            return;
        if (!handle(s, c, (struct ta_str){c->at + head, n}))
            return;
        c->len -= head + n;
        memmove(c->at, c->at + head + n, c->len);
    }
}

static void take(struct s3_server *s)
{
    int fd = accept(s->listener, NULL, NULL);

    for (size_t i = 0; fd >= 0 && i < S3_CONNECTIONS_MAX; i++) {
        if (s->connections[i].fd < 0) {
            s->connections[i].fd = fd;
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

static void *run(void *arg)
{
    struct s3_server *s = arg;

    for (;;) {
        struct pollfd fds[S3_CONNECTIONS_MAX + 2] = {{.fd = s->stop, .events = POLLIN},
                                                     {.fd = s->listener, .events = POLLIN}};

        for (size_t i = 0; i < S3_CONNECTIONS_MAX; i++)
            fds[i + 2] = (struct pollfd){.fd = s->connections[i].fd, .events = POLLIN};
        if (poll(fds, S3_CONNECTIONS_MAX + 2, -1) < 0 && errno != EINTR)
            abort();
        if (fds[0].revents)
            return NULL;
        for (size_t i = 0; i < S3_CONNECTIONS_MAX; i++)
            if (fds[i + 2].revents)
                hear(s, &s->connections[i]);
        if (fds[1].revents)
            take(s);
    }
}

/* ---- life --------------------------------------------------------------------------------------- */

void s3_server_start(struct s3_server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);

    *s = (struct s3_server){.left = -1};
    for (size_t i = 0; i < S3_CONNECTIONS_MAX; i++)
        s->connections[i].fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    s->stop = eventfd(0, EFD_CLOEXEC);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->stop >= 0 && s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(s->listener, 64), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

void s3_server_stop(struct s3_server *s)
{
    assert_int_equal(eventfd_write(s->stop, 1), 0);
    pthread_join(s->thread, NULL);
    for (size_t i = 0; i < S3_CONNECTIONS_MAX; i++)
        if (s->connections[i].fd >= 0)
            hang_up(&s->connections[i], false);
    close(s->listener);
    close(s->stop);
    s3_server_clear(s);
    pthread_mutex_destroy(&s->lock);
}

void s3_server_arm(struct s3_server *s, long left, enum s3_fault fault, bool for_good)
{
    pthread_mutex_lock(&s->lock);
    s->left = left;
    s->fault = fault;
    s->for_good = for_good;
    s->hit = false;
    pthread_mutex_unlock(&s->lock);
}

bool s3_server_hit(struct s3_server *s)
{
    pthread_mutex_lock(&s->lock);
    bool hit = s->hit;
    pthread_mutex_unlock(&s->lock);
    return hit;
}

struct ta_str s3_server_object(struct s3_server *s, const char *key)
{
    struct ta_str found = {0};
    bool is_there;

    pthread_mutex_lock(&s->lock);
    size_t i = place_of(s, key, &is_there);
    if (is_there)
        found = (struct ta_str){s->objects[i].at, s->objects[i].len};
    pthread_mutex_unlock(&s->lock);
    return found;
}

void s3_server_clear(struct s3_server *s)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_objects; i++)
        free(s->objects[i].at);
    s->n_objects = 0;
    pthread_mutex_unlock(&s->lock);
}
