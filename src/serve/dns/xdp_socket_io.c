#include "serve/dns/xdp_socket_io.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef XDP_MAX_TX_SKB_BUDGET /* since Linux 6.17 */
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

enum {
    HEADROOM = 256, /* that the kernel keeps in front of what it receives */
    FRAME_SMALL = 2048,
    FRAME_LARGE = 4096,
    SEND_BUDGET = 256, /* packets a system call, where the kernel lets us say */
    FLUSH_TRIES = 2 * XDP_SEND_FRAMES / 32, /* elsewhere it sends 32 a call */
    BIND_TRIES = 100,
    BIND_PAUSE_MS = 10,
};

/* One side's view of a ring shared with the kernel: `mine` is how far this side has come. */
struct ring {
    _Atomic uint32_t *producer, *consumer;
    void *entries; /* uint64_t or struct xdp_desc */
    void *map;
    size_t map_size;
    uint32_t mine;
};

struct xdp_socket {
    int fd;
    unsigned mtu;
    bool zero_copy;
    size_t frame_size, memory_size;
    uint8_t *memory;
    struct ring fill, receive, send, complete;
    uint32_t held;       /* received and not given back */
    uint32_t free_count; /* of the frames to send */
    uint64_t free[XDP_SEND_FRAMES];
};

enum { RING_MASK = XDP_RING_FRAMES - 1, FRAMES = XDP_RING_FRAMES + XDP_SEND_FRAMES };

/* ---- opening ---- */

static int option_set(int fd, int name, const void *value, socklen_t size)
{
    return setsockopt(fd, SOL_XDP, name, value, size) ? -errno : 0;
}

static int rings_size(int fd)
{
    static const int rings[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
                                XDP_TX_RING};
    int size = XDP_RING_FRAMES, budget = SEND_BUDGET, err = 0;
    for (size_t i = 0; i < array_length(rings) && !err; i++)
        err = option_set(fd, rings[i], &size, sizeof size);
    if (!err && option_set(fd, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof budget))
        return 0; /* an older kernel: more calls */
    return err;
}

static int ring_map(int fd, struct ring *ring, const struct xdp_ring_offset *at, size_t entry_size,
                    uint64_t offset)
{
    ring->map_size = at->desc + XDP_RING_FRAMES * entry_size;
    void *map = mmap(NULL, ring->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                     (off_t)offset);
    if (map == MAP_FAILED)
        return -errno;
    ring->map = map;
    ring->producer = (void *)((uint8_t *)map + at->producer);
    ring->consumer = (void *)((uint8_t *)map + at->consumer);
    ring->entries = (uint8_t *)map + at->desc;
    return 0;
}

