#include "transfer/notify_io.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "transfer/notify.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 100,
    DELAY_MS = 200 /* the name server takes the plan into service first */,
    SPREAD_MS = 500,
    RECEIVE_SIZE = 2048
};

/* One zone and one who is told of it. */
struct told {
    struct told *next;
    uint8_t zone[DNAME_MAX];
    struct ip ip;
    uint16_t port;
    struct tsig_key key;
    bool has_key, named; /* named: in the newest configuration */
    uint32_t serial;
    unsigned attempt; /* next; NOTIFY_ATTEMPTS: nothing to do */
    usec_t due;
    uint16_t id;
    struct tsig_session session;
};

struct notifier {
    uv_loop_t *loop;
    uv_udp_t sockets[IP_FAMILIES];
    bool has_socket[IP_FAMILIES];
    uv_timer_t timer;
    struct random random;
    struct told *list;
    uint8_t receive[RECEIVE_SIZE];
};

static uint64_t wall_seconds(void)
{
    return (uint64_t)(clock_wall() / USEC_PER_SEC);
}

static void told_log(const struct told *t, enum log_level level, const char *event,
                     const char *reason)
{
    char name[DNAME_TEXT_MAX], address[IP_PORT_TEXT_MAX];
    log_event(level, event, {"zone", LOG_S(dname_format(t->zone, name))},
              {"to", LOG_S(ip_port_format(&t->ip, t->port, address))}, {"serial", LOG_U(t->serial)},
              {"reason", LOG_S(reason)});
}

/* ---- answers ---- */

static void buffer_give(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct notifier *n = handle->data;
    (void)size;
    *buf = uv_buf_init((char *)n->receive, sizeof n->receive);
}

static void received(uv_udp_t *socket, ssize_t length, const uv_buf_t *buf,
                     const struct sockaddr *from, unsigned flags)
{
    struct notifier *n = socket->data;
    struct ip ip;
    uint16_t port;
    unsigned rcode;
    (void)flags;
    if (length <= 0 || !from || net_ip_of(from, &ip, &port))
        return;
    for (struct told *t = n->list; t; t = t->next) {
        if (t->attempt == 0 || t->attempt > NOTIFY_ATTEMPTS || t->port != port ||
            !ip_equal(&t->ip, &ip) ||
            !notify_answered((const uint8_t *)buf->base, (size_t)length, t->id, &t->session,
                             wall_seconds(), &rcode))
            continue;
        t->attempt = NOTIFY_ATTEMPTS + 1;
        told_log(t, rcode ? LOG_WARN : LOG_DEBUG, rcode ? "notify.refused" : "notify.answered",
                 rcode ? "the secondary answers with an error" : NULL);
        return;
    }
}

/* ---- sending ---- */

static int socket_open(struct notifier *n, enum ip_family family)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    uv_udp_t *s = &n->sockets[family];
    if (n->has_socket[family])
        return 0;
    int err = uv_udp_init(n->loop, s);
    if (err)
        return err;
    s->data = n;
    n->has_socket[family] = true;
    err = uv_udp_bind(s, family == IP_V6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, 0);
    return err ? err : uv_udp_recv_start(s, buffer_give, received);
}

static void told_send(struct notifier *n, struct told *t)
{
    uint8_t wire[NOTIFY_SIZE_MAX];
    struct sockaddr_storage to;
    t->session = (struct tsig_session){.key = t->has_key ? &t->key : NULL};
    t->id = (uint16_t)random_u64(&n->random);
    int length = notify_write(t->id, t->zone, &t->session, wall_seconds(), wire);
    int err = socket_open(n, (enum ip_family)t->ip.family);
    if (length > 0 && !err) {
        net_sockaddr(&t->ip, t->port, &to);
        uv_buf_t buf = uv_buf_init((char *)wire, (unsigned)length);
        err = uv_udp_try_send(&n->sockets[t->ip.family], &buf, 1, (struct sockaddr *)&to);
    }
    if (err < 0)
        told_log(t, LOG_WARN, "notify.send", err_text(err));
}

