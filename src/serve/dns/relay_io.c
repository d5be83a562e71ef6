#include "serve/dns/relay_io.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "serve/dns/tcp_io.h"
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CONTROL_SIZE = 64 };

/* Where an answer goes. */
struct waiting {
    uint64_t token; /* 0: the slot is free */
    usec_t deadline;
    uint8_t header[DNS_HEADER_SIZE]; /* of the message */
    struct stream_ticket ticket;     /* of a stream; else: */
    int fd;
    struct sockaddr_storage address;
    socklen_t address_length;
    uint64_t control[CONTROL_SIZE / sizeof(uint64_t)]; /* from which address it leaves */
    size_t control_length;
};

struct relay {
    char path[PATH_MAX];
    pthread_t thread;
    int wake_fd;                    /* eventfd: something to look at */
    uint8_t frame[RELAY_FRAME_MAX]; /* the thread's */
    pthread_mutex_t mutex;
    /* Behind the mutex: */
    int fd; /* to control, or -1: made when there is something to pass on */
    bool stopping;
    uint64_t tokens; /* given so far */
    struct waiting waiting[RELAY_PENDING_MAX];
    unsigned count;
};

/* ---- to the client ---- */

static void answer_datagram(const struct waiting *w, const uint8_t *message, size_t length)
{
    struct iovec part = {(void *)(uintptr_t)message, length};
    struct msghdr m = {.msg_name = (void *)(uintptr_t)&w->address,
                       .msg_namelen = w->address_length,
                       .msg_iov = &part,
                       .msg_iovlen = 1};
    if (w->control_length) {
        m.msg_control = (void *)(uintptr_t)w->control;
        m.msg_controllen = w->control_length;
    }
    (void)sendmsg(w->fd, &m, MSG_DONTWAIT); /* lost, as any datagram may be */
}

static void answer_give(const struct waiting *w, const uint8_t *message, size_t length)
{
    if (w->ticket.mailbox)
        tcp_answer(w->ticket, message, length);
    else
        answer_datagram(w, message, length);
}

static void answer_fail(const struct waiting *w)
{
    uint8_t response[DNS_HEADER_SIZE] = {0};
    memcpy(response, w->header, 3);
    response[2] = (uint8_t)((response[2] & 0x79) | DNS_FLAG_QR >> 8); /* opcode and RD stay */
    response[3] = DNS_SERVFAIL;
    answer_give(w, response, sizeof response);
}

/* ---- who waits ---- */

static struct waiting *waiting_slot(struct relay *r, uint64_t token)
{
    return &r->waiting[token % RELAY_PENDING_MAX];
}

/* Takes it out: true, and *ret is how to answer. */
static bool waiting_take(struct relay *r, uint64_t token, struct waiting *ret)
{
    pthread_mutex_lock(&r->mutex);
    struct waiting *w = waiting_slot(r, token);
    bool found = token && w->token == token;
    if (found) {
        *ret = *w;
        w->token = 0;
        r->count--;
    }
    pthread_mutex_unlock(&r->mutex);
    return found;
}

/* Fails all whose time has come; USEC_NEVER: all there are. */
static void waiting_fail(struct relay *r, usec_t now)
{
    for (unsigned i = 0; i < RELAY_PENDING_MAX; i++) {
        struct waiting w;
        pthread_mutex_lock(&r->mutex);
        uint64_t token = r->waiting[i].deadline <= now ? r->waiting[i].token : 0;
        pthread_mutex_unlock(&r->mutex);
        if (waiting_take(r, token, &w))
            answer_fail(&w);
    }
}

/* ---- to control ---- */

/* Under the mutex. A listener that has no room now (-EAGAIN) is like none. */
static void link_make(struct relay *r)
{
    int fd;
    if (r->fd < 0 && !r->stopping &&
        net_unix_connect(r->path, SOCK_SEQPACKET | SOCK_NONBLOCK, &fd) == 0)
        r->fd = fd;
}

