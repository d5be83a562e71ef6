/* Names: what others find an endpoint by is resolved, and each address that it leads to is probed
 * on its own, with the check of the endpoint. The endpoint's own address is not probed once more.
 *
 *   resolving --an answer--> probing up to NAME_ADDRESSES_MAX addresses --all ended--> a sample
 *       |  no answer, SERVFAIL: the next try, at the next resolver; with it goes a question that
 *       |  every resolver can answer, the servers of the root
 *       +--NXDOMAIN, an empty answer, nothing left to try--> a sample
 *
 * L8: that nobody resolved a name says something of it only where the resolver can resolve. One
 * that does not tell the servers of the root either is broken, or cut off, as this host is, and
 * gives no verdict (REASON_INTERNAL).
 *
 * Every address has to answer: clients take any of them. One that does not is a wrong one. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "observe/dnsprobe.h"
#include "observe/probe_io.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include "seam/entropy.h"
#include "seam/net.h"
#include "wire/dns.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NAME_ADDRESSES_MAX = DNSPROBE_ADDRESSES_MAX, /* probed; more are passed over */
    TRIES_MAX = 3,
    READS_MAX = 16,
    SYSTEM_EVERY_S = 30, /* the system's resolvers are read again */
    DUMB_AFTER_S = 10,   /* nothing was resolved for so long: that is said */
};
#define SYSTEM_FILE "/etc/resolv.conf"

struct name {
    struct dnsprobe question, control;
    uint16_t id;           /* of the running try; the control's is the next one */
    unsigned tries, first; /* first: of the resolvers, that is asked */
    bool refused;          /* the newest try was answered with an error */
    bool failed;           /* any of them was */
    bool sound;            /* a resolver knows the servers of the root */
    struct slot *children[NAME_ADDRESSES_MAX];
    unsigned child_count, running;
    bool wrong, unsure; /* an address failed; none did, and of one we do not know */
};

static bool name_prepare(struct slot *s)
{
    static const uint8_t root[] = {0};
    struct name *n = mem_new(1, sizeof *n);
    int length = dname_parse(s->hostname, strlen(s->hostname), NULL, n->question.name);
    if (length <= 0) {
        free(n);
        return false;
    }
    n->question.name_length = (size_t)length;
    n->question.type = s->address.family == IP_V6 ? DNS_AAAA : DNS_A;
    memcpy(n->control.name, root, sizeof root);
    n->control.name_length = sizeof root;
    n->control.type = DNS_NS;
    s->state = n;
    return true;
}

static void name_release(struct slot *s)
{
    struct name *n = s->state;
    for (unsigned i = 0; i < n->child_count; i++)
        slot_drop(n->children[i]);
    free(n);
    s->state = NULL;
}

/* A new list of targets: the check that the children point to is another object. */
static void name_renew(struct slot *s)
{
    struct name *n = s->state;
    for (unsigned i = 0; i < n->child_count; i++) {
        n->children[i]->check = s->child_check;
        if (n->children[i]->prepared && n->children[i]->kind->renew)
            n->children[i]->kind->renew(n->children[i]);
    }
}

static void name_stop(struct slot *s)
{
    struct name *n = s->state;
    slot_close(s);
    n->running = 0;
    for (unsigned i = 0; i < n->child_count; i++)
        slot_abandon(n->children[i]);
}

/* ---- resolving ---- */

static void resolvers_read(struct observer *o, usec_t now)
{
    char *bytes = NULL;
    size_t size = 0;
    if (o->resolvers_said || now < o->resolvers_due)
        return;
    o->resolvers_due = now + SYSTEM_EVERY_S * USEC_PER_SEC;
    int err = disk_read(SYSTEM_FILE, RESOLVERS_FILE_MAX, &bytes, &size);
    if (err && o->resolver_count)
        return; /* those of before */
    o->resolver_count = resolvers_parse(err ? "" : bytes, err ? 0 : size, o->resolvers);
    free(bytes);
}

