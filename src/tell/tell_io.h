/* Tell: answers GET /, /metrics and /healthz over HTTP/1.1 from this host's files, with everything
 * else dead (L1, L9). */
#pragma once

#include "base/attr.h"
#include "model/stats.h"

enum { TELL_PAGE_AGE_S = 1 /* a page is made at most this often */ };

struct tell_options {
    const char *data;      /* the node's folder */
    const int *listen_fds; /* listening TCP sockets; become non-blocking */
    unsigned listen_count;
    const struct stats_file *stats; /* of this role, one thread */
    int stop_fd;                    /* tell_run returns when it becomes readable */
    void (*ready)(void *context);   /* called once requests are taken; NULL: nobody waits */
    void *context;
};

/* Serves until stop_fd; 0, or a negated errno when it could not start. */
must_check int tell_run(const struct tell_options *o);
