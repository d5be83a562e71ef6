#include "prog/control_relay.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "prog/control.h"
#include "prog/control_forward.h"
#include "prog/control_secondary.h"
#include "prog/control_update.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "wire/dnsmsg.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SOCKET_MODE = 0600,
    FRAMES_MAX = 64, /* of one link in a turn of the loop */
};

struct link {
    struct control *control;
    uv_poll_t poll;
    int fd;
    uint64_t number;
    bool open;
};

/* One a process, like struct control itself. */
static struct {
    uv_poll_t listener;
    int fd;
    struct link links[RELAY_LINKS_MAX];
    uint64_t numbers; /* links so far */
    struct relayed *waiting, **tail;
    unsigned waiting_count;
    struct import_work *imports; /* that wait */
    uv_work_t work;
    bool working;
    struct update_batch batch;
    struct plan_file access_file;
} relay;

bool control_relay_works(void)
{
    return relay.working || control_update_works();
}

/* ---- answers ---- */

void control_relay_send(const struct relayed *r, const uint8_t *message, size_t length)
{
    const struct link *link = &relay.links[r->link];
    uint8_t head[RELAY_ANSWER_HEAD];
    if (!link->open || link->number != r->link_number)
        return; /* that name server is gone, and its clients ask again */
    relay_answer_head(r->token, head);
    struct iovec parts[] = {{head, sizeof head}, {(void *)(uintptr_t)message, length}};
    const struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    if (sendmsg(link->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EPIPE)
        log_event(LOG_WARN, "relay.answer", {"reason", LOG_S(err_name(-errno))});
}

void control_relay_answer(struct relayed *r)
{
    static uint8_t response[DNS_MESSAGE_MAX];
    size_t length = relayed_answer(r, clock_wall() / USEC_PER_SEC, response);
    if (length)
        control_relay_send(r, response, length);
}

/* ---- updates ---- */

static void update_tell(struct control *c, const struct relayed *r)
{
    const struct config *config = c->loaded->config;
    char client[IP_TEXT_MAX];
    const char *key = r->key == CONFIG_NONE ? NULL : config->keys[r->key].name;
    const char *zone = r->zone == RELAYED_NO_ZONE ? NULL : config->zones[r->zone].name;
    bool failed = r->rcode == DNS_SERVFAIL;
    ip_format(&r->client, client);
    if (r->applied)
        log_event(LOG_INFO, "update.applied", {"zone", LOG_S(zone)}, {"key", LOG_S(key)},
                  {"client", LOG_S(client)}, {"serial", LOG_U(r->to)},
                  {"serial_before", LOG_U(r->from)}, {"added", LOG_U(r->added)},
                  {"removed", LOG_U(r->removed)});
    else if (r->rcode)
        log_event(failed ? LOG_ERROR : LOG_WARN, "update.refused", {"zone", LOG_S(zone)},
                  {"key", LOG_S(key)}, {"client", LOG_S(client)}, {"rcode", LOG_U(r->rcode)},
                  {"reason", LOG_S(*r->reason ? r->reason : NULL)});
    stats_add(c->stats.threads,
              r->applied ? CONTROL_UPDATES
              : failed   ? CONTROL_UPDATES_FAILED
              : r->rcode ? CONTROL_UPDATES_REFUSED
                         : CONTROL_UPDATES_IDLE,
              1);
}

void control_relay_end(struct control *c, struct relayed *r)
{
    update_tell(c, r);
    control_relay_answer(r);
}

/* Takes it over. */
static void relayed_end(struct control *c, struct relayed *r)
{
    if (relayed_is_shared(r, c->loaded->config)) {
        control_update(c, r);
        return;
    }
    if (r->applied)
        control_zone_changed(c, r->zone);
    if (relayed_opcode(r) == DNS_UPDATE) {
        control_relay_end(c, r);
    } else {
        if (!r->rcode)
            r->rcode = (enum dns_rcode)control_secondary_notified(c, r->zone, &r->client, r->key,
                                                                  r->wire, r->length);
        control_relay_answer(r);
    }
    relayed_free(r);
}

static void import_end(struct control *c, struct import_work *w)
{
    int zone = config_zone_find(c->loaded->config, w->zone);
    if (w->applied && zone != CONFIG_NONE)
        control_zone_changed(c, (uint32_t)zone);
    if (w->applied)
        log_event(LOG_WARN, "zone.imported", {"zone", LOG_S(w->zone)}, {"author", LOG_S(w->author)},
                  {"serial", LOG_U(w->serial)}, {"serial_before", LOG_U(w->from)},
                  {"added", LOG_U(w->added)}, {"removed", LOG_U(w->removed)});
    control_reply(w->to, w->err, text_string(&w->message));
    import_free(w);
}

static void batch_begin(struct control *c);

static void batch_work(uv_work_t *work)
{
    (void)work;
    update_batch_run(&relay.batch);
}

static void batch_done(uv_work_t *work, int status)
{
    struct control *c = work->data;
    invariant(status == 0);
    for (struct relayed *r = relay.batch.first, *next; r; r = next) {
        next = r->next;
        relayed_end(c, r);
    }
    for (struct import_work *w = relay.batch.imports, *next; w; w = next) {
        next = w->next;
        import_end(c, w);
    }
    access_free(relay.batch.access);
    relay.batch = (struct update_batch){0};
    relay.working = false;
    control_zones_end(c);
    control_reload_end(c);
    batch_begin(c);
}

static const struct plan_file *access_file(const struct loaded *l)
{
    for (uint32_t i = 0; i < l->file_count; i++)
        if (l->files[i].kind == PLAN_FILE_ACCESS)
            return &l->files[i];
    return NULL;
}

/* Those for the worker; the others are on their way to primaries. */
static struct relayed *waiting_take(struct control *c)
{
    struct relayed *list = relay.waiting, **at = &list, *r;
    relay.waiting = NULL;
    relay.tail = &relay.waiting;
    relay.waiting_count = 0;
    while ((r = *at)) {
        relayed_address(r, c->loaded);
        if (control_forward_wanted(c, r)) {
            *at = r->next;
            control_forward(c, r);
        } else {
            at = &r->next;
        }
    }
    return list;
}

static void batch_begin(struct control *c)
{
    if (relay.working)
        return;
    struct relayed *first = waiting_take(c);
    if (!first && !relay.imports)
        return;
    const struct plan_file *keys = access_file(c->loaded);
    if (keys)
        relay.access_file = *keys;
    relay.batch = (struct update_batch){.data = c->options->data,
                                        .config = c->loaded->config,
                                        .config_path = c->options->config,
                                        .zones = c->loaded->zones,
                                        .imports = relay.imports,
                                        .access_file = keys ? &relay.access_file : NULL,
                                        .first = first,
                                        .wall = clock_wall() / USEC_PER_SEC};
    relay.imports = NULL;
    relay.working = true;
    relay.work.data = c;
    int err = uv_queue_work(&c->loop, &relay.work, batch_work, batch_done);
    invariant(err == 0);
}

void control_import(struct control *c, const struct command_result *wish, const char *author,
                    struct command_reply_to *to)
{
    struct import_work *w, **at = &relay.imports;
    unsigned count = 0;
    for (; *at; at = &(*at)->next)
        count++;
    if (count == IMPORTS_MAX) {
        control_reply(to, ERR_LIMIT, "other imports are waiting; try again");
        return;
    }
    w = *at = import_new(wish->zone, author, to);
    w->bytes = command_body_take(to, &w->size);
    w->may_shrink = wish->may_shrink;
    w->dry_run = wish->dry_run;
    batch_begin(c);
}

/* ---- links ---- */

static void link_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    close(link->fd);
    link->number = 0;
}

