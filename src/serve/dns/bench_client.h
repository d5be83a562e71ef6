/* What the clients of benchmarks share: queries from a file of names, the first word of each line;
 * the socket they ask through, and its answers in batches. */
#pragma once

#include "base/bytes.h"
#include "base/memory.h"
#include "seam/disk.h"
#include "seam/net.h"
#include <stdlib.h>
#include <string.h>

enum { BENCH_QUERY_MAX = 300, BENCH_NAMES_SIZE_MAX = 1 << 28 };
enum { BENCH_BATCH = 32, BENCH_ANSWER_MAX = 1536, BENCH_ROOM = 1 << 24 };

struct bench_query {
    uint8_t bytes[BENCH_QUERY_MAX]; /* for A; the first two are the id */
    uint16_t length;
};

/* A line, without its end. */
static bool bench_query_make(const char *name, size_t length, bool dnssec, struct bench_query *q)
{
    struct writer w = writer_init(q->bytes, sizeof q->bytes);
    const uint8_t head[12] = {[2] = 1, [5] = 1, [11] = dnssec};
    static const uint8_t opt[] = {0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0};
    writer_bytes(&w, head, sizeof head);
    for (size_t at = 0; at < length;) {
        const char *dot = memchr(name + at, '.', length - at);
        size_t label = dot ? (size_t)(dot - name) - at : length - at;
        writer_u8(&w, (uint8_t)label);
        writer_bytes(&w, name + at, label);
        at += label + 1;
    }
    writer_u8(&w, 0);
    writer_u16(&w, 1);
    writer_u16(&w, 1);
    if (dnssec)
        writer_bytes(&w, opt, sizeof opt);
    q->length = (uint16_t)w.position;
    return !w.failed && length;
}

/* How many; 0 where the file cannot be read or a line is none. The caller frees *ret. */
static inline unsigned bench_queries_read(const char *path, bool dnssec, struct bench_query **ret)
{
    char *text;
    size_t length, size = 0;
    struct bench_query *queries = NULL;
    unsigned count = 0;
    if (disk_read(path, BENCH_NAMES_SIZE_MAX, &text, &length))
        return 0;
    bool right = true;
    for (char *line = text, *end; right && (end = strchr(line, '\n')); line = end + 1) {
        queries = mem_grow(queries, count, &size, sizeof *queries);
        right = bench_query_make(line, strcspn(line, " \n"), dnssec, &queries[count++]);
    }
    free(text);
    if (right && count) {
        *ret = queries;
        return count;
    }
    free(queries);
    return 0;
}

/* Where to ask, and a socket with room for what comes while its owner is busy; it never blocks. */
struct bench_socket {
    int fd;
    struct sockaddr_storage to;
    socklen_t to_length;
};

static inline bool bench_socket_open(const char *address, int64_t port, struct bench_socket *ret)
{
    const int room = BENCH_ROOM;
    struct ip ip;
    if (ip_parse(address, &ip))
        return false;
    ret->to_length = net_sockaddr(&ip, (uint16_t)port, &ret->to);
    ret->fd = socket(ret->to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ret->fd < 0)
        return false;
    if (setsockopt(ret->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room)) /* root's */
        (void)setsockopt(ret->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    return true;
}

struct bench_answers {
    struct mmsghdr messages[BENCH_BATCH]; /* msg_len: of each answer */
    struct iovec parts[BENCH_BATCH];
    uint8_t data[BENCH_BATCH][BENCH_ANSWER_MAX];
};

/* Those that are there, BENCH_BATCH at most: how many. */
static inline unsigned bench_answers_take(const struct bench_socket *s, struct bench_answers *a)
{
    for (int i = 0; i < BENCH_BATCH; i++) {
        a->parts[i] = (struct iovec){a->data[i], BENCH_ANSWER_MAX};
        a->messages[i].msg_hdr = (struct msghdr){.msg_iov = &a->parts[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(s->fd, a->messages, BENCH_BATCH, MSG_DONTWAIT, NULL);
    return n > 0 ? (unsigned)n : 0;
}
