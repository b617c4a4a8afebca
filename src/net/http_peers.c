#include "net/http_peers.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <xxhash.h>

int http_peers_init(struct http_peers *p, uint32_t connections, uint32_t limit, uint64_t seed,
                    struct ta_alloc *alloc)
{
    size_t n = 16;

    while (n < (size_t)connections * 2 + 2)
        n *= 2;
    *p = (struct http_peers){.limit = limit, .seed = seed, .alloc = alloc};
    p->places = ta_alloc_zero(alloc, n, sizeof(p->places[0]));
    if (!p->places)
        return TA_ENOMEM;
    p->n_places = n;
    pthread_mutex_init(&p->lock, NULL);
    return TA_OK;
}

void http_peers_done(struct http_peers *p)
{
    if (!p->places)
        return;
    pthread_mutex_destroy(&p->lock);
    ta_release(p->alloc, p->places, p->n_places * sizeof(p->places[0]));
    p->places = NULL;
}

struct ta_http_peer_key http_peer_key(const struct sockaddr *addr, char *text)
{
    struct ta_http_peer_key key = {0};

    text[0] = 0;
    if (!addr)
        return key;
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)addr;
        key.bytes[10] = key.bytes[11] = 0xff;
        memcpy(key.bytes + 12, &a->sin_addr, 4);
        (void)inet_ntop(AF_INET, &a->sin_addr, text, INET6_ADDRSTRLEN);
    } else if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)(const void *)addr;
        memcpy(key.bytes, &a->sin6_addr, 16);
        if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr))
            (void)inet_ntop(AF_INET, key.bytes + 12, text, INET6_ADDRSTRLEN);
        else
            (void)inet_ntop(AF_INET6, &a->sin6_addr, text, INET6_ADDRSTRLEN);
    }
    return key;
}

static size_t home_of(const struct http_peers *p, const struct ta_http_peer_key *key)
{
    return (size_t)XXH64(key->bytes, sizeof(key->bytes), p->seed) & (p->n_places - 1);
}

/* The place of the key, or the free one where it belongs. The table is never full. */
static size_t find(const struct http_peers *p, const struct ta_http_peer_key *key)
{
    size_t i = home_of(p, key);

    while (p->places[i].count && memcmp(&p->places[i].key, key, sizeof(*key)) != 0)
        i = (i + 1) & (p->n_places - 1);
    return i;
}

bool http_peers_add(struct http_peers *p, struct ta_http_peer_key key)
{
    pthread_mutex_lock(&p->lock);
    struct http_peer *place = &p->places[find(p, &key)];
    bool ok = place->count < p->limit;
    if (ok) {
        place->key = key;
        place->count++;
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void http_peers_remove(struct http_peers *p, struct ta_http_peer_key key)
{
    size_t mask = p->n_places - 1;

    pthread_mutex_lock(&p->lock);
    size_t hole = find(p, &key);
    assert(p->places[hole].count > 0);
    if (--p->places[hole].count == 0) {
        /* Those behind the hole move up when their home is at or before it, so that every chain
         * stays whole. */
        for (size_t i = (hole + 1) & mask; p->places[i].count; i = (i + 1) & mask) {
            size_t home = home_of(p, &p->places[i].key);
            if (((i - home) & mask) >= ((i - hole) & mask)) {
                p->places[hole] = p->places[i];
                p->places[i].count = 0;
                hole = i;
            }
        }
    }
    pthread_mutex_unlock(&p->lock);
}