static void link_close(struct link *link)
{
    link->open = false;
    uv_close((uv_handle_t *)&link->poll, link_closed);
}

static void frame_take(struct link *link, const uint8_t *frame, size_t length)
{
    struct relay_request request;
    struct relayed *r = relay_request_parse(frame, length, &request) ? NULL : relayed_new(&request);
    if (!r)
        return;
    r->link = (unsigned)(link - relay.links);
    r->link_number = link->number;
    if (relay.waiting_count == RELAY_WAITING_MAX) {
        r->rcode = DNS_SERVFAIL;
        control_relay_answer(r);
        relayed_free(r);
        return;
    }
    *relay.tail = r;
    relay.tail = &r->next;
    relay.waiting_count++;
}

static void link_read(uv_poll_t *poll, int status, int events)
{
    static uint8_t frame[RELAY_FRAME_MAX];
    struct link *link = poll->data;
    (void)events;
    for (unsigned i = 0; i < FRAMES_MAX && !status; i++) {
        ssize_t n = recv(link->fd, frame, sizeof frame, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0)
            status = -1;
        else
            frame_take(link, frame, (size_t)n);
    }
    if (status)
        link_close(link);
    batch_begin(link->control);
}

static struct link *link_free(void)
{
    for (unsigned i = 0; i < RELAY_LINKS_MAX; i++)
        if (!relay.links[i].number)
            return &relay.links[i];
    return NULL;
}

static void link_accept(uv_poll_t *poll, int status, int events)
{
    struct control *c = poll->data;
    (void)status, (void)events;
    int fd = accept4(relay.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct link *link = link_free();
    if (!link || uv_poll_init(&c->loop, &link->poll, fd)) {
        close(fd);
        return;
    }
    link->control = c;
    link->fd = fd;
    link->number = ++relay.numbers;
    link->open = true;
    link->poll.data = link;
    int err = uv_poll_start(&link->poll, UV_READABLE, link_read);
    invariant(err == 0);
}

int control_relay_open(struct control *c)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/run/" RELAY_SOCKET, c->options->data);
    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    relay.tail = &relay.waiting;
    int err = net_unix_listen(path, SOCK_SEQPACKET, SOCKET_MODE, &relay.fd);
    err = err ? err : uv_poll_init(&c->loop, &relay.listener, relay.fd);
    relay.listener.data = c;
    return err ? err : uv_poll_start(&relay.listener, UV_READABLE, link_accept);
}
