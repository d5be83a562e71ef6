/* Bytes of one connection, over TCP or over TLS on it; nothing here waits. */
#pragma once

#include "base/attr.h"
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct transport {
    int fd;
    SSL *tls;       /* NULL: plain */
    uint32_t wants; /* EPOLLIN or EPOLLOUT: what TLS waits for; 0: nothing of its own */
};

/* As recv(2) and sendmsg(2): EAGAIN where there is nothing to be had now. */
ssize_t transport_receive(struct transport *t, void *to, size_t size);
ssize_t transport_send(struct transport *t, const struct iovec *parts, unsigned count);
/* Is there something that epoll knows nothing of? */
bool transport_has_more(const struct transport *t);
/* Nothing more is sent; what comes is still read. */
must_check int transport_end(struct transport *t);
void transport_close(struct transport *t);
