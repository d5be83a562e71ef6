/* Checks of kind http and https, with libcurl's multi interface on the observer's epoll.
 *
 * Every probe is a new connection and a full handshake: a kept connection would hide a dead
 * listener, and a resumed session an expired certificate, from the one who must see what a new
 * client sees. */
#include "observe/probe_io.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "observe/libcurl_io.h"
#include "observe/request.h"
#include "seam/clock.h"
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER_BYTES_MAX = 64 << 10 };

/* Whose a socket is, by its descriptor: libcurl closes it when it likes, even later than the probe
 * that it was made for. */
struct http_owner {
    uint32_t slot, serial;
};

struct http_engine {
    CURLM *multi;
    struct http_owner *owners;
    size_t owner_count;
};

struct http {
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    struct trust *trust; /* https with verify */
    char *name;          /* host of the URL: what TLS sends and verifies */
    size_t header_bytes;
    usec_t handshake;    /* when TLS began; 0: not yet */
    long verify;         /* X509_V_ERR_* of this probe */
    enum reason outcome; /* known before the transfer ended; REASON_NOT_YET: not known */
    bool in_multi;
    int fd; /* of the connection while it is open, -1 */
    struct body body;
};

/* ---- libcurl's calls ---- */

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct slot *s = context;
    struct http *h = s->state;
    size_t length = size * count;
    long status = 0;
    h->header_bytes += length;
    if (h->header_bytes > HEADER_BYTES_MAX) {
        h->outcome = REASON_PROTOCOL;
        return 0;
    }
    if (length > 2 || data[0] != '\r')
        return length;
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) /* interim (RFC 9110 15.2): the answer comes later */
        return length;
    if (request_status_accepted(s->check, (unsigned)status))
        return length;
    h->outcome = REASON_STATUS;
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct slot *s = context;
    struct http *h = s->state;
    if (body_take(&h->body, data, size * count))
        return size * count;
    h->outcome = h->body.wanted_length && !h->body.found ? REASON_CONTENT : REASON_OK;
    return 0;
}

static int on_certificate(X509_STORE_CTX *store, void *context)
{
    struct slot *s = context;
    struct http *h = s->state;
    return certificate_check(store, s, h->trust, &h->verify);
}

static CURLcode on_tls(CURL *easy, void *context, void *slot)
{
    (void)easy;
    struct slot *s = slot;
    struct http *h = s->state;
    h->handshake = clock_now();
    SSL_CTX_set_cert_verify_callback(context, on_certificate, s);
    return CURLE_OK;
}

/* RST instead of FIN, as in stream_connect(). */
static int on_socket_made(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)purpose;
    struct slot *s = context;
    struct http *h = s->state;
    struct http_engine *e = s->observer->http;
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if ((size_t)fd >= e->owner_count) {
        size_t count = 2 * ((size_t)fd + 1);
        e->owners = mem_resize(e->owners, count, sizeof *e->owners);
        memset(e->owners + e->owner_count, 0, (count - e->owner_count) * sizeof *e->owners);
        e->owner_count = count;
    }
    e->owners[fd] = (struct http_owner){s->id, s->serial};
    h->fd = fd;
    return CURL_SOCKOPT_OK;
}

/* A probe that is over has its sample: then it is not read any more. */
static int on_socket_closing(void *context, curl_socket_t fd)
{
    struct observer *o = context;
    if ((size_t)fd < o->http->owner_count) {
        struct http_owner *owner = &o->http->owners[fd];
        struct slot *s = owner->slot < o->slot_count ? o->slots[owner->slot] : NULL;
        if (s && s->serial == owner->serial) {
            struct http *h = s->state;
            stream_segments(s, fd);
            h->fd = -1;
        }
    }
    return close(fd);
}

