/* The demo's client: asks for one name all the time and keeps account of every answer. */
#include "base/bytes.h"
#include "base/invariant.h"
#include "prog/demo.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include "wire/dname.h"
#include "wire/dns.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "seam/net.h"

enum { ASK_EVERY_US = 4000, ANSWER_WAIT_MS = 1000 };

enum answer_kind { ANSWER_ADDRESS, ANSWER_EMPTY, ANSWER_WRONG };

static void name_skip(struct reader *r)
{
    for (;;) {
        uint8_t length = reader_u8(r);
        if ((length & 0xc0) == 0xc0) {
            reader_take(r, 1);
            return;
        }
        if (!length || !reader_take(r, length))
            return;
    }
}

static enum answer_kind answer_read(const uint8_t *data, size_t length, struct ip *ret)
{
    struct reader r = reader_init(data, length);
    reader_take(&r, 2);
    uint16_t flags = reader_u16(&r), questions = reader_u16(&r), answers = reader_u16(&r);
    reader_take(&r, 4);
    if (r.failed || (flags & 15) != DNS_NOERROR || questions != 1)
        return ANSWER_WRONG;
    if (!answers)
        return ANSWER_EMPTY;
    name_skip(&r);
    reader_take(&r, 4);
    name_skip(&r);
    uint16_t type = reader_u16(&r);
    reader_take(&r, 6);
    uint16_t size = reader_u16(&r);
    const uint8_t *address = reader_take(&r, size);
    if (r.failed || type != DNS_A || size != 4)
        return ANSWER_WRONG;
    *ret = (struct ip){.family = IP_V4};
    memcpy(ret->bytes, address, 4);
    return ANSWER_ADDRESS;
}

static size_t question_write(const char *name, uint16_t id, uint8_t *buffer, size_t size)
{
    uint8_t wire[DNAME_MAX];
    struct writer w = writer_init(buffer, size);
    int length = dname_parse(name, strlen(name), NULL, wire);
    invariant(length > 0);
    writer_u16(&w, id);
    writer_u16(&w, 0);
    writer_u16(&w, 1);
    writer_u16(&w, 0);
    writer_u32(&w, 0);
    writer_bytes(&w, wire, (size_t)length);
    writer_u16(&w, DNS_A);
    writer_u16(&w, DNS_IN);
    invariant(!w.failed);
    return w.position;
}

static void answer_note(struct client *c, const struct ip *ip, usec_t now, usec_t took)
{
    pthread_mutex_lock(&c->lock);
    if (took > c->slowest)
        c->slowest = took;
    if (!c->has_answer || !ip_equal(&c->answer, ip)) {
        if (c->change_count == DEMO_CHANGES_MAX) {
            memmove(c->changes, c->changes + 1, sizeof c->changes - sizeof c->changes[0]);
            c->change_count--;
        }
        c->change_total++;
        c->changes[c->change_count++] = (struct answer_change){now, *ip};
    }
    c->answer = *ip;
    c->has_answer = true;
    pthread_mutex_unlock(&c->lock);
}

/* One question; true when its answer came. Answers to older questions are passed over. */
static bool client_ask(struct client *c, int fd, uint16_t id)
{
    uint8_t packet[1500];
    struct ip ip;
    size_t length = question_write(c->name, id, packet, sizeof packet);
    usec_t sent = clock_now();
    atomic_fetch_add(&c->asked, 1);
    if (send(fd, packet, length, 0) < 0)
        return false;
    for (;;) {
        ssize_t got = recv(fd, packet, sizeof packet, 0);
        if (got < 2)
            return false;
        if (packet[0] == id >> 8 && packet[1] == (id & 255)) {
            length = (size_t)got;
            break;
        }
    }
    usec_t now = clock_now();
    enum answer_kind kind = answer_read(packet, length, &ip);
    atomic_fetch_add(&c->answered, 1);
    if (kind == ANSWER_EMPTY)
        atomic_fetch_add(&c->empty, 1);
    else if (kind == ANSWER_WRONG)
        atomic_fetch_add(&c->wrong, 1);
    else
        answer_note(c, &ip, now, now - sent);
    return true;
}

static void *client_run(void *argument)
{
    struct client *c = argument;
    struct ip loopback = {.bytes = {127, 0, 0, 1}, .family = IP_V4};
    struct sockaddr_storage to;
    socklen_t to_length = net_sockaddr(&loopback, c->port, &to);
    struct timeval wait = {.tv_sec = ANSWER_WAIT_MS / 1000};
    struct random random = random_init(entropy_u64());
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    invariant(fd >= 0 && !connect(fd, (struct sockaddr *)&to, to_length));
    while (!atomic_load(&c->stop)) {
        if (!client_ask(c, fd, (uint16_t)random_u64(&random)))
            atomic_fetch_add(&c->lost, 1);
        nanosleep(&(struct timespec){.tv_nsec = ASK_EVERY_US * 1000L}, NULL);
    }
    close(fd);
    return NULL;
}

void client_start(struct client *c, uint16_t port, const char *name)
{
    c->port = port;
    c->name = name;
    pthread_mutex_init(&c->lock, NULL);
    int err = pthread_create(&c->thread, NULL, client_run, c);
    invariant(err == 0);
}

void client_stop(struct client *c)
{
    atomic_store(&c->stop, true);
    pthread_join(c->thread, NULL);
}

bool client_answer(struct client *c, struct ip *ret)
{
    pthread_mutex_lock(&c->lock);
    bool has = c->has_answer;
    *ret = c->answer;
    pthread_mutex_unlock(&c->lock);
    return has;
}
