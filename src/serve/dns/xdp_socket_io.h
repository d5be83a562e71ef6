/* One queue of an interface as rings in memory (AF_XDP): frames with queries in, frames with
 * answers out. Opened with privileges, used without.
 *
 * Frames that come in belong, in turns, to the kernel's fill ring, its receive ring and the
 * caller; frames that go out to the free list, the send ring and the kernel. The two sets never
 * mix, so that neither can starve the other. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    XDP_MTU_MIN = 1280, /* IPv6's; answers of 1232 bytes fit */
    XDP_MTU_MAX = 4096 - 256 - 14 - 4,
    XDP_RING_FRAMES = 2048, /* of each of the four rings */
    XDP_SEND_FRAMES = 1024,
};

struct xdp_frame {
    uint8_t *bytes;
    uint32_t length;
    uint64_t address; /* the kernel's name for it */
};

struct xdp_socket;

/* Takes over a queue and enters it in the filter's map. Waits up to a second for another process to
 * leave the queue. Needs CAP_NET_RAW, CAP_BPF and CAP_IPC_LOCK. -EBUSY: somebody has the queue. */
must_check int xdp_socket_open(int interface, unsigned queue, unsigned mtu, int map_fd,
                               struct xdp_socket **ret);
/* The queue's packets go their usual way again. NULL is fine. */
void xdp_socket_close(struct xdp_socket *s);

int xdp_socket_fd(const struct xdp_socket *s);
unsigned xdp_socket_mtu(const struct xdp_socket *s);
/* The driver reads and writes the frames itself; else the kernel copies. */
bool xdp_socket_zero_copy(const struct xdp_socket *s);

/* Frames that came, at most `most`; then gives them back, all at once and in any order. */
unsigned xdp_receive(struct xdp_socket *s, struct xdp_frame *ret, unsigned most);
void xdp_release(struct xdp_socket *s, const struct xdp_frame *frames, unsigned count);

/* A frame to write into, of at least the MTU and 14 bytes; false where all are under way. It is
 * sent, with its length set, or cancelled. */
bool xdp_frame_take(struct xdp_socket *s, struct xdp_frame *ret);
void xdp_frame_cancel(struct xdp_socket *s, const struct xdp_frame *frame);
/* Puts a frame in the send ring; there is room for every frame that xdp_frame_take gave. */
void xdp_send(struct xdp_socket *s, const struct xdp_frame *frame);
/* Has the kernel send what is in the ring, and takes back what it has sent. False where something
 * is still in the ring: call it again soon. */
bool xdp_flush(struct xdp_socket *s);