/* Never fails: libcurl would give up all transfers for good. A probe whose socket cannot be watched
 * ends at its deadline, as our own failure. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct observer *o = context;
    struct epoll_event e = {.data.u64 = event_mark(EVENT_CURL, 0, (uint32_t)fd)};
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(o->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    e.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    curl_multi_assign(o->http->multi, fd, o);
    if (epoll_ctl(o->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e)) {
        struct slot *s = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&s);
        struct http *h = s ? s->state : NULL;
        if (h)
            h->outcome = REASON_INTERNAL;
    }
    return 0;
}

static int on_curl_timer(CURLM *multi, long wait_ms, void *context)
{
    (void)multi;
    struct observer *o = context;
    o->curl_due = wait_ms < 0 ? USEC_NEVER : clock_now() + wait_ms * USEC_PER_MSEC;
    return 0;
}

/* ---- results ---- */

static usec_t curl_time(CURL *easy, CURLINFO what)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, what, &us);
    return us;
}

static void phase_set(struct slot *s, enum phase phase, usec_t from, usec_t to)
{
    if (to > from)
        s->sample.phase_us[phase] = to - from > UINT32_MAX ? UINT32_MAX : (uint32_t)(to - from);
}

/* libcurl's times count from the start of the transfer; 0 = not reached, and it notes the end of
 * the connect only with that of the handshake, so the handshake's begin is ours. The phase that the
 * probe was in when it ended gets the time until then. */
static struct progress http_phases(struct slot *s)
{
    struct http *h = s->state;
    bool tls = s->check->kind == CHECK_HTTPS;
    usec_t ended = clock_now() - s->sample.started;
    usec_t resolved = curl_time(h->easy, CURLINFO_NAMELOOKUP_TIME_T),
           connected = curl_time(h->easy, CURLINFO_CONNECT_TIME_T),
           secured = tls ? curl_time(h->easy, CURLINFO_APPCONNECT_TIME_T) : connected,
           first = curl_time(h->easy, CURLINFO_STARTTRANSFER_TIME_T);
    if (!connected && h->handshake)
        connected = h->handshake - s->sample.started;
    struct progress at = {
        .connected = connected > 0, .secured = secured > 0, .first_byte = first > 0};
    phase_set(s, PHASE_RESOLVE, 0, resolved);
    phase_set(s, PHASE_CONNECT, resolved, at.connected ? connected : ended);
    if (at.connected && tls)
        phase_set(s, PHASE_TLS, connected, at.secured ? secured : ended);
    if (at.secured)
        phase_set(s, PHASE_PROCESSING, secured, at.first_byte ? first : ended);
    if (at.first_byte)
        phase_set(s, PHASE_TRANSFER, first, ended);
    return at;
}

/* Did the dead target's port on this host answer itself? See socket_is_self(). */
static bool http_is_self(struct http *h)
{
    long local = 0, remote = 0;
    char *from = NULL, *to = NULL;
    curl_easy_getinfo(h->easy, CURLINFO_LOCAL_PORT, &local);
    curl_easy_getinfo(h->easy, CURLINFO_PRIMARY_PORT, &remote);
    curl_easy_getinfo(h->easy, CURLINFO_LOCAL_IP, &from);
    curl_easy_getinfo(h->easy, CURLINFO_PRIMARY_IP, &to);
    return local && local == remote && from && to && strcmp(from, to) == 0;
}

static enum reason http_reason(struct slot *s, CURLcode code, const struct progress *at)
{
    struct http *h = s->state;
    if (h->outcome != REASON_NOT_YET)
        return h->outcome;
    if (code == CURLE_OK)
        return h->body.wanted_length && !h->body.found ? REASON_CONTENT : REASON_OK;
    if (http_is_self(h))
        return REASON_CONNECT_REFUSED;
    long error = 0;
    curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &error);
    bool no_route = error == ENETUNREACH && address_no_route(&s->address);
    return classify_curl((int)code, (int)error, no_route, h->verify, at);
}

static void http_finish(struct slot *s, CURLcode code)
{
    struct http *h = s->state;
    long status = 0;
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    s->sample.status = (uint16_t)status;
    struct progress at = http_phases(s);
    enum reason reason = http_reason(s, code, &at);
    if (reason == REASON_INTERNAL)
        log_event(LOG_WARN, "probe.internal", {"check", LOG_S(s->check->name)},
                  {"error", LOG_S(curl_easy_strerror(code))});
    slot_finish(s, reason);
}

