/* nats_server.h - a real nats-server for a test, on a loopback port of its own. */
#ifndef TESTS_NATS_SERVER_H
#define TESTS_NATS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct nats_server {
    int port;
    pid_t pid; /* 0: not running */
    char dir[64];
    char url[64];
};

/* false: no nats-server is installed here. Picks a port and a directory; starts nothing. */
bool nats_server_init(struct nats_server *s);
/* Starts it, with JetStream, and waits until it accepts connections. */
void nats_server_start(struct nats_server *s);
/* SIGKILL when `hard`, else SIGTERM; waits for its end. */
void nats_server_stop(struct nats_server *s, bool hard);
/* Stops it and removes the directory. */
void nats_server_done(struct nats_server *s);

#endif
