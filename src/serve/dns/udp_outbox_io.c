#include "serve/dns/udp_outbox_io.h"

#include "base/invariant.h"
#include "base/memory.h"
#include "serve/dns/bundle.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>

enum {
    /* After the kernel would not cut answers of some length, answers as long go alone for so many
     * batches: interfaces differ in their MTU, and may change. */
    WARY_BATCHES = 1000,
    CONTROL_SIZE = CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)),
};

struct bundle_control {
    _Alignas(struct cmsghdr) uint8_t bytes[CONTROL_SIZE];
};

struct udp_outbox {
    int fd;
    bool cuts;           /* the kernel knows how */
    size_t segment_most; /* longer ones it refused */
    unsigned wary;       /* batches until it is asked again */
    unsigned count;
    struct bundle_answer answers[BUNDLE_ANSWERS_MAX];
    uint8_t *data[BUNDLE_ANSWERS_MAX];
    struct bundles bundles;
    struct iovec parts[BUNDLE_ANSWERS_MAX]; /* in the order of the bundles */
    struct mmsghdr messages[BUNDLE_ANSWERS_MAX];
    struct bundle_control control[BUNDLE_ANSWERS_MAX];
};

/* A kernel that does not know the control message does not complain of it: it would send all of a
 * bundle as one datagram. The option of the same name tells. */
static bool kernel_cuts(int fd)
{
    int size = 0;
    socklen_t length = sizeof size;
    return getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, &length) == 0;
}

struct udp_outbox *udp_outbox_new(int fd)
{
    struct udp_outbox *o = mem_new(1, sizeof *o);
    o->fd = fd;
    o->cuts = kernel_cuts(fd);
    o->segment_most = o->cuts ? UINT16_MAX : 0;
    return o;
}

void udp_outbox_free(struct udp_outbox *o)
{
    free(o);
}

void udp_outbox_add(struct udp_outbox *o, const struct msghdr *to, uint8_t *data, size_t length)
{
    invariant(o->count < BUNDLE_ANSWERS_MAX && length && length <= UINT16_MAX);
    o->data[o->count] = data;
    o->answers[o->count++] = (struct bundle_answer){
        .client = {to->msg_name, to->msg_namelen},
        .local = {to->msg_control, to->msg_control ? to->msg_controllen : 0},
        .length = (uint16_t)length,
    };
}

/* From where, and where the kernel cuts. */
static void control_write(struct bundle_control *c, const struct bundle_answer *a, struct msghdr *m)
{
    invariant(a->local.length <= CMSG_SPACE(sizeof(struct in6_pktinfo)));
    if (a->local.length)
        memcpy(c->bytes, a->local.data, a->local.length);
    struct cmsghdr *cut = (struct cmsghdr *)(c->bytes + CMSG_ALIGN(a->local.length));
    cut->cmsg_level = IPPROTO_UDP;
    cut->cmsg_type = UDP_SEGMENT;
    cut->cmsg_len = CMSG_LEN(sizeof a->length);
    memcpy(CMSG_DATA(cut), &a->length, sizeof a->length);
    m->msg_control = c->bytes;
    m->msg_controllen = CMSG_ALIGN(a->local.length) + CMSG_SPACE(sizeof a->length);
}

static struct msghdr message_to(const struct bundle_answer *a, struct iovec *parts, size_t count)
{
    return (struct msghdr){
        .msg_name = (void *)a->client.data,
        .msg_namelen = (socklen_t)a->client.length,
        .msg_iov = parts,
        .msg_iovlen = count,
        .msg_control = (void *)a->local.data,
        .msg_controllen = a->local.length,
    };
}

static void messages_write(struct udp_outbox *o)
{
    const struct bundles *b = &o->bundles;
    for (unsigned i = 0; i < o->count; i++) {
        uint8_t answer = b->order[i];
        o->parts[i] = (struct iovec){o->data[answer], o->answers[answer].length};
    }
    for (unsigned i = 0; i < b->count; i++) {
        unsigned begin = bundle_begin(b, i), count = b->end[i] - begin;
        const struct bundle_answer *first = &o->answers[b->order[begin]];
        struct msghdr *m = &o->messages[i].msg_hdr;
        *m = message_to(first, o->parts + begin, count);
        if (count > 1)
            control_write(&o->control[i], first, m);
    }
}

/* Too long for the interface (EMSGSIZE; EINVAL before Linux 6.9), or a way on which nothing is cut
 * (EIO: IPsec; before Linux 6.2 interfaces that make no checksums). */
static void refusal_learn(struct udp_outbox *o, int error, size_t segment)
{
    if (error == EMSGSIZE || error == EINVAL)
        o->segment_most = segment <= o->segment_most ? segment - 1 : o->segment_most;
    else if (error == EIO)
        o->segment_most = 0;
    else
        return;
    o->wary = WARY_BATCHES;
}

/* The answers of a bundle that was not taken, each for itself. */
static void bundle_scatter(struct udp_outbox *o, unsigned bundle, struct stats_thread *stats)
{
    for (unsigned i = bundle_begin(&o->bundles, bundle); i < o->bundles.end[bundle]; i++) {
        struct msghdr m = message_to(&o->answers[o->bundles.order[i]], &o->parts[i], 1);
        ssize_t n;
        do
            n = sendmsg(o->fd, &m, MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            stats_add(stats, DNS_SEND_FAILED, 1);
    }
}

static void message_failed(struct udp_outbox *o, unsigned bundle, struct stats_thread *stats)
{
    if (o->messages[bundle].msg_hdr.msg_iovlen == 1) {
        stats_add(stats, DNS_SEND_FAILED, 1);
        return;
    }
    stats_add(stats, DNS_BUNDLES_REFUSED, 1);
    refusal_learn(o, errno, o->messages[bundle].msg_hdr.msg_iov->iov_len);
    bundle_scatter(o, bundle, stats);
}

static void messages_taken(const struct udp_outbox *o, unsigned from, unsigned count,
                           struct stats_thread *stats)
{
    uint64_t bundled = 0;
    for (unsigned i = from; i < from + count; i++)
        if (o->messages[i].msg_hdr.msg_iovlen > 1)
            bundled += o->messages[i].msg_hdr.msg_iovlen;
    if (bundled)
        stats_add(stats, DNS_BUNDLED, bundled);
}

void udp_outbox_send(struct udp_outbox *o, struct stats_thread *stats)
{
    if (o->wary && --o->wary == 0)
        o->segment_most = UINT16_MAX;
    bundles_make(o->answers, o->count, o->segment_most, &o->bundles);
    messages_write(o);
    for (unsigned done = 0; done < o->bundles.count;) {
        int n = sendmmsg(o->fd, o->messages + done, o->bundles.count - done, MSG_DONTWAIT);
        if (n > 0) {
            messages_taken(o, done, (unsigned)n, stats);
            done += (unsigned)n;
        } else if (errno != EINTR) {
            message_failed(o, done++, stats);
        }
    }
    o->count = 0;
}