static void http_collect(struct observer *o)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(o->http->multi, &left));) {
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        struct slot *s = NULL;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&s);
        invariant(s && s->running);
        http_finish(s, code);
    }
}

void http_event(struct observer *o, int fd, uint32_t events)
{
    int mask = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
               (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    int running;
    curl_multi_socket_action(o->http->multi, fd, mask, &running);
    http_collect(o);
}

void http_timeout(struct observer *o)
{
    if (!o->http)
        return;
    int running;
    o->curl_due = USEC_NEVER;
    curl_multi_socket_action(o->http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    http_collect(o);
}

void http_close(struct observer *o)
{
    if (!o->http)
        return;
    curl_multi_cleanup(o->http->multi);
    free(o->http->owners);
    free(o->http);
    o->http = NULL;
    curl_global_cleanup();
}

static bool http_open(struct observer *o)
{
    if (o->http)
        return true;
    if (!libcurl_load() || curl_global_init(CURL_GLOBAL_DEFAULT))
        return false;
    CURLM *multi = curl_multi_init();
    if (!multi)
        return false;
    o->http = mem_new(1, sizeof *o->http);
    o->http->multi = multi;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, o);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, o);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return true;
}

/* ---- one target ---- */

/* The URL to ask for. Its host is the name that TLS sends and verifies; the connection goes to the
 * endpoint's address in any case. */
static CURLU *http_url(const struct slot *s, struct http *h)
{
    const struct config_check *c = s->check;
    const char *name = c->sni ? c->sni : c->host, *start;
    struct text text = text_init(REQUEST_URL_MAX);
    CURLU *url = curl_url();
    bool ok = url && !request_url(c->url, &s->address, &text) &&
              !curl_url_set(url, CURLUPART_URL, text_string(&text), CURLU_PATH_AS_IS);
    text_done(&text);
    if (ok && name && c->kind == CHECK_HTTPS) {
        size_t length = request_host(name, &start);
        struct text host = text_init(CONFIG_NAME_MAX + 2);
        text_appendf(&host, name[0] == '[' ? "[%.*s]" : "%.*s", (int)length, start);
        ok = !host.failed && !curl_url_set(url, CURLUPART_HOST, text_string(&host), 0);
        text_done(&host);
    }
    ok = ok && !curl_url_get(url, CURLUPART_HOST, &h->name, 0);
    if (ok)
        return url;
    curl_url_cleanup(url);
    return NULL;
}

static bool list_add(struct curl_slist **list, const struct text *line)
{
    struct curl_slist *longer = line->failed ? NULL : curl_slist_append(*list, text_string(line));
    *list = longer ? longer : *list;
    return longer;
}

/* The authority that the operator wrote, with the address in place: what Host says when `host` is
 * not set, although the URL may by now carry the name for TLS. */
static bool host_line(const struct slot *s, struct text *line)
{
    const struct config_check *c = s->check;
    text_append(line, "Host: ");
    if (c->host) {
        text_append(line, c->host);
        return !line->failed;
    }
    struct text url = text_init(REQUEST_URL_MAX);
    bool ok = !request_url(c->url, &s->address, &url);
    const char *at = ok ? strstr(text_string(&url), "://") : NULL;
    if (at) {
        at += 3;
        size_t length = strcspn(at, "/?#");
        const char *user = memchr(at, '@', length);
        size_t skip = user ? (size_t)(user - at) + 1 : 0;
        text_append_bytes(line, at + skip, length - skip);
    }
    text_done(&url);
    return at && !line->failed;
}

static bool http_lists(const struct slot *s, struct http *h)
{
    const struct config_check *c = s->check;
    char literal[IP_TEXT_MAX];
    struct text line = text_init(REQUEST_URL_MAX);
    bool has_host = false;
    ip_format(&s->address, literal);
    text_appendf(&line, s->address.family == IP_V6 ? "::[%s]:" : "::%s:", literal);
    bool ok = list_add(&h->connect_to, &line);
    for (uint32_t i = 0; ok && i < c->header_count; i++) {
        text_reset(&line);
        /* libcurl sends a header without a value only when it ends so */
        text_append(&line, c->headers[i].name);
        text_append(&line, c->headers[i].value[0] ? ": " : ";");
        text_append(&line, c->headers[i].value);
        ok = list_add(&h->headers, &line);
        has_host |= strcasecmp(c->headers[i].name, "host") == 0;
    }
    text_reset(&line);
    if (ok && !has_host)
        ok = host_line(s, &line) && list_add(&h->headers, &line);
    text_reset(&line);
    text_append(&line, "Connection: close");
    ok = ok && list_add(&h->headers, &line);
    text_done(&line);
    return ok;
}

