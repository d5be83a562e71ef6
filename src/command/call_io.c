/* The blocking client of the operators' socket. */
#include "base/err.h"
#include "base/text.h"
#include "command/command_io.h"
#include "seam/clock.h"
#include "seam/net.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits until the socket is ready or the time is over. */
static int wait_for(int fd, short events, usec_t deadline)
{
    for (;;) {
        usec_t left = deadline - clock_now();
        if (left <= 0)
            return -ETIMEDOUT;
        struct pollfd p = {.fd = fd, .events = events};
        int n =
            poll(&p, 1, (int)((left < USEC_PER_HOUR ? left : USEC_PER_HOUR) / USEC_PER_MSEC) + 1);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

static int bytes_send(int fd, const void *bytes, size_t length, usec_t deadline)
{
    size_t sent = 0;
    int err = 0;
    while (!err && sent < length) {
        ssize_t n =
            send(fd, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            err = wait_for(fd, POLLOUT, deadline);
        else if (errno != EINTR)
            err = -errno;
    }
    return err;
}

static int request_send(int fd, const char *request, const uint8_t *body, size_t size,
                        usec_t deadline)
{
    struct text line = text_init(COMMAND_REQUEST_MAX);
    if (size)
        text_appendf(&line, "%zu ", size);
    text_append(&line, request);
    text_append(&line, "\n");
    int err = line.failed || strchr(request, '\n') ? ERR_LIMIT : 0;
    err = err ? err : bytes_send(fd, line.data, line.length, deadline);
    text_done(&line);
    return err ? err : bytes_send(fd, body, size, deadline);
}

static int reply_receive(int fd, usec_t deadline, struct text *reply)
{
    char part[4096];
    for (;;) {
        int err = wait_for(fd, POLLIN, deadline);
        if (err)
            return err;
        ssize_t n = recv(fd, part, sizeof part, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return ERR_TRUNCATED;
        const char *end = memchr(part, '\n', (size_t)n);
        text_append_bytes(reply, part, end ? (size_t)(end - part) : (size_t)n);
        if (reply->failed)
            return ERR_LIMIT;
        if (end)
            return 0;
    }
}

int command_call(const char *data, const char *request, const uint8_t *body, size_t size,
                 usec_t timeout, char **ret_reply)
{
    char path[PATH_MAX];
    usec_t deadline = clock_now() + timeout;
    struct text reply = text_init(COMMAND_REPLY_MAX);
    int fd, n = snprintf(path, sizeof path, "%s/run/control.sock", data);
    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    int err = net_unix_connect(path, SOCK_STREAM, &fd);
    if (err)
        return err;
    err = request_send(fd, request, body, size, deadline);
    /* A refusal may come before the request was taken whole. */
    if (!err || err == -EPIPE || err == -ECONNRESET) {
        int received = reply_receive(fd, deadline, &reply);
        err = received && err ? err : received;
    }
    close(fd);
    if (!err && !reply.data)
        err = ERR_TRUNCATED;
    if (err) {
        text_done(&reply);
        return err;
    }
    *ret_reply = reply.data;
    return 0;
}
