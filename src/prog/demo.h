/* `holdfast demo`: a node and two small origins on loopback, and a client that asks all the time.
 * The files beside this one each do a part: demo_origin (the regions), demo_client (the questions),
 * demo_node (the node itself), demo_view (the screen), demo_story (the script). */
#pragma once

#include "base/ip.h"
#include "base/time.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { DEMO_REGIONS = 2, DEMO_CHANGES_MAX = 64, DEMO_LINES_MAX = 64 };

/* What ails a region. */
enum origin_mode {
    ORIGIN_UP,
    ORIGIN_CUT,    /* silence: packets go in, nothing comes out */
    ORIGIN_SLOW,   /* answers come later than the check's timeout */
    ORIGIN_BROKEN, /* answers are 500 */
};
enum { ORIGIN_MODES = 4 };

struct origin {
    const char *region;
    struct ip ip;
    uint16_t port;
    int listen_fd;
    _Atomic int mode; /* enum origin_mode */
    _Atomic bool stop;
    pthread_t thread;
};

/* Listens on ip:port (0: any, stored back) and answers in a thread of its own. */
int origin_start(struct origin *o, const char *region, const char *ip, uint16_t port);
void origin_stop(struct origin *o);
const char *origin_mode_name(enum origin_mode mode);

/* A change of the answer, as a client saw it. */
struct answer_change {
    usec_t at;
    struct ip ip;
};

/* Asks for one name over UDP, one question after the other. */
struct client {
    uint16_t port;
    const char *name;
    pthread_t thread;
    _Atomic bool stop;
    _Atomic uint64_t asked, answered, lost, wrong, empty;
    pthread_mutex_t lock; /* of what follows */
    struct ip answer;     /* newest */
    bool has_answer;
    usec_t slowest;                                 /* longest wait for an answer */
    struct answer_change changes[DEMO_CHANGES_MAX]; /* the newest, oldest first */
    unsigned change_count;
    uint64_t change_total; /* since the start; the newest is changes[change_count - 1] */
};

void client_start(struct client *c, uint16_t port, const char *name);
void client_stop(struct client *c);
bool client_answer(struct client *c, struct ip *ret);

struct demo {
    char *folder, *data, *config; /* a temporary folder and what lies in it */
    uint16_t dns_port, tell_port, origin_port;
    pid_t node;
    struct origin origins[DEMO_REGIONS];
    struct client client;
    usec_t started;
    struct {
        usec_t at;
        char text[160];
    } lines[DEMO_LINES_MAX]; /* the timeline: the newest, oldest first */
    unsigned line_count;
};

extern const char *const demo_name; /* the service that is asked for */

/* Writes configuration and zone, starts the node, waits until it answers. Problems go to stderr. */
int demo_node_start(struct demo *d);
void demo_node_stop(struct demo *d); /* ends every process of the node and removes the folder */
void demo_line(struct demo *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

int demo_view(struct demo *d);  /* live; returns the exit status */
int demo_story(struct demo *d); /* plays the story once; 0 only if each promise held */
