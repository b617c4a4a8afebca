/* http_peer.h - a client that puts exactly the bytes on the wire that a test wants. */
#ifndef TESTS_HTTP_PEER_H
#define TESTS_HTTP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_got {
    int status;      /* 0: nothing (whole) came */
    char head[8192]; /* status line and headers, NUL-terminated */
    char *body;      /* de-chunked; malloc'ed by the peer, freed by http_got_done */
    size_t body_len;
    bool is_whole;  /* ended as its framing says */
    bool is_closed; /* the server closed the connection */
};

/* A connection to 127.0.0.1; the test fails when there is none. */
int http_peer_connect(uint16_t port);
/* All bytes; false when the server does not take them (closed, or ten seconds without progress). */
bool http_peer_send(int fd, const void *bytes, size_t n);
bool http_peer_say(int fd, const char *text);
/* One answer, waited for at most ten seconds. `is_head`: it has no body whatever its headers say.
 * */
void http_peer_read(int fd, bool is_head, struct http_got *out);
void http_got_done(struct http_got *g);
/* Say and read on a new connection that is closed afterwards. */
void http_peer_ask(uint16_t port, const char *text, struct http_got *out);
/* The value of a header of the answer, or NULL. The text lives until the next call. */
const char *http_got_header(const struct http_got *g, const char *name);
/* Waits until the server has closed; false after `ms`. */
bool http_peer_is_closed(int fd, int ms);

#endif