/* Under the mutex: sends, and remembers where the answer goes. */
static bool pass(struct relay *r, struct waiting *w, const struct bytes *message,
                 struct relay_request *request)
{
    uint8_t head[RELAY_REQUEST_HEAD];
    uint64_t token = r->tokens + 1;
    struct waiting *slot = waiting_slot(r, token);
    while (slot->token && token - r->tokens < RELAY_PENDING_MAX)
        slot = waiting_slot(r, ++token);
    if (r->fd < 0 || r->stopping || slot->token)
        return false;
    r->tokens = request->token = token;
    relay_request_head(request, head);
    struct iovec parts[] = {{head, sizeof head},
                            {(void *)(uintptr_t)message->data, message->length}};
    const struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    if (sendmsg(r->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return false;
    memcpy(w->header, message->data, DNS_HEADER_SIZE);
    w->token = token;
    w->deadline = clock_now() + RELAY_PATIENCE_S * USEC_PER_SEC;
    *slot = *w;
    r->count++;
    return true;
}

static bool message_pass(struct relay *r, struct waiting *w, const struct bytes *message,
                         struct relay_request *request)
{
    if (!r || message->length < DNS_HEADER_SIZE)
        return false;
    pthread_mutex_lock(&r->mutex);
    link_make(r);
    bool passed = pass(r, w, message, request), first = passed && r->count == 1;
    pthread_mutex_unlock(&r->mutex);
    const uint64_t one = 1;
    if (first) /* the thread slept without a time limit */
        (void)!write(r->wake_fd, &one, sizeof one);
    return passed;
}

bool relay_datagram(struct relay *r, const struct bytes *message, const struct ip *client, int fd,
                    const struct msghdr *to)
{
    struct waiting w = {.fd = fd};
    struct relay_request request = {.client = *client};
    if (to->msg_namelen > sizeof w.address || to->msg_controllen > sizeof w.control)
        return false;
    memcpy(&w.address, to->msg_name, to->msg_namelen);
    w.address_length = to->msg_namelen;
    if (to->msg_control)
        memcpy(w.control, to->msg_control, to->msg_controllen);
    w.control_length = to->msg_control ? to->msg_controllen : 0;
    return message_pass(r, &w, message, &request);
}

bool relay_stream(struct relay *r, const struct bytes *message, const struct ip *client,
                  struct stream_ticket ticket)
{
    struct waiting w = {.ticket = ticket};
    struct relay_request request = {.client = *client, .stream = true};
    return message_pass(r, &w, message, &request);
}

/* ---- the thread ---- */

static int link_fd(struct relay *r, bool *ret_stopping, unsigned *ret_count)
{
    pthread_mutex_lock(&r->mutex);
    int fd = r->fd;
    *ret_stopping = r->stopping;
    *ret_count = r->count;
    pthread_mutex_unlock(&r->mutex);
    return fd;
}

static void link_lose(struct relay *r)
{
    pthread_mutex_lock(&r->mutex);
    int fd = r->fd;
    r->fd = -1;
    pthread_mutex_unlock(&r->mutex);
    close(fd);
    log_event(LOG_WARN, "relay.lost",
              {"consequence", LOG_S("updates get SERVFAIL until control is back")});
    waiting_fail(r, USEC_NEVER);
}

static void answers_read(struct relay *r, int fd)
{
    uint64_t token;
    struct bytes message;
    struct waiting w;
    ssize_t n = recv(fd, r->frame, sizeof r->frame, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        link_lose(r);
        return;
    }
    if (relay_answer_parse(r->frame, (size_t)n, &token, &message) == 0 &&
        waiting_take(r, token, &w))
        answer_give(&w, message.data, message.length);
}

static void *relay_run(void *relay)
{
    enum { TICK_MS = 250 };
    struct relay *r = relay;
    for (;;) {
        bool stopping;
        unsigned count;
        int fd = link_fd(r, &stopping, &count);
        if (stopping)
            break;
        struct pollfd fds[] = {{.fd = r->wake_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
        int n = poll(fds, 2, count ? TICK_MS : -1);
        uint64_t wakes;
        if (n > 0 && fds[0].revents && read(r->wake_fd, &wakes, sizeof wakes) < 0)
            log_event(LOG_WARN, "relay.wake", {"reason", LOG_S(strerrorname_np(errno))});
        if (n > 0 && fds[1].revents)
            answers_read(r, fd);
        waiting_fail(r, clock_now());
    }
    waiting_fail(r, USEC_NEVER);
    return NULL;
}

int relay_new(const char *data, struct relay **ret)
{
    struct relay *r = mem_new(1, sizeof *r);
    int n = snprintf(r->path, sizeof r->path, "%s/run/" RELAY_SOCKET, data);
    r->fd = -1;
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = n < 0 || (size_t)n >= sizeof r->path ? -ENAMETOOLONG : r->wake_fd < 0 ? -errno : 0;
    if (!err) {
        pthread_mutex_init(&r->mutex, NULL);
        err = -pthread_create(&r->thread, NULL, relay_run, r);
    }
    if (err) {
        if (r->wake_fd >= 0)
            close(r->wake_fd);
        free(r);
        return err;
    }
    *ret = r;
    return 0;
}

void relay_free(struct relay *r)
{
    const uint64_t one = 1;
    if (!r)
        return;
    pthread_mutex_lock(&r->mutex);
    r->stopping = true;
    pthread_mutex_unlock(&r->mutex);
    (void)!write(r->wake_fd, &one, sizeof one);
    pthread_join(r->thread, NULL);
    if (r->fd >= 0)
        close(r->fd);
    close(r->wake_fd);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}
