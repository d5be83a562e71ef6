/* Names beside addresses, resolved by a small server on loopback. */
#include "observe/once_io.h"
#include "observe/origin_io.h"
#include "seam/net.h"

#include "base/attr.h"
#include "test/check_main.h"
#include "wire/dns.h"
#include <string.h>
#include <sys/socket.h>

enum { SILENT = 255 };

struct says {
    uint8_t rcode; /* of the name; SILENT: no answer */
    uint8_t root;  /* of the servers of the root */
    uint8_t count; /* addresses 127.0.0.N */
    uint8_t last[9];
};

static void resolve(int fd, SSL *ssl, const void *context)
{
    (void)ssl;
    const struct says *says = context;
    uint8_t m[1500];
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    ssize_t length = recvfrom(fd, m, 512, 0, (struct sockaddr *)&from, &size);
    if (length < 28)
        return;
    bool root = m[12] == 0;
    uint8_t rcode = root ? says->root : says->rcode;
    if (rcode == SILENT)
        return;
    size_t n = (size_t)length - 11; /* without OPT */
    m[2] = 0x81, m[3] = (uint8_t)(0x80 | rcode), m[11] = 0;
    m[7] = root ? 0 : says->count;
    for (unsigned i = 0; i < m[7]; i++) {
        const uint8_t record[] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                  0,    60, 0, 4, 127, 0, 0, says->last[i]};
        memcpy(m + n, record, sizeof record);
        n += sizeof record;
    }
    sendto(fd, m, n, 0, (struct sockaddr *)&from, size);
}

struct world {
    struct origin web, resolver[2];
    struct config_listen listens[2];
    struct config_check check, name_check;
    struct target targets[2];
    struct bench bench;
};

static void resolver_add(struct world *w, unsigned i, const struct says *says)
{
    w->resolver[i] = origin_start(&(struct origin_how){
        .address = "127.0.0.1", .type = SOCK_DGRAM, .handler = resolve, .context = says});
    ck_assert_int_eq(ip_parse("127.0.0.1", &w->listens[i].ip), 0);
    w->listens[i].port = w->resolver[i].port;
}

/* An endpoint at `address`, found by db.test; a server on 127.0.0.1 alone. */
static void world_begin(struct world *w, const char *address, const struct says *says,
                        const struct says *second)
{
    *w = (struct world){.web = origin_start(&(struct origin_how){.address = "127.0.0.1"})};
    w->check = (struct config_check){.name = "web",
                                     .kind = CHECK_TCP,
                                     .port = w->web.port,
                                     .interval = 500 * USEC_PER_MSEC,
                                     .timeout = 500 * USEC_PER_MSEC};
    w->name_check = w->check;
    w->name_check.timeout += NAME_RESOLVE_MS * USEC_PER_MSEC;
    w->name_check.interval = 100 * USEC_PER_MSEC; /* one after the other */
    w->targets[0] = (struct target){.check = &w->check};
    ck_assert_int_eq(ip_parse(address, &w->targets[0].address), 0);
    w->targets[1] = (struct target){.check = &w->name_check, .hostname = "db.test"};
    resolver_add(w, 0, says);
    if (second)
        resolver_add(w, 1, second);
    bench_open(&w->bench);
    observer_resolvers(w->bench.observer, w->listens, second ? 2 : 1);
    observer_targets(w->bench.observer, w->targets, 2, NULL, 1);
}

static void world_end(struct world *w)
{
    bench_close(&w->bench);
    origin_stop(&w->web);
    origin_stop(&w->resolver[0]);
    if (w->resolver[1].pid)
        origin_stop(&w->resolver[1]);
}

/* The next sample of the name; its own address is probed meanwhile. */
static struct sample name_sample(struct world *w)
{
    for (size_t seen = w->bench.count;;) {
        w->bench.wanted = seen + 1;
        bench_run(&w->bench, 5000);
        ck_assert_uint_gt(w->bench.count, seen);
        for (; seen < w->bench.count; seen++)
            if (w->bench.samples[seen].target == 1)
                return w->bench.samples[seen];
    }
}

static void expect_of(const char *address, struct says says, const struct says *second,
                      enum reason reason, unsigned rcode)
{
    struct world w;
    world_begin(&w, address, &says, second);
    struct sample s = name_sample(&w);
    ck_assert_str_eq(reason_name(s.reason), reason_name(reason));
    ck_assert_uint_eq(s.status, rcode);
    ck_assert_uint_gt(s.phase_us[PHASE_RESOLVE], 0);
    ck_assert(s.late == (reason == REASON_INTERNAL));
    if (says.rcode != SILENT) { /* and once more, with what the first time left behind */
        s = name_sample(&w);
        ck_assert_str_eq(reason_name(s.reason), reason_name(reason));
    }
    world_end(&w);
}