static void tick(uv_timer_t *timer)
{
    struct notifier *n = timer->data;
    usec_t now = clock_now();
    bool pending = false;
    for (struct told *t = n->list; t; t = t->next) {
        if (t->attempt > NOTIFY_ATTEMPTS)
            continue;
        pending = true;
        if (now < t->due)
            continue;
        if (t->attempt == NOTIFY_ATTEMPTS) {
            told_log(t, LOG_WARN, "notify.unanswered",
                     "no answer; the secondary finds the change at its next refresh");
            t->attempt++;
            continue;
        }
        told_send(n, t);
        t->due = now + notify_wait(t->attempt++, &n->random);
    }
    if (!pending)
        uv_timer_stop(timer);
}

/* ---- who is told ---- */

static struct told *told_find(struct notifier *n, const uint8_t *zone, const struct config_peer *p)
{
    size_t length = dname_length(zone);
    for (struct told *t = n->list; t; t = t->next)
        if (t->port == p->port && ip_equal(&t->ip, &p->ip) &&
            dname_equal(t->zone, dname_length(t->zone), zone, length))
            return t;
    struct told *t = mem_new(1, sizeof *t);
    memcpy(t->zone, zone, length);
    t->ip = p->ip;
    t->port = p->port;
    t->attempt = NOTIFY_ATTEMPTS + 1;
    t->next = n->list;
    n->list = t;
    return t;
}

static void key_set(struct told *t, const struct config *config, int key, const struct access *keys)
{
    uint8_t name[DNAME_MAX];
    uint32_t index;
    t->has_key = false;
    if (key == CONFIG_NONE ||
        dname_parse(config->keys[key].name, strlen(config->keys[key].name), NULL, name) < 0)
        return;
    const struct tsig_key *found = access_key_find(keys, name, &index);
    if (!found)
        return;
    t->key = *found;
    t->has_key = true;
}

static void zone_update(struct notifier *n, const struct config *config,
                        const struct notify_zone *z, const struct access *keys)
{
    uint8_t name[DNAME_MAX];
    if (dname_parse(z->zone->name, strlen(z->zone->name), NULL, name) < 0)
        return;
    for (uint32_t i = 0; i < z->zone->transfer.notify_count; i++) {
        const struct config_peer *p = &z->zone->transfer.notify[i];
        struct told *t = told_find(n, name, p);
        bool fresh = !t->due;
        t->named = true;
        key_set(t, config, p->key, keys);
        if (!fresh && t->serial == z->serial)
            continue;
        t->serial = z->serial;
        t->attempt = 0;
        t->due =
            clock_now() + (usec_t)(DELAY_MS + random_below(&n->random, SPREAD_MS)) * USEC_PER_MSEC;
    }
}

void notifier_update(struct notifier *n, const struct config *config,
                     const struct notify_zone *zones, uint32_t count, const struct access *keys)
{
    for (struct told *t = n->list; t; t = t->next)
        t->named = false;
    for (uint32_t i = 0; i < count; i++)
        zone_update(n, config, &zones[i], keys);
    for (struct told **at = &n->list; *at;) {
        struct told *t = *at;
        if (t->named) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        explicit_bzero(&t->key, sizeof t->key);
        free(t);
    }
    if (n->list && !uv_is_active((uv_handle_t *)&n->timer)) {
        int err = uv_timer_start(&n->timer, tick, 0, TICK_MS);
        invariant(err == 0);
    }
}

int notifier_new(uv_loop_t *loop, uint64_t seed, struct notifier **ret)
{
    struct notifier *n = mem_new(1, sizeof *n);
    n->loop = loop;
    n->random = random_init(seed);
    int err = uv_timer_init(loop, &n->timer);
    if (err) {
        free(n);
        return err;
    }
    n->timer.data = n;
    *ret = n;
    return 0;
}