static int rings_map(struct xdp_socket *s)
{
    struct xdp_mmap_offsets at;
    socklen_t size = sizeof at;
    if (getsockopt(s->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &size))
        return -errno;
    int err = ring_map(s->fd, &s->receive, &at.rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
    err = err ? err : ring_map(s->fd, &s->send, &at.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
    err = err ? err : ring_map(s->fd, &s->fill, &at.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
    return err ? err
               : ring_map(s->fd, &s->complete, &at.cr, sizeof(uint64_t),
                          XDP_UMEM_PGOFF_COMPLETION_RING);
}

static int memory_register(struct xdp_socket *s)
{
    s->memory_size = FRAMES * s->frame_size;
    void *memory =
        mmap(NULL, s->memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    s->memory = memory;
    /* Large pages where there are any: a frame is two cache lines and a miss of the TLB. */
    madvise(memory, s->memory_size, MADV_HUGEPAGE);
    struct xdp_umem_reg reg = {
        .addr = (uintptr_t)memory, .len = s->memory_size, .chunk_size = (uint32_t)s->frame_size};
    return option_set(s->fd, XDP_UMEM_REG, &reg, sizeof reg);
}

static void frames_share(struct xdp_socket *s)
{
    uint64_t *fill = s->fill.entries;
    for (uint32_t i = 0; i < XDP_RING_FRAMES; i++)
        fill[i] = i * s->frame_size;
    s->fill.mine = XDP_RING_FRAMES;
    atomic_store_explicit(s->fill.producer, s->fill.mine, memory_order_release);
    for (uint32_t i = 0; i < XDP_SEND_FRAMES; i++)
        s->free[i] = (XDP_RING_FRAMES + i) * s->frame_size;
    s->free_count = XDP_SEND_FRAMES;
}

/* A queue is free some time after its last user has gone: the kernel tidies up in the background.
 */
static int queue_bind(int fd, int interface, unsigned queue)
{
    struct sockaddr_xdp address = {.sxdp_family = AF_XDP,
                                   .sxdp_flags = XDP_USE_NEED_WAKEUP,
                                   .sxdp_ifindex = (uint32_t)interface,
                                   .sxdp_queue_id = queue};
    for (unsigned tries = 0;; tries++) {
        if (!bind(fd, (const struct sockaddr *)&address, sizeof address))
            return 0;
        if (errno != EBUSY || tries == BIND_TRIES)
            return -errno;
        poll(NULL, 0, BIND_PAUSE_MS);
    }
}

static int map_enter(int map_fd, unsigned queue, int fd)
{
    uint32_t key = queue;
    union bpf_attr attr = {0};
    attr.map_fd = (uint32_t)map_fd;
    attr.key = (uintptr_t)&key;
    attr.value = (uintptr_t)&fd;
    return syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof attr) < 0 ? -errno : 0;
}

static bool zero_copy_ask(int fd)
{
    struct xdp_options options = {0};
    socklen_t size = sizeof options;
    return !getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &size) &&
           (options.flags & XDP_OPTIONS_ZEROCOPY);
}

int xdp_socket_open(int interface, unsigned queue, unsigned mtu, int map_fd,
                    struct xdp_socket **ret)
{
    invariant(mtu >= XDP_MTU_MIN && mtu <= XDP_MTU_MAX);
    struct xdp_socket *s = mem_new(1, sizeof *s);
    s->mtu = mtu;
    s->frame_size = mtu + 14 + 4 + HEADROOM <= FRAME_SMALL ? FRAME_SMALL : FRAME_LARGE;
    s->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    int err = s->fd < 0 ? -errno : memory_register(s);
    err = err ? err : rings_size(s->fd);
    err = err ? err : rings_map(s);
    if (!err) {
        frames_share(s);
        err = queue_bind(s->fd, interface, queue);
    }
    err = err ? err : map_enter(map_fd, queue, s->fd);
    if (err) {
        xdp_socket_close(s);
        return err;
    }
    s->zero_copy = zero_copy_ask(s->fd);
    *ret = s;
    return 0;
}

static void ring_unmap(struct ring *ring)
{
    if (ring->map)
        munmap(ring->map, ring->map_size);
}

void xdp_socket_close(struct xdp_socket *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    ring_unmap(&s->fill);
    ring_unmap(&s->receive);
    ring_unmap(&s->send);
    ring_unmap(&s->complete);
    if (s->memory)
        munmap(s->memory, s->memory_size);
    free(s);
}

int xdp_socket_fd(const struct xdp_socket *s)
{
    return s->fd;
}

unsigned xdp_socket_mtu(const struct xdp_socket *s)
{
    return s->mtu;
}

bool xdp_socket_zero_copy(const struct xdp_socket *s)
{
    return s->zero_copy;
}

/* ---- receiving ---- */

unsigned xdp_receive(struct xdp_socket *s, struct xdp_frame *ret, unsigned most)
{
    const struct xdp_desc *entries = s->receive.entries;
    uint32_t count =
        atomic_load_explicit(s->receive.producer, memory_order_acquire) - s->receive.mine;
    if (count > most)
        count = most;
    for (uint32_t i = 0; i < count; i++) {
        const struct xdp_desc *d = &entries[(s->receive.mine + i) & RING_MASK];
        invariant(d->addr + d->len <= s->memory_size);
        ret[i] = (struct xdp_frame){s->memory + d->addr, d->len, d->addr};
    }
    s->receive.mine += count;
    s->held += count;
    if (count)
        atomic_store_explicit(s->receive.consumer, s->receive.mine, memory_order_release);
    return count;
}

void xdp_release(struct xdp_socket *s, const struct xdp_frame *frames, unsigned count)
{
    uint64_t *entries = s->fill.entries;
    invariant(count <= s->held); /* so the fill ring, as large as all of them, has room */
    s->held -= count;
    for (unsigned i = 0; i < count; i++)
        entries[(s->fill.mine + i) & RING_MASK] = frames[i].address;
    s->fill.mine += count;
    atomic_store_explicit(s->fill.producer, s->fill.mine, memory_order_release);
}

/* ---- sending ---- */

bool xdp_frame_take(struct xdp_socket *s, struct xdp_frame *ret)
{
    if (!s->free_count)
        return false;
    uint64_t address = s->free[--s->free_count];
    *ret = (struct xdp_frame){s->memory + address, 0, address};
    return true;
}

void xdp_frame_cancel(struct xdp_socket *s, const struct xdp_frame *frame)
{
    invariant(s->free_count < XDP_SEND_FRAMES);
    s->free[s->free_count++] = frame->address;
}

void xdp_send(struct xdp_socket *s, const struct xdp_frame *frame)
{
    struct xdp_desc *entries = s->send.entries;
    invariant(frame->length <= s->mtu + 14);
    entries[s->send.mine++ & RING_MASK] = (struct xdp_desc){frame->address, frame->length, 0};
}

static void completed_take(struct xdp_socket *s)
{
    const uint64_t *entries = s->complete.entries;
    uint32_t end = atomic_load_explicit(s->complete.producer, memory_order_acquire);
    if (end == s->complete.mine)
        return;
    for (; s->complete.mine != end; s->complete.mine++) {
        invariant(s->free_count < XDP_SEND_FRAMES);
        s->free[s->free_count++] = entries[s->complete.mine & RING_MASK];
    }
    atomic_store_explicit(s->complete.consumer, end, memory_order_release);
}

bool xdp_flush(struct xdp_socket *s)
{
    atomic_store_explicit(s->send.producer, s->send.mine, memory_order_release);
    bool empty = false;
    for (unsigned tries = 0; tries < FLUSH_TRIES; tries++) {
        uint32_t sent = atomic_load_explicit(s->send.consumer, memory_order_acquire);
        empty = sent == s->send.mine;
        if (empty)
            break;
        /* Whatever it says (the device is busy, the budget is spent): what counts is whether the
         * ring moves. */
        ssize_t ignored = sendto(s->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
        (void)ignored;
        if (atomic_load_explicit(s->send.consumer, memory_order_acquire) == sent)
            break;
    }
    completed_take(s);
    return empty || atomic_load_explicit(s->send.consumer, memory_order_acquire) == s->send.mine;
}
