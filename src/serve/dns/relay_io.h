/* Messages that are for control: UPDATE and NOTIFY are passed on over a unix socket, and what
 * control answers goes to who asked.
 *
 * Workers never wait (L1): a message is handed to the kernel or it is not, and where it is not the
 * worker answers SERVFAIL itself. One thread waits for all answers, and gives up on those that do
 * not come. */
#pragma once

#include "base/bytes.h"
#include "base/ip.h"
#include "serve/dns/stream_io.h"
#include "wire/relay.h"
#include <sys/socket.h>

enum {
    RELAY_PENDING_MAX = 256, /* messages at once, of all workers; a power of two */
    RELAY_PATIENCE_S = 10,   /* then SERVFAIL */
};

struct relay;
/* data: the node's folder. Starts the thread. */
must_check int relay_new(const char *data, struct relay **ret);
/* Ends it; who waits for an answer gets SERVFAIL. NULL is fine. */
void relay_free(struct relay *r);

/* Passes a message on; false where control is away or too many are on their way: nobody else will
 * answer it then. `to`: a header as recvmsg() filled it, for the answer; copied.
 * From any thread. r may be NULL (false). */
must_check bool relay_datagram(struct relay *r, const struct bytes *message,
                               const struct ip *client, int fd, const struct msghdr *to);
/* The same for a stream; the ticket is taken over where the result is true. */
must_check bool relay_stream(struct relay *r, const struct bytes *message, const struct ip *client,
                             struct stream_ticket ticket);