/* Nothing from the environment, nothing kept, nothing followed. */
static void http_options_fixed(CURL *e)
{
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "");
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "holdfast/" HOLDFAST_VERSION);
    /* our own deadline ends the probe, and knows the phase */
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, 7200000L);
    /* addresses are literal: no entry is ever stale, and none is searched for */
    curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, -1L);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 8192L);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
}

static bool http_options(struct slot *s, struct http *h, CURLU *url)
{
    const struct config_check *c = s->check;
    CURL *e = h->easy;
    http_options_fixed(e);
    curl_easy_setopt(e, CURLOPT_PRIVATE, s);
    curl_easy_setopt(e, CURLOPT_SOCKOPTDATA, s);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_socket_closing);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, s->observer);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, h->headers);
    curl_easy_setopt(e, CURLOPT_CONNECT_TO, h->connect_to);
    /* certificate_check() has its own store, shared by all probes: libcurl need not load any */
    curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, c->verify ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, c->verify ? 2L : 0L);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, s);
    char *string = NULL;
    if (curl_url_get(url, CURLUPART_URL, &string, 0))
        return false;
    CURLcode code = curl_easy_setopt(e, CURLOPT_URL, string);
    curl_free(string);
    return code == CURLE_OK;
}

static void http_release(struct slot *s)
{
    struct http *h = s->state;
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    curl_slist_free_all(h->headers);
    curl_slist_free_all(h->connect_to);
    curl_free(h->name);
    trust_put(h->trust);
    free(h);
    s->state = NULL;
}

static void http_renew(struct slot *s)
{
    struct http *h = s->state;
    h->body.wanted = s->check->body; /* of the new list's check: the old one may go */
    trust_renew(s, &h->trust);
}

static bool http_prepare(struct slot *s)
{
    if (!http_open(s->observer))
        return false;
    struct http *h = s->state = mem_new(1, sizeof *h);
    h->easy = curl_easy_init();
    h->body.wanted = s->check->body;
    CURLU *url = h->easy ? http_url(s, h) : NULL;
    bool ok = url && http_lists(s, h) && http_options(s, h, url);
    curl_url_cleanup(url);
    if (ok && s->check->kind == CHECK_HTTPS && s->check->verify) {
        h->trust = trust_get(s->observer, s->check->ca);
        ok = h->trust;
    }
    if (!ok)
        http_release(s);
    return ok;
}

static void http_start(struct slot *s)
{
    struct http *h = s->state;
    h->header_bytes = 0;
    h->verify = X509_V_OK;
    h->handshake = 0;
    h->outcome = REASON_NOT_YET;
    h->fd = -1;
    h->body.wanted = s->check->body;
    h->body.wanted_length = s->check->body ? strlen(s->check->body) : 0;
    h->body.length = 0;
    h->body.found = false;
    if (curl_multi_add_handle(s->observer->http->multi, h->easy))
        slot_fail(s, "multi", ENOMEM);
    else
        h->in_multi = true;
}

/* What is still under way is open; on_socket_closing() is not told of what never was connected. */
static void http_expire(struct slot *s)
{
    struct http *h = s->state;
    if (h->fd >= 0)
        stream_segments(s, h->fd);
    http_finish(s, CURLE_OPERATION_TIMEDOUT);
}

static void http_stop(struct slot *s)
{
    struct http *h = s->state;
    if (h && h->in_multi)
        curl_multi_remove_handle(s->observer->http->multi, h->easy);
    if (h)
        h->in_multi = false;
}

const struct probe_kind probe_http = {.prepare = http_prepare,
                                      .release = http_release,
                                      .renew = http_renew,
                                      .start = http_start,
                                      .expire = http_expire,
                                      .stop = http_stop};
