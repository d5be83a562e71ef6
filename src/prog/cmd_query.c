/* `holdfast query`: a small dig, for machines without one. */
#include "base/err.h"
#include "base/text.h"
#include "prog/commands.h"
#include "prog/options.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include "seam/net.h"
#include "wire/dnsmsg.h"
#include "wire/rdata.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: holdfast query NAME [TYPE] [@SERVER[:PORT]] [options]\n\n"
    "Asks a name server and prints the reply. Without @SERVER the first one of /etc/resolv.conf "
    "is\n"
    "asked. A reply that was cut is asked for again over TCP.\n\n"
    "  --tcp                 TCP from the start\n"
    "  --subnet ADDRESS/LEN  ask on behalf of this network (RFC 7871)\n"
    "  --short               only the data of the answers\n"
    "  --timeout DURATION    for each try (default 2s)\n"
    "  --tries N             over UDP (default 3)\n"
    "  --dnssec              ask for signatures (DO)\n"
    "  --nsid                ask which server answers (RFC 5001)\n"
    "  --no-edns             a query as of 1987\n"
    "  --no-recurse          do not ask the server to ask others\n\n"
    "Exit status: 0 a reply came, whatever it says; 1 none came; 2 wrong usage.\n";

enum { EDNS_SIZE = 1232, TRIES_MAX = 20, RDATA_TEXT_MAX = 1 << 18, PRINT_MAX = 64 << 20 };

struct ask {
    struct dnsmsg_query query;
    uint8_t name[DNAME_MAX];
    struct ip_prefix subnet;
    struct ip server;
    uint16_t port;
    usec_t timeout;
    unsigned tries;
    bool tcp, brief;
};

struct reply {
    uint8_t data[DNS_MESSAGE_MAX];
    size_t length;
    usec_t took;
    bool tcp;
};

/* ---- the exchange ---- */

