/* The answers of a batch on their way to the kernel: gathered, bundled by client, sent with one
 * system call. */
#pragma once

#include "base/attr.h"
#include "model/stats.h"
#include <sys/socket.h>

struct udp_outbox;
/* fd: a UDP socket of somebody else, who closes it after the outbox is freed. */
struct udp_outbox *udp_outbox_new(int fd);
void udp_outbox_free(struct udp_outbox *o);

/* At most BUNDLE_ANSWERS_MAX answers before each udp_outbox_send(). `to`: a header as recvmsg()
 * filled it; its name and control and `data` are read until then. length: 1 to 65,507. */
void udp_outbox_add(struct udp_outbox *o, const struct msghdr *to, uint8_t *data, size_t length);

/* Sends all and is empty. An answer that the kernel does not take now is lost, as any datagram may
 * be, and counted: the client asks again, and nobody else waits meanwhile. */
void udp_outbox_send(struct udp_outbox *o, struct stats_thread *stats);