static void expect(const char *address, struct says says, enum reason reason, unsigned rcode)
{
    expect_of(address, says, NULL, reason, rcode);
}

START_TEST(test_leads_to_the_address)
{
    /* the second one is not probed, as it is the endpoint's own: nobody listens there */
    expect("127.0.0.1", (struct says){.count = 1, .last = {1}}, REASON_OK, 0);
    expect("127.0.0.9", (struct says){.count = 2, .last = {1, 9}}, REASON_OK, 0);
}
END_TEST

START_TEST(test_leads_elsewhere)
{
    expect("127.0.0.9", (struct says){.count = 1, .last = {1}}, REASON_OK, 0);
    expect("127.0.0.1", (struct says){.count = 1, .last = {2}}, REASON_RESOLVE_WRONG, 0);
    expect("127.0.0.1", (struct says){.count = 3, .last = {1, 1, 3}}, REASON_RESOLVE_WRONG, 0);
    /* of more than are probed the rest is passed over */
    expect("127.0.0.9", (struct says){.count = 9, .last = {1, 9, 1, 9, 1, 9, 1, 9, 1}}, REASON_OK,
           0);
}
END_TEST

START_TEST(test_leads_nowhere)
{
    expect("127.0.0.1", (struct says){.rcode = DNS_NXDOMAIN}, REASON_RESOLVE_NXDOMAIN, 3);
    expect("127.0.0.1", (struct says){0}, REASON_RESOLVE_NODATA, 0);
    expect("127.0.0.1", (struct says){.rcode = DNS_SERVFAIL}, REASON_RESOLVE_SERVFAIL, 2);
    expect("127.0.0.1", (struct says){.rcode = SILENT}, REASON_RESOLVE_TIMEOUT, 0);
}
END_TEST

/* L8: a resolver that cannot resolve anything says nothing about a name. */
START_TEST(test_resolver_broken)
{
    expect("127.0.0.1", (struct says){.rcode = SILENT, .root = SILENT}, REASON_INTERNAL, 0);
    expect("127.0.0.1", (struct says){.rcode = DNS_SERVFAIL, .root = DNS_SERVFAIL}, REASON_INTERNAL,
           2);
    expect("127.0.0.1", (struct says){.rcode = DNS_REFUSED, .root = DNS_REFUSED}, REASON_INTERNAL,
           5);
}
END_TEST

START_TEST(test_second_resolver)
{
    const struct says well = {.count = 1, .last = {1}};
    expect_of("127.0.0.1", (struct says){.rcode = SILENT, .root = SILENT}, &well, REASON_OK, 0);
    expect_of("127.0.0.1", (struct says){.rcode = DNS_SERVFAIL, .root = DNS_SERVFAIL}, &well,
              REASON_OK, 0);
}
END_TEST

/* A new list keeps what goes on, and drops a name while it is being looked at. */
START_TEST(test_lists_change)
{
    const struct says says = {.count = 1, .last = {1}};
    struct world w;
    world_begin(&w, "127.0.0.9", &says, NULL);
    ck_assert_str_eq(reason_name(name_sample(&w).reason), "ok");
    struct config_check copy = w.check, name_copy = w.name_check;
    w.targets[0].check = &copy;
    w.targets[1].check = &name_copy;
    observer_targets(w.bench.observer, w.targets, 2, NULL, 2);
    memset(&w.check, 0xee, sizeof w.check);
    struct sample s = name_sample(&w);
    ck_assert_uint_eq(s.epoch, 2);
    ck_assert_str_eq(reason_name(s.reason), "ok");
    observer_targets(w.bench.observer, w.targets, 1, NULL, 3);
    w.bench.wanted = w.bench.count + 2;
    bench_run(&w.bench, 3000);
    ck_assert_uint_eq(w.bench.samples[w.bench.count - 1].target, 0);
    observer_targets(w.bench.observer, w.targets, 2, NULL, 4);
    ck_assert_uint_eq(name_sample(&w).epoch, 4);
    world_end(&w);
}
END_TEST

CHECK_MAIN("name_io", test_leads_to_the_address, test_leads_elsewhere, test_leads_nowhere,
           test_resolver_broken, test_second_resolver, test_lists_change)