static int question_send(int fd, const struct dnsprobe *question, uint16_t id)
{
    uint8_t query[DNSPROBE_QUERY_MAX];
    size_t size = dnsprobe_write(question, id, query);
    return send(fd, query, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int try_send(struct slot *s)
{
    struct name *n = s->state;
    struct observer *o = s->observer;
    const struct resolver *to = &o->resolvers[(n->first + n->tries) % o->resolver_count];
    struct sockaddr_storage address;
    socklen_t length = net_sockaddr(&to->ip, to->port, &address);
    slot_close(s);
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    n->id = (uint16_t)entropy_u64();
    int err = connect(fd, (struct sockaddr *)&address, length) ? -errno : 0;
    err = err ? err : question_send(fd, &n->question, n->id);
    if (!err && n->tries)
        err = question_send(fd, &n->control, (uint16_t)(n->id + 1));
    if (err) {
        close(fd);
        return err;
    }
    return slot_watch(s, fd, EPOLLIN);
}

/* What became of the resolvers is said when it changes, not with every probe, nor of one name while
 * others are resolved. */
static void resolvers_note(struct observer *o, bool dumb)
{
    usec_t now = clock_now();
    if (!dumb)
        o->resolved = now;
    if (dumb == o->resolvers_dumb || (dumb && now - o->resolved < DUMB_AFTER_S * USEC_PER_SEC))
        return;
    o->resolvers_dumb = dumb;
    char ip[IP_TEXT_MAX];
    if (dumb)
        log_event(LOG_WARN, "resolvers.silent",
                  {"first", LOG_S(ip_format(&o->resolvers[0].ip, ip))},
                  {"reason", LOG_S("no resolver can even tell the servers of the root")},
                  {"consequence", LOG_S("this node says nothing about names")});
    else
        log_event(LOG_INFO, "resolvers.answer",
                  {"consequence", LOG_S("this node looks at names again")});
}

static void name_end(struct slot *s, enum reason reason)
{
    slot_phase(s, PHASE_RESOLVE, s->sample.started);
    resolvers_note(s->observer, reason == REASON_INTERNAL);
    slot_finish(s, reason);
}

/* The next try; where none is left, what the ones before amount to. A resolver that cannot even be
 * asked is as one that is silent. */
static void name_try(struct slot *s)
{
    struct name *n = s->state;
    while (n->tries < TRIES_MAX) {
        usec_t each = NAME_RESOLVE_MS * USEC_PER_MSEC / TRIES_MAX;
        int err = try_send(s);
        n->tries++;
        n->refused = false;
        if (err)
            continue;
        slot_deadline(s, clock_now() + each);
        return;
    }
    slot_close(s);
    if (!n->sound)
        name_end(s, REASON_INTERNAL);
    else
        name_end(s, n->failed ? REASON_RESOLVE_SERVFAIL : REASON_RESOLVE_TIMEOUT);
}

static void name_start(struct slot *s)
{
    struct name *n = s->state;
    resolvers_read(s->observer, s->sample.started);
    n->tries = 0;
    n->failed = n->sound = n->wrong = n->unsure = false;
    name_try(s);
}

static void name_expire(struct slot *s)
{
    struct name *n = s->state;
    invariant(!n->running); /* their deadlines are what counts then */
    name_try(s);
}

/* ---- what it leads to ---- */

static void name_conclude(struct slot *s)
{
    const struct name *n = s->state;
    slot_finish(s, n->wrong ? REASON_RESOLVE_WRONG : n->unsure ? REASON_INTERNAL : REASON_OK);
}

void name_child_ended(struct slot *parent, const struct sample *sample)
{
    struct name *n = parent->state;
    invariant(n->running > 0);
    n->unsure |= sample->late;
    n->wrong |= !sample->late && sample->reason != REASON_OK;
    if (sample->certificate_end && (!parent->sample.certificate_end ||
                                    sample->certificate_end < parent->sample.certificate_end))
        parent->sample.certificate_end = sample->certificate_end;
    if (--n->running == 0)
        name_conclude(parent);
}

/* Has children for these addresses and no others; those that stay keep what they prepared. */
static void children_settle(struct slot *s, const struct ip *list, unsigned count)
{
    struct name *n = s->state;
    struct slot *kept[NAME_ADDRESSES_MAX] = {0};
    for (unsigned i = 0; i < n->child_count; i++) {
        unsigned k = 0;
        while (k < count && !ip_equal(&n->children[i]->address, &list[k]))
            k++;
        if (k < count)
            kept[k] = n->children[i];
        else
            slot_drop(n->children[i]);
    }
    for (unsigned k = 0; k < count; k++)
        n->children[k] = kept[k] ? kept[k] : slot_child(s, &list[k]);
    n->child_count = count;
}

static void name_resolved(struct slot *s, const struct dnsprobe_reply *reply)
{
    struct name *n = s->state;
    struct ip list[NAME_ADDRESSES_MAX];
    unsigned count = 0;
    slot_close(s);
    slot_phase(s, PHASE_RESOLVE, s->sample.started);
    resolvers_note(s->observer, false);
    for (unsigned i = 0; i < reply->address_count; i++)
        if (!ip_equal(&reply->addresses[i], &s->address))
            list[count++] = reply->addresses[i];
    children_settle(s, list, count);
    slot_deadline(s, USEC_NEVER); /* each of them has its own */
    n->running = count;
    if (!count)
        name_conclude(s);
    for (unsigned i = 0; i < count; i++) /* the last to end ends the name's probe as well */
        slot_start(n->children[i]);
}

/* ---- answers ---- */

static void answer_take(struct slot *s, const struct dnsprobe_reply *reply)
{
    struct name *n = s->state;
    bool error = reply->rcode != DNS_NOERROR && reply->rcode != DNS_NXDOMAIN;
    s->sample.status = reply->rcode;
    if (!error) /* who answers is asked first the next time */
        n->first = (n->first + n->tries - 1) % s->observer->resolver_count;
    if (reply->address_count) {
        name_resolved(s, reply);
    } else if (reply->rcode == DNS_NXDOMAIN) {
        name_end(s, REASON_RESOLVE_NXDOMAIN);
    } else if (reply->rcode == DNS_NOERROR && !reply->truncated) {
        name_end(s, REASON_RESOLVE_NODATA);
    } else if (n->tries < TRIES_MAX) {
        n->failed |= error;
        name_try(s);
    } else if (!error) { /* cut short before the first address: no verdict from half an answer */
        name_end(s, REASON_INTERNAL);
    } else {
        n->failed = n->refused = true;
        if (n->sound)
            name_try(s);
    }
}

/* false: the probe ended, or its socket is another one. */
static bool message_take(struct slot *s, const uint8_t *data, size_t length)
{
    struct name *n = s->state;
    struct dnsprobe_reply reply;
    int fd = s->fd;
    uint32_t serial = s->serial;
    if (dnsprobe_read(&n->control, (uint16_t)(n->id + 1), data, length, &reply) == 0) {
        n->sound |= reply.rcode == DNS_NOERROR;
        if (n->sound && n->refused)
            name_try(s);
    } else if (dnsprobe_read(&n->question, n->id, data, length, &reply) == 0) {
        answer_take(s, &reply);
    }
    return s->running && s->serial == serial && s->fd == fd && fd >= 0;
}

static void name_event(struct slot *s, uint32_t events)
{
    uint8_t data[4096];
    (void)events;
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t length = recv(s->fd, data, sizeof data, 0);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (length < 0) { /* nobody listens there */
            name_try(s);
            return;
        }
        if (!message_take(s, data, (size_t)length))
            return;
    }
}

const struct probe_kind probe_name = {.prepare = name_prepare,
                                      .release = name_release,
                                      .renew = name_renew,
                                      .start = name_start,
                                      .event = name_event,
                                      .expire = name_expire,
                                      .stop = name_stop};
