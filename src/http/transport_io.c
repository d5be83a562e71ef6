#include "http/transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a call of OpenSSL that gave nothing means; 0: the client has said good-bye. */
static ssize_t tls_outcome(struct transport *t, int result)
{
    int error = SSL_get_error(t->tls, result);
    ERR_clear_error();
    t->wants = error == SSL_ERROR_WANT_READ    ? EPOLLIN
               : error == SSL_ERROR_WANT_WRITE ? EPOLLOUT
                                               : 0;
    errno = t->wants ? EAGAIN : ECONNRESET;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

ssize_t transport_receive(struct transport *t, void *to, size_t size)
{
    size_t got = 0;
    t->wants = 0;
    if (!t->tls)
        return recv(t->fd, to, size, 0);
    int result = SSL_read_ex(t->tls, to, size, &got);
    return result == 1 ? (ssize_t)got : tls_outcome(t, result);
}

ssize_t transport_send(struct transport *t, const struct iovec *parts, unsigned count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    size_t sent = 0;
    unsigned i = 0;
    t->wants = 0;
    if (!t->tls)
        return sendmsg(t->fd, &message, MSG_NOSIGNAL);
    while (i + 1 < count && !parts[i].iov_len)
        i++;
    int result = SSL_write_ex(t->tls, parts[i].iov_base, parts[i].iov_len, &sent);
    return result == 1 ? (ssize_t)sent : tls_outcome(t, result);
}

bool transport_has_more(const struct transport *t)
{
    return t->tls && SSL_has_pending(t->tls);
}

int transport_end(struct transport *t)
{
    if (t->tls)
        (void)SSL_shutdown(t->tls);
    ERR_clear_error();
    return shutdown(t->fd, SHUT_WR) ? -errno : 0;
}

void transport_close(struct transport *t)
{
    SSL_free(t->tls);
    close(t->fd);
    *t = (struct transport){.fd = -1};
}