/* Waits for the events until the deadline: 0, -ETIMEDOUT or another error. */
static int wait_for(int fd, short events, usec_t deadline)
{
    for (;;) {
        usec_t left = deadline - clock_now();
        if (left <= 0)
            return -ETIMEDOUT;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, (int)((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

/* Is this the reply to what was asked? Anybody may send datagrams. */
static bool reply_fits(const struct ask *a, const uint8_t *data, size_t length)
{
    struct dnsmsg m;
    struct dnsmsg_entry e;
    if (dnsmsg_open(data, length, &m) || m.id != a->query.id || !(m.flags & DNS_FLAG_QR))
        return false;
    if (m.counts[DNSMSG_QUESTION] == 0)
        return dnsmsg_rcode(&m) != DNS_NOERROR; /* an error may come without the question */
    if (dnsmsg_next(&m, &e) != 1)
        return false;
    dnsmsg_name_lower(e.name);
    return e.type == a->query.type && e.class == a->query.class &&
           dname_equal(e.name, dname_length(e.name), a->name, dname_length(a->name));
}

static int server_connect(const struct ask *a, int type, usec_t deadline)
{
    struct sockaddr_storage address;
    socklen_t size = net_sockaddr(&a->server, a->port, &address);
    int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int err = connect(fd, (struct sockaddr *)&address, size) ? -errno : 0;
    if (err == -EINPROGRESS) {
        socklen_t n = sizeof err;
        int failed = 0;
        err = wait_for(fd, POLLOUT, deadline);
        if (!err)
            err = getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n) ? -errno : -failed;
    }
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

static int udp_receive(const struct ask *a, int fd, usec_t deadline, struct reply *ret)
{
    for (;;) {
        int err = wait_for(fd, POLLIN, deadline);
        if (err)
            return err;
        ssize_t n = recv(fd, ret->data, sizeof ret->data, 0);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (n < 0 || !reply_fits(a, ret->data, (size_t)n))
            continue;
        ret->length = (size_t)n;
        return 0;
    }
}

static int udp_ask(const struct ask *a, const uint8_t *query, size_t length, struct reply *ret)
{
    int err = -ETIMEDOUT;
    for (unsigned i = 0; i < a->tries && err; i++) {
        usec_t began = clock_now(), deadline = began + a->timeout;
        int fd = server_connect(a, SOCK_DGRAM, deadline);
        if (fd < 0)
            return fd;
        err = send(fd, query, length, 0) < 0 ? -errno : udp_receive(a, fd, deadline, ret);
        ret->took = clock_now() - began;
        close(fd);
        if (err == -ECONNREFUSED) /* the host says so: another try would hear the same */
            break;
    }
    return err;
}

static int bytes_move(int fd, bool send_them, uint8_t *data, size_t length, usec_t deadline)
{
    for (size_t done = 0; done < length;) {
        int err = wait_for(fd, send_them ? POLLOUT : POLLIN, deadline);
        if (err)
            return err;
        ssize_t n = send_them ? send(fd, data + done, length - done, MSG_NOSIGNAL)
                              : recv(fd, data + done, length - done, 0);
        if (n == 0)
            return ERR_TRUNCATED;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int tcp_ask(const struct ask *a, const uint8_t *query, size_t length, struct reply *ret)
{
    usec_t began = clock_now(), deadline = began + a->timeout;
    uint8_t framed[2 + 512] = {(uint8_t)(length >> 8), (uint8_t)length}, size[2];
    memcpy(framed + 2, query, length);
    int fd = server_connect(a, SOCK_STREAM, deadline);
    if (fd < 0)
        return fd;
    int err = bytes_move(fd, true, framed, 2 + length, deadline);
    if (!err)
        err = bytes_move(fd, false, size, sizeof size, deadline);
    if (!err) {
        ret->length = (size_t)size[0] << 8 | size[1];
        err = bytes_move(fd, false, ret->data, ret->length, deadline);
    }
    close(fd);
    if (!err && !reply_fits(a, ret->data, ret->length))
        err = ERR_SYNTAX;
    ret->took = clock_now() - began;
    ret->tcp = true;
    return err;
}

static int reply_get(const struct ask *a, struct reply *ret)
{
    uint8_t query[512];
    struct dnsmsg m;
    struct writer w = writer_init(query, sizeof query);
    dnsmsg_query_write(&w, &a->query);
    int err = a->tcp ? tcp_ask(a, query, w.position, ret) : udp_ask(a, query, w.position, ret);
    if (err || a->tcp || dnsmsg_open(ret->data, ret->length, &m) || !(m.flags & DNS_FLAG_TC))
        return err;
    if (!a->brief)
        puts(";; cut at what fits into a datagram, asking again over TCP");
    return tcp_ask(a, query, w.position, ret);
}

/* ---- printing ---- */

static const char *rcode_text(unsigned rcode, char buffer[static 16])
{
    static const char *const names[] = {
        "NOERROR", "FORMERR",        "SERVFAIL",        "NXDOMAIN", "NOTIMP",
        "REFUSED", "YXDOMAIN",       "YXRRSET",         "NXRRSET",  "NOTAUTH",
        "NOTZONE", [16] = "BADVERS", [23] = "BADCOOKIE"};
    if (rcode < array_length(names) && names[rcode])
        return names[rcode];
    snprintf(buffer, 16, "RCODE%u", rcode);
    return buffer;
}

static void printable_append(struct text *out, struct bytes b)
{
    for (size_t i = 0; i < b.length; i++)
        if (b.data[i] >= 0x20 && b.data[i] < 0x7f)
            text_append_bytes(out, &b.data[i], 1);
        else
            text_appendf(out, "\\%03u", b.data[i]);
}

static void edns_print(struct text *out, const struct dnsmsg_edns *e)
{
    char prefix[IP_PREFIX_TEXT_MAX];
    text_appendf(out, ";; EDNS: version %u, size %u%s", e->version, e->size,
                 e->dnssec ? ", do" : "");
    if (e->has_subnet)
        text_appendf(out, ", client subnet %s, answer holds for /%u",
                     ip_prefix_format(&e->subnet, prefix), e->subnet_scope);
    if (e->nsid.length) {
        text_append(out, ", nsid \"");
        printable_append(out, e->nsid);
        text_append(out, "\"");
    }
    if (e->has_error) {
        text_appendf(out, ", extended error %u \"", e->error);
        printable_append(out, e->error_text);
        text_append(out, "\"");
    }
    text_append(out, "\n");
}

static void header_print(struct text *out, const struct dnsmsg *m, const struct dnsmsg_edns *edns)
{
    static const struct {
        uint16_t flag;
        const char *name;
    } flags[] = {{DNS_FLAG_AA, "aa"}, {DNS_FLAG_TC, "tc"}, {DNS_FLAG_RD, "rd"},
                 {DNS_FLAG_RA, "ra"}, {0x20, "ad"},        {0x10, "cd"}};
    char rcode[16];
    unsigned high = edns ? (unsigned)edns->rcode_high << 4 : 0;
    text_appendf(out, ";; %s, id %u, flags: qr", rcode_text(high | dnsmsg_rcode(m), rcode), m->id);
    for (size_t i = 0; i < array_length(flags); i++)
        if (m->flags & flags[i].flag)
            text_appendf(out, " %s", flags[i].name);
    text_append(out, "\n");
    if (edns)
        edns_print(out, edns);
}

/* RFC 3597 4: data that is not of its type's form is shown as bytes. */
static void data_print(struct text *out, const struct dnsmsg *m, const struct dnsmsg_entry *e)
{
    static uint8_t data[DNSMSG_RDATA_MAX];
    int length = dnsmsg_rdata(m, e, data);
    if (length >= 0) {
        rdata_format(e->type, data, (uint16_t)length, out);
        return;
    }
    text_appendf(out, "\\# %zu ", e->rdata.length);
    for (size_t i = 0; i < e->rdata.length; i++)
        text_appendf(out, "%02x", e->rdata.data[i]);
}

static void entry_print(struct text *out, const struct dnsmsg *m, const struct dnsmsg_entry *e,
                        bool brief)
{
    char name[DNAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
    if (brief) {
        if (e->section == DNSMSG_ANSWER) {
            data_print(out, m, e);
            text_append(out, "\n");
        }
        return;
    }
    dname_format(e->name, name);
    const char *class = e->class == DNS_IN ? "IN" : e->class == DNS_CH ? "CH" : "CLASS?";
    const char *dot = strcmp(name, ".") == 0 ? "" : ".";
    dns_type_format(e->type, type);
    if (e->section == DNSMSG_QUESTION) {
        text_appendf(out, ";%s%s %s %s\n", name, dot, class, type);
        return;
    }
    text_appendf(out, "%s%s %u %s %s ", name, dot, e->ttl, class, type);
    data_print(out, m, e);
    text_append(out, "\n");
}

/* The OPT record, wherever it stands; false where there is none that can be read. */
static bool edns_find(struct dnsmsg m, struct dnsmsg_edns *ret)
{
    struct dnsmsg_entry e;
    while (dnsmsg_next(&m, &e) == 1)
        if (e.section == DNSMSG_ADDITIONAL && e.type == DNS_OPT)
            return dnsmsg_edns_parse(&e, ret) == 0;
    return false;
}

static int reply_print(struct text *out, const struct ask *a, const struct reply *r)
{
    static const char *const heads[DNSMSG_SECTIONS] = {"QUESTION", "ANSWER", "AUTHORITY",
                                                       "ADDITIONAL"};
    struct dnsmsg m;
    struct dnsmsg_entry e;
    struct dnsmsg_edns edns;
    int section = -1, more = dnsmsg_open(r->data, r->length, &m);
    if (more < 0)
        return more;
    bool has_edns = edns_find(m, &edns);
    if (!a->brief)
        header_print(out, &m, has_edns ? &edns : NULL);
    while ((more = dnsmsg_next(&m, &e)) == 1) {
        if (e.type == DNS_OPT && e.section == DNSMSG_ADDITIONAL)
            continue;
        if (!a->brief && (int)e.section != section)
            text_appendf(out, "\n;; %s\n", heads[e.section]);
        section = (int)e.section;
        entry_print(out, &m, &e, a->brief);
    }
    char server[IP_PORT_TEXT_MAX];
    if (!a->brief)
        text_appendf(out, "\n;; %.1f ms, %zu bytes, from %s over %s\n",
                     (double)r->took / USEC_PER_MSEC, r->length,
                     ip_port_format(&a->server, a->port, server), r->tcp ? "TCP" : "UDP");
    return more;
}

/* ---- what was asked for ---- */

static int server_resolve(const char *host, struct ip *ret)
{
    if (ip_parse(host, ret) == 0)
        return 0;
    struct addrinfo *list, hints = {.ai_socktype = SOCK_DGRAM};
    int err = getaddrinfo(host, NULL, &hints, &list);
    if (err) {
        fprintf(stderr, "holdfast: no address of the server %s: %s\n", host, gai_strerror(err));
        return ERR_MISSING;
    }
    uint16_t port;
    err = net_ip_of(list->ai_addr, ret, &port);
    freeaddrinfo(list);
    return err;
}

static int server_parse(const char *text, struct ask *a)
{
    char host[256];
    if (ip_port_parse(text, &a->server, &a->port) == 0)
        return 0;
    const char *colon = strrchr(text, ':');
    bool has_port = colon && strchr(text, ':') == colon && colon[1];
    int64_t port = 53;
    size_t length = has_port ? (size_t)(colon - text) : strlen(text);
    if (has_port && integer_parse(colon + 1, 1, UINT16_MAX, &port))
        return ERR_SYNTAX;
    if (!length || length >= sizeof host)
        return ERR_SYNTAX;
    if (text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    snprintf(host, sizeof host, "%.*s", (int)length, text);
    a->port = (uint16_t)port;
    return server_resolve(host, &a->server);
}

/* The first name server of the system; this host where it says nothing. */
static void server_default(struct ask *a)
{
    char line[512];
    FILE *f = fopen("/etc/resolv.conf", "re");
    a->port = 53;
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) {
        char address[64];
        if (sscanf(line, " nameserver %63s", address) != 1)
            continue;
        address[strcspn(address, "%")] = '\0'; /* a zone is of no use here */
        found = ip_parse(address, &a->server) == 0;
    }
    if (f)
        fclose(f);
    if (!found)
        a->server = (struct ip){.bytes = {127, 0, 0, 1}, .family = IP_V4};
}

static int words_parse(const struct words *words, struct ask *a)
{
    const char *name = NULL, *type = NULL, *server = NULL;
    for (unsigned i = 0; i < words->count; i++) {
        const char **slot = words->list[i][0] == '@' ? &server : name ? &type : &name;
        if (*slot)
            return options_wrong(usage, "\"%s\" is one word too many", words->list[i]);
        *slot = words->list[i];
    }
    if (!name)
        return options_wrong(usage, "a name is wanted");
    if (dname_parse(name, strlen(name), NULL, a->name) < 0)
        return options_wrong(usage, "\"%s\" is not a domain name", name);
    a->query.type = DNS_A;
    if (type && dns_type_parse(type, strlen(type), &a->query.type))
        return options_wrong(usage, "\"%s\" is not a record type", type);
    if (a->query.type == DNS_AXFR || a->query.type == DNS_IXFR)
        return options_wrong(usage, "zone transfers are not asked for with this command");
    if (!server)
        server_default(a);
    else if (server_parse(server + 1, a))
        return options_wrong(usage, "\"%s\" is not a server", server);
    return 0;
}

static int values_parse(const char *timeout, const char *tries, const char *subnet, struct ask *a)
{
    int64_t n = 3;
    a->timeout = 2 * USEC_PER_SEC;
    if (timeout && (duration_parse(timeout, &a->timeout) || a->timeout < USEC_PER_MSEC))
        return options_wrong(usage, "--timeout wants a duration such as 2s, not \"%s\"", timeout);
    if (tries && integer_parse(tries, 1, TRIES_MAX, &n))
        return options_wrong(usage, "--tries wants a number from 1 to %d, not \"%s\"", TRIES_MAX,
                             tries);
    a->tries = (unsigned)n;
    if (!subnet)
        return 0;
    a->query.subnet = &a->subnet;
    if (ip_prefix_parse(subnet, &a->subnet) == 0)
        return 0;
    if (ip_parse(subnet, &a->subnet.ip))
        return options_wrong(usage, "--subnet wants a network such as 192.0.2.0/24, not \"%s\"",
                             subnet);
    a->subnet.length = (uint8_t)ip_bits(&a->subnet.ip);
    return 0;
}

static int ask_parse(int argc, char **argv, struct ask *a)
{
    const char *timeout = NULL, *tries = NULL, *subnet = NULL;
    bool plain = false, alone = false;
    struct words words;
    const struct option_spec specs[] = {
        {"tcp", 't', &a->tcp, NULL},       {"short", 's', &a->brief, NULL},
        {"subnet", 0, NULL, &subnet},      {"timeout", 0, NULL, &timeout},
        {"tries", 0, NULL, &tries},        {"dnssec", 0, &a->query.dnssec, NULL},
        {"nsid", 0, &a->query.nsid, NULL}, {"no-edns", 0, &plain, NULL},
        {"no-recurse", 0, &alone, NULL},
    };
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    status = words_parse(&words, a);
    if (!status)
        status = values_parse(timeout, tries, subnet, a);
    if (!status && plain && (subnet || a->query.dnssec || a->query.nsid))
        status = options_wrong(usage, "--no-edns leaves no room for --subnet, --dnssec or --nsid");
    if (status)
        return status;
    a->query.id = (uint16_t)entropy_u64();
    a->query.name = a->name;
    a->query.class = DNS_IN;
    a->query.recursion = !alone;
    a->query.edns_size = plain ? 0 : EDNS_SIZE;
    return -1;
}

int cmd_query(int argc, char **argv)
{
    static struct reply reply;
    struct ask a = {.port = 53};
    char server[IP_PORT_TEXT_MAX];
    int status = ask_parse(argc, argv, &a);
    if (status >= 0)
        return status;
    int err = reply_get(&a, &reply);
    if (err) {
        fprintf(stderr, "holdfast: no reply from %s: %s\n",
                ip_port_format(&a.server, a.port, server), err_text(err));
        return 1;
    }
    struct text out = text_init(PRINT_MAX);
    err = reply_print(&out, &a, &reply);
    fputs(text_string(&out), stdout);
    text_done(&out);
    if (!err)
        return 0;
    fprintf(stderr, "holdfast: the reply is malformed: %s\n", err_text(err));
    return 1;
}
