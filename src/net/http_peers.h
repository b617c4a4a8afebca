/* http_peers.h - how many connections each address has. */
#ifndef TARN_NET_HTTP_PEERS_H
#define TARN_NET_HTTP_PEERS_H

#include "base/alloc.h"
#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 address stands as ::ffff:a.b.c.d. */
struct ta_http_peer_key {
    unsigned char bytes[16];
};

struct http_peer {
    struct ta_http_peer_key key;
    uint32_t count; /* 0: the place is free */
};

/* A table of at least twice as many places as there can be connections, so that it is never full.
 * */
struct http_peers {
    pthread_mutex_t lock;
    struct http_peer *places; /* guarded by lock */
    size_t n_places;          /* power of two */
    uint32_t limit;
    uint64_t seed; /* so that clients can not choose collisions */
    struct ta_alloc *alloc;
};

int http_peers_init(struct http_peers *p, uint32_t connections, uint32_t limit, uint64_t seed,
                    struct ta_alloc *alloc);
void http_peers_done(struct http_peers *p); /* fine on a zeroed struct */

/* Key and numeric text (room for INET6_ADDRSTRLEN) of a socket address; "" when it is no IP. */
struct ta_http_peer_key http_peer_key(const struct sockaddr *addr, char *text);

/* Counts one more connection; false, and nothing counted, when the address is at its limit. */
bool http_peers_add(struct http_peers *p, struct ta_http_peer_key key);
void http_peers_remove(struct http_peers *p, struct ta_http_peer_key key);

#endif
