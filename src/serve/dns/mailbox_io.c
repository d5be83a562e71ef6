#include "serve/dns/mailbox_io.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
    _Atomic unsigned references;
    int fd;
    pthread_mutex_t lock; /* of what follows */
    struct letter *first, **last;
};

int mailbox_open(struct mailbox **ret, int *ret_fd)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    struct mailbox *m = mem_new(1, sizeof *m);
    atomic_init(&m->references, 1);
    pthread_mutex_init(&m->lock, NULL);
    m->fd = fd;
    m->last = &m->first;
    *ret = m;
    *ret_fd = fd;
    return 0;
}

struct mailbox *mailbox_ref(struct mailbox *m)
{
    atomic_fetch_add_explicit(&m->references, 1, memory_order_relaxed);
    return m;
}

void mailbox_unref(struct mailbox *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) > 1)
        return;
    for (struct letter *l = m->first, *next; l; l = next) {
        next = l->next;
        free(l);
    }
    close(m->fd);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void mailbox_post(struct mailbox *m, uint64_t to, const uint8_t *head, size_t head_length,
                  const uint8_t *body, size_t body_length)
{
    struct letter *l = mem_new(1, sizeof *l + head_length + body_length);
    l->to = to;
    l->length = head_length + body_length;
    memcpy(l->data, head, head_length);
    memcpy(l->data + head_length, body, body_length);
    pthread_mutex_lock(&m->lock);
    *m->last = l;
    m->last = &l->next;
    pthread_mutex_unlock(&m->lock);
    uint64_t one = 1;
    ssize_t written = write(m->fd, &one, sizeof one); /* EAGAIN: it is readable as it is */
    invariant(written == sizeof one || errno == EAGAIN);
}

struct letter *mailbox_take(struct mailbox *m)
{
    uint64_t count;
    ssize_t ignored = read(m->fd, &count, sizeof count); /* before the list: none is overlooked */
    (void)ignored;
    pthread_mutex_lock(&m->lock);
    struct letter *first = m->first;
    m->first = NULL;
    m->last = &m->first;
    pthread_mutex_unlock(&m->lock);
    return first;
}
