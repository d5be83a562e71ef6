/* The demo's regions: tiny HTTP servers that can be made to fail in the ways regions do. */
#include "prog/demo.h"
#include "seam/clock.h"
#include "seam/net.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOW_MS = 700, POLL_MS = 20, REQUEST_WAIT_MS = 500 };

const char *origin_mode_name(enum origin_mode mode)
{
    static const char *const names[ORIGIN_MODES] = {"up", "cut", "slow", "broken"};
    return names[mode];
}

static void origin_answer(struct origin *o, int fd, enum origin_mode mode)
{
    char request[2048], response[512];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, REQUEST_WAIT_MS) <= 0 || recv(fd, request, sizeof request, 0) <= 0)
        return;
    int length = snprintf(response, sizeof response,
                          "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                          "Content-Length: %zu\r\n\r\n%s\n",
                          mode == ORIGIN_BROKEN ? "500 Internal Server Error" : "200 OK",
                          strlen(o->region) + 1, o->region);
    if (send(fd, response, (size_t)length, MSG_NOSIGNAL) < 0)
        return; /* the prober gave up waiting */
    shutdown(fd, SHUT_WR);
}

struct waiting {
    int fd;
    usec_t due;
};

/* A slow region accepts at once and answers late, each request for itself. */
static void *origin_run(void *argument)
{
    struct origin *o = argument;
    struct waiting waiting[64];
    unsigned count = 0;
    while (!atomic_load(&o->stop)) {
        struct pollfd p = {.fd = o->listen_fd, .events = POLLIN};
        enum origin_mode mode = (enum origin_mode)atomic_load(&o->mode);
        if (mode == ORIGIN_CUT) {
            poll(NULL, 0, POLL_MS);
            continue;
        }
        int ready = poll(&p, 1, POLL_MS);
        usec_t now = clock_now();
        if (ready > 0) {
            int fd = accept4(o->listen_fd, NULL, NULL, SOCK_CLOEXEC);
            if (fd >= 0 && mode == ORIGIN_SLOW && count < 64) {
                waiting[count++] = (struct waiting){fd, now + SLOW_MS * USEC_PER_MSEC};
            } else if (fd >= 0) {
                origin_answer(o, fd, mode);
                close(fd);
            }
        }
        for (unsigned i = 0; i < count;) {
            if (mode == ORIGIN_SLOW && waiting[i].due > now) {
                i++;
                continue;
            }
            origin_answer(o, waiting[i].fd, mode);
            close(waiting[i].fd);
            waiting[i] = waiting[--count];
        }
    }
    while (count)
        close(waiting[--count].fd);
    return NULL;
}

int origin_start(struct origin *o, const char *region, const char *ip, uint16_t port)
{
    o->region = region;
    o->port = port;
    int err = ip_parse(ip, &o->ip);
    err = err ? err : net_tcp_listen(&o->ip, port, false, 1, &o->listen_fd);
    if (err)
        return err;
    struct ip bound;
    err = net_local(o->listen_fd, &bound, &o->port);
    if (!err && pthread_create(&o->thread, NULL, origin_run, o))
        err = -EAGAIN;
    if (err)
        close(o->listen_fd);
    return err;
}

void origin_stop(struct origin *o)
{
    atomic_store(&o->stop, true);
    pthread_join(o->thread, NULL);
    close(o->listen_fd);
}
