#include "replica/join_io.h"

#include "base/err.h"
#include "base/memory.h"
#include "replica/link.h"
#include "replica/secure_io.h"
#include "seam/clock.h"
#include "seam/net.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 32 << 10 };

struct join {
    const struct join_call *call;
    int fd;
    struct secure *secure;
    struct link *link;
    bool shaken;
    char *answer;
    struct text *why;
};

/* Somebody asks whether this is the node that joins. */
static void reached(const struct join_call *call, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t ignored = send(fd, call->nonce, strlen(call->nonce), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)ignored; /* who does not read it asks again */
    close(fd);
}

/* Until the connection has something for us (or takes something); the time is over: -ETIMEDOUT. */
static int wait_for(const struct join *j, short events, usec_t deadline)
{
    for (;;) {
        struct pollfd polls[JOIN_LISTENS_MAX + 1] = {{.fd = j->fd, .events = events}};
        usec_t left = deadline - clock_now();
        for (unsigned i = 0; i < j->call->listen_count; i++)
            polls[i + 1] = (struct pollfd){.fd = j->call->listens[i], .events = POLLIN};
        if (left <= 0)
            return -ETIMEDOUT;
        int n = poll(polls, j->call->listen_count + 1, (int)(left / USEC_PER_MSEC) + 1);
        if (n < 0 && errno != EINTR)
            return -errno;
        for (unsigned i = 0; n > 0 && i < j->call->listen_count; i++)
            if (polls[i + 1].revents & POLLIN)
                reached(j->call, j->call->listens[i]);
        if (n > 0 && polls[0].revents)
            return 0;
    }
}

static int connect_begin(struct join *j)
{
    const struct invite_address *to = &j->call->invite->addresses[j->call->address];
    struct sockaddr_storage address;
    socklen_t size = net_sockaddr(&to->ip, to->port, &address);
    int failure = 0;
    socklen_t length = sizeof failure;
    j->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (j->fd < 0)
        return -errno;
    if (!connect(j->fd, (struct sockaddr *)&address, size))
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    int err = wait_for(j, POLLOUT, clock_now() + JOIN_CONNECT);
    if (!err && getsockopt(j->fd, SOL_SOCKET, SO_ERROR, &failure, &length))
        err = -errno;
    return err ? err : -failure;
}

static int bytes_send(struct join *j, usec_t deadline)
{
    char buffer[BUFFER];
    for (size_t n; (n = secure_give(j->secure, buffer, sizeof buffer));)
        for (size_t sent = 0; sent < n;) {
            ssize_t done = send(j->fd, buffer + sent, n - sent, MSG_NOSIGNAL);
            if (done >= 0)
                sent += (size_t)done;
            else if (errno == EAGAIN && wait_for(j, POLLOUT, deadline))
                return -ETIMEDOUT;
            else if (errno != EAGAIN && errno != EINTR)
                return -errno;
        }
    return 0;
}

static void answer_take(void *context, enum mesh_channel channel, const uint8_t *data, size_t size)
{
    struct join *j = context;
    (void)channel;
    free(j->answer);
    j->answer = mem_new(size + 1, 1);
    memcpy(j->answer, data, size);
}

/* The proof and the request, as one message. */
static int request_send(struct join *j)
{
    size_t size = strlen(j->call->request);
    uint8_t binding[SECURE_HASH_SIZE], chunk[LINK_HEAD + LINK_CHUNK_MAX];
    uint8_t *message = mem_new(INVITE_PROOF_SIZE + size, 1);
    secure_binding(j->secure, binding);
    invite_prove(j->call->invite->secret, binding, j->call->request, size, message);
    memcpy(message + INVITE_PROOF_SIZE, j->call->request, size);
    int err = link_send(j->link, MESH_JOIN, message, INVITE_PROOF_SIZE + size);
    free(message);
    for (size_t n; !err && (n = link_give(j->link, chunk));)
        err = secure_write(j->secure, chunk, n);
    return err;
}

static int shake(struct join *j)
{
    int done = secure_shake(j->secure);
    if (done < 0) {
        text_append(j->why, secure_reason(j->secure));
        return done;
    }
    if (!done)
        return 0;
    j->shaken = true;
    if (secure_peer_is_by(j->secure, j->call->invite->authority)) {
        text_appendf(j->why,
                     "who answers there is not of the cluster that this invitation is for: %s",
                     secure_reason(j->secure));
        return ERR_INVALID;
    }
    return request_send(j);
}

static int answer_read(struct join *j)
{
    uint8_t plain[BUFFER];
    int n;
    while (!j->answer && (n = secure_read(j->secure, plain, sizeof plain)) != 0) {
        if (n < 0) {
            text_appendf(j->why, "the connection ended without an answer: %s",
                         secure_reason(j->secure));
            return n;
        }
        int err =
            link_receive(j->link, plain, (size_t)n, clock_now(), clock_wall(), answer_take, j);
        if (err) {
            text_append(j->why, link_reason(j->link));
            return err;
        }
    }
    return 0;
}

static int talk(struct join *j, usec_t deadline)
{
    char buffer[BUFFER];
    while (!j->answer) {
        int err = j->shaken ? answer_read(j) : shake(j);
        if (err || j->answer)
            return err;
        err = bytes_send(j, deadline);
        err = err ? err : wait_for(j, POLLIN, deadline);
        ssize_t n = err ? 0 : recv(j->fd, buffer, sizeof buffer, 0);
        if (err || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            err = err ? err : n ? -errno : ERR_TRUNCATED;
            text_append(j->why, err == ERR_TRUNCATED ? "it closed the connection" : err_text(err));
            return err;
        }
        secure_take(j->secure, buffer, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

int join_call(const struct join_call *call, char **ret_answer, struct text *why)
{
    static const struct link_self nobody = {0};
    struct join j = {.call = call, .fd = -1, .why = why};
    struct secure_context *context;
    int err = connect_begin(&j);
    if (err)
        text_append(why, err_text(err));
    err = err ? err : secure_context_new(NULL, NULL, NULL, &context, why);
    if (!err) {
        j.secure = secure_connect(context, SECURE_GUEST);
        j.link = link_new(&nobody, link_message_max(MESH_JOIN), clock_now());
        secure_context_unref(context);
        err = talk(&j, clock_now() + JOIN_WAIT);
    }
    link_free(j.link);
    secure_free(j.secure);
    if (j.fd >= 0)
        close(j.fd);
    if (!err)
        *ret_answer = j.answer;
    else
        free(j.answer);
    return err;
}
