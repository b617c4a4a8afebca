/* s3_server.h - a bucket server in memory whose n-th request fails.
 *
 * It knows what tarn asks for: objects put (in one piece; also only if there is none), read, looked at, removed, and listed; signatures are not
 * looked at (tests/e2e has a server that verifies them). Keys are "/BUCKET/KEY"; every bucket is there.
 *
 * One thread serves all connections. Objects may be looked at while no request is under way.
 */
#ifndef TESTS_S3_SERVER_H
#define TESTS_S3_SERVER_H

#include "base/str.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum s3_fault {
    S3_RESET,  /* the connection is reset, nothing was done */
    S3_CUT,    /* it is done, and the answer ends in its middle */
    S3_500,    /* nothing is done */
    S3_503,    /* it is done nevertheless */
    S3_SILENT, /* it is done, and no answer comes */
    S3_FAULTS
};

enum { S3_OBJECTS_MAX = 64, S3_CONNECTIONS_MAX = 16, S3_REQUEST_MAX = 1 << 20 };

struct s3_server {
    uint16_t port;
    int listener, stop; /* stop: an eventfd */
    pthread_t thread;
    struct s3_connection {
        int fd; /* -1: free */
        char *at;
        size_t len;
    } connections[S3_CONNECTIONS_MAX];
    struct s3_object {
        char key[256];
        char tag[64]; /* tarn's, in the metadata of an object */
        char *at;
        size_t len;
    } objects[S3_OBJECTS_MAX]; /* sorted by key */

    pthread_mutex_t lock; /* guards objects and what follows */
    size_t n_objects;
    long left; /* requests that pass before the one that fails; < 0: none fails */
    enum s3_fault fault;
    bool for_good; /* all from there on */
    bool hit;
};

void s3_server_start(struct s3_server *s);
void s3_server_stop(struct s3_server *s);

/* From now on; left < 0: all is well. Forgets a hit. */
void s3_server_arm(struct s3_server *s, long left, enum s3_fault fault, bool for_good);
bool s3_server_hit(struct s3_server *s);
/* {NULL, 0}: there is none. Borrowed until the next change. */
struct ta_str s3_server_object(struct s3_server *s, const char *key);
/* Forgets all objects. */
void s3_server_clear(struct s3_server *s);

#endif
