#include "replica/mesh_io.h"

#include "base/err.h"
#include "base/memory.h"
#include "replica/certificate_io.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NODES = 3, WAIT_S = 10 };

/* Some nodes of one cluster on one loop, on loopback. */
struct rig {
    uint64_t id;
    uint16_t port;
    struct mesh *mesh;
    struct secure_context *secure;
    uint8_t key[SECURE_HASH_SIZE];
    bool linked[NODES + 2];
    unsigned ups, downs, messages, guests;
    size_t bytes;
    uint64_t from;
    mesh_guest guest;
    char said[64];
};

static uv_loop_t loop;
static struct evp_pkey_st *authority_key;
static struct x509_st *authority;
static struct rig rigs[NODES + 1];

static void on_take(void *context, uint64_t id, enum mesh_channel channel, const uint8_t *data,
                    size_t size)
{
    struct rig *r = context;
    ck_assert_int_eq(channel, MESH_RAFT);
    ck_assert_uint_eq(data[size - 1], 'x');
    r->messages++;
    r->bytes += size;
    r->from = id;
}

static void on_linked(void *context, uint64_t id, bool up)
{
    struct rig *r = context;
    ck_assert_int_ne(r->linked[id], up);
    r->linked[id] = up;
    r->ups += up;
    r->downs += !up;
}

static void on_guest(void *context, mesh_guest guest, const uint8_t binding[SECURE_HASH_SIZE],
                     const struct ip *from, const uint8_t *data, size_t size)
{
    struct rig *r = context;
    (void)binding;
    ck_assert_int_eq(from->family, IP_V4);
    snprintf(r->said, sizeof r->said, "%.*s", (int)size, (const char *)data);
    r->guest = guest;
    r->guests++;
}

/* A certificate of that number, by that authority. */
static struct secure_context *identity_new(struct evp_pkey_st *by_key, struct x509_st *by,
                                           uint64_t id, uint8_t hash[static SECURE_HASH_SIZE])
{
    struct evp_pkey_st *key = certificate_key_new();
    char *request = certificate_request_new(key);
    const struct certificate_subject subject = {"n", "c", id};
    struct x509_st *c;
    struct secure_context *secure;
    struct text why = text_init(1000);
    ck_assert_int_eq(
        certificate_sign(request, by_key, by, &subject, clock_wall() / USEC_PER_SEC, 5, &c), 0);
    char *texts[] = {certificate_text(c), certificate_key_text(key), certificate_text(authority)};
    ck_assert_int_eq(secure_context_new(texts[0], texts[1], texts[2], &secure, &why), 0);
    certificate_hash(c, hash);
    for (unsigned i = 0; i < 3; i++)
        free(texts[i]);
    free(request);
    certificate_free(c);
    certificate_key_free(key);
    return secure;
}

/* An address that no other test has, so that nobody takes a port meanwhile: not even the kernel,
 * who lets clients connect from 127.0.0.1. */
static struct ip address(void)
{
    unsigned pid = (unsigned)getpid();
    char text[IP_TEXT_MAX];
    struct ip ip;
    snprintf(text, sizeof text, "127.%u.%u.%u", 1 + (pid >> 15) % 250, pid >> 8 & 127, pid & 255);
    ck_assert_int_eq(ip_parse(text, &ip), 0);
    return ip;
}

static void rig_start(struct rig *r, uint64_t id)
{
    struct link_self self = {.id = id, .cluster = "c", .software = "test"};
    struct mesh_calls calls = {on_take, on_linked, on_guest, r};
    struct mesh_listen listen = {.ip = address(), .port = r->port};
    r->id = id;
    ck_assert_int_eq(mesh_new(&loop, &self, &listen, 1, r->secure, &calls, id, &r->mesh), 0);
}

static struct mesh_member member(const struct rig *r)
{
    struct mesh_member m = {.id = r->id, .ip = address(), .port = r->port, .key_count = 1};
    memcpy(m.keys[0], r->key, sizeof r->key);
    return m;
}

/* Who r knows: the nodes of these numbers. */
static void know(struct rig *r, const uint64_t *ids, unsigned count)
{
    struct mesh_member members[NODES + 1];
    for (unsigned i = 0; i < count; i++)
        members[i] = member(&rigs[ids[i]]);
    mesh_members(r->mesh, members, count);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

#define run_until(condition)                                                   \
    do {                                                                       \
        usec_t until = clock_now() + WAIT_S * USEC_PER_SEC;                    \
        while (!(condition)) {                                                 \
            ck_assert_msg(clock_now() < until, "not in time: %s", #condition); \
            uv_run(&loop, UV_RUN_ONCE);                                        \
        }                                                                      \
    } while (0)

static uv_timer_t tick;

static void begin(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 10, 10);
    authority_key = certificate_key_new();
    authority = certificate_authority_new(authority_key, "c", clock_wall() / USEC_PER_SEC);
    memset(rigs, 0, sizeof rigs);
    for (unsigned i = 1; i <= NODES; i++) {
        rigs[i].id = i;
        rigs[i].port = (uint16_t)(7000 + i);
        rigs[i].secure = identity_new(authority_key, authority, i, rigs[i].key);
        rig_start(&rigs[i], i);
    }
}

static void all_know(void)
{
    know(&rigs[1], (const uint64_t[]){2, 3}, 2);
    know(&rigs[2], (const uint64_t[]){1, 3}, 2);
    know(&rigs[3], (const uint64_t[]){1, 2}, 2);
}

static bool all_linked(void)
{
    for (unsigned i = 1; i <= NODES; i++)
        for (unsigned k = 1; k <= NODES; k++)
            if (i != k && !rigs[i].linked[k])
                return false;
    return true;
}

static void end(void)
{
    for (unsigned i = 1; i <= NODES; i++) {
        mesh_free(rigs[i].mesh);
        secure_context_unref(rigs[i].secure);
    }
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    certificate_key_free(authority_key);
    certificate_free(authority);
}

static int send_x(struct rig *r, uint64_t to, size_t size)
{
    char *data = mem_new(size, 1);
    data[size - 1] = 'x';
    int err = mesh_send(r->mesh, to, MESH_RAFT, data, size);
    free(data);
    return err;
}

START_TEST(test_links)
{
    begin();
    ck_assert_int_eq(send_x(&rigs[1], 2, 10), ERR_MISSING);
    all_know();
    run_until(all_linked());
    ck_assert_int_eq(send_x(&rigs[1], 2, 10), 0);
    ck_assert_int_eq(send_x(&rigs[3], 2, 3 << 20), 0);
    run_until(rigs[2].messages == 2);
    ck_assert_uint_eq(rigs[2].bytes, (3 << 20) + 10);
    ck_assert_uint_eq(rigs[2].from, 3);
    run_until(mesh_peer(rigs[1].mesh, 0).link->round_trip);
    run_until(mesh_peer(rigs[1].mesh, 0).link->state.seen_count == 2);
    int64_t offset = mesh_peer(rigs[1].mesh, 0).link->clock_offset;
    ck_assert(offset > -USEC_PER_SEC && offset < USEC_PER_SEC);
    for (unsigned i = 1; i <= NODES; i++) {
        ck_assert_uint_eq(mesh_counts(rigs[i].mesh).up, 2);
        ck_assert_uint_eq(rigs[i].downs, 0);
    }
    end();
}
END_TEST

/* Taken out of the membership: cut off by that call, and not let in again, though its certificate
 * is as good as before. */
START_TEST(test_expelled)
{
    begin();
    all_know();
    run_until(all_linked());
    know(&rigs[1], (const uint64_t[]){2}, 1);
    ck_assert(!rigs[1].linked[3]);
    ck_assert_int_eq(send_x(&rigs[1], 3, 10), ERR_MISSING);
    run_until(!rigs[3].linked[1]);
    run_until(mesh_counts(rigs[1].mesh).refused >= 2);
    ck_assert(!rigs[1].linked[3] && !rigs[3].linked[1]);
    ck_assert_ptr_nonnull(strstr(mesh_peer(rigs[3].mesh, 0).reason, "membership"));
    ck_assert(rigs[1].linked[2] && rigs[2].linked[3]);
    know(&rigs[1], (const uint64_t[]){2, 3}, 2);
    run_until(all_linked());
    end();
}
END_TEST

/* The key is another one than the membership lists: a chain to the authority is not enough. */
START_TEST(test_key)
{
    begin();
    secure_context_unref(rigs[3].secure);
    uint8_t other[SECURE_HASH_SIZE];
    rigs[3].secure = identity_new(authority_key, authority, 3, other);
    mesh_secure(rigs[3].mesh, rigs[3].secure);
    all_know();
    run_until(rigs[1].linked[2] &&
              mesh_counts(rigs[3].mesh).refused + mesh_counts(rigs[1].mesh).refused >= 4);
    ck_assert_uint_eq(rigs[3].ups, 0);
    memcpy(rigs[3].key, other, sizeof other);
    all_know();
    run_until(all_linked());
    end();
}
END_TEST

/* The key is listed and the certificate is by somebody else: not enough either. */
START_TEST(test_authority)
{
    begin();
    struct evp_pkey_st *other_key = certificate_key_new();
    struct x509_st *other = certificate_authority_new(other_key, "c", clock_wall() / USEC_PER_SEC);
    secure_context_unref(rigs[3].secure);
    rigs[3].secure = identity_new(other_key, other, 3, rigs[3].key);
    mesh_secure(rigs[3].mesh, rigs[3].secure);
    all_know();
    run_until(rigs[1].linked[2] && mesh_counts(rigs[1].mesh).refused >= 2);
    ck_assert_uint_eq(rigs[3].ups, 0);
    certificate_free(other);
    certificate_key_free(other_key);
    end();
}
END_TEST

/* Another certificate is taken into use without a link going down. */
START_TEST(test_renewal)
{
    begin();
    all_know();
    run_until(all_linked());
    const struct link_view *old_links[NODES + 1];
    unsigned place[NODES + 1];
    uint8_t old[SECURE_HASH_SIZE];
    memcpy(old, rigs[2].key, sizeof old);
    struct secure_context *secure = identity_new(authority_key, authority, 2, rigs[2].key);
    for (unsigned i = 1; i <= NODES; i += 2) {
        struct mesh_member both[2] = {member(&rigs[2]), member(&rigs[4 - i])};
        both[0].key_count = 2;
        memcpy(both[0].keys[1], old, sizeof old);
        mesh_members(rigs[i].mesh, both, 2);
        place[i] = mesh_peer(rigs[i].mesh, 0).member->id == 2 ? 0 : 1;
        old_links[i] = mesh_peer(rigs[i].mesh, place[i]).link;
    }
    mesh_secure(rigs[2].mesh, secure);
    ck_assert_uint_eq(mesh_counts(rigs[2].mesh).stale, 2);
    secure_context_unref(rigs[2].secure);
    rigs[2].secure = secure;
    for (unsigned i = 1; i <= NODES; i += 2)
        run_until(mesh_peer(rigs[i].mesh, place[i]).link != old_links[i]);
    run_until(!mesh_counts(rigs[2].mesh).stale);
    all_know(); /* the old key is not listed any more */
    ck_assert_int_eq(send_x(&rigs[1], 2, 10), 0);
    ck_assert_int_eq(send_x(&rigs[3], 2, 10), 0);
    run_until(rigs[2].messages == 2);
    for (unsigned i = 1; i <= NODES; i++)
        ck_assert_uint_eq(rigs[i].downs, 0);
    end();
}
END_TEST

static int connect_raw(const struct rig *r)
{
    struct ip ip = address();
    struct sockaddr_storage to;
    socklen_t size = net_sockaddr(&ip, r->port, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, size), 0);
    return fd;
}

/* Noise, and connections that say nothing: bounded, and links come up beside them. */
START_TEST(test_half_open)
{
    int fds[2 * MESH_PENDING_MAX];
    begin();
    for (unsigned i = 0; i < array_length(fds); i++) {
        fds[i] = connect_raw(&rigs[1]);
        if (i % 2)
            ck_assert_int_eq(write(fds[i], "GET / HTTP/1.0\r\n\r\n", 18), 18);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    all_know();
    run_until(all_linked());
    ck_assert_uint_ge(mesh_counts(rigs[1].mesh).refused, MESH_PENDING_MAX);
    for (unsigned i = 0; i < array_length(fds); i++)
        close(fds[i]);
    end();
}
END_TEST

/* The other side vanishes without a word: known within the silence, and back when it is. */
START_TEST(test_restart)
{
    begin();
    all_know();
    run_until(all_linked());
    mesh_free(rigs[3].mesh);
    run_until(!rigs[1].linked[3] && !rigs[2].linked[3]);
    ck_assert(rigs[1].linked[2]);
    memset(rigs[3].linked, 0, sizeof rigs[3].linked);
    rig_start(&rigs[3], 3);
    know(&rigs[3], (const uint64_t[]){1, 2}, 2);
    run_until(all_linked());
    end();
}
END_TEST

/* A guest says something on its own channel, gets an answer and is let go. */
START_TEST(test_guest)
{
    begin();
    struct secure_context *context;
    struct text why = text_init(1000);
    ck_assert_int_eq(secure_context_new(NULL, NULL, NULL, &context, &why), 0);
    struct secure *s = secure_connect(context, SECURE_GUEST);
    struct link_self nobody = {0};
    struct link *l = link_new(&nobody, 1 << 20, 0);
    uint8_t buffer[65536];
    char answer[64] = "";
    int fd = connect_raw(&rigs[1]), n = 0, done = 0, sent = 0;
    usec_t until = clock_now() + WAIT_S * USEC_PER_SEC;
    ck_assert_int_eq(link_send(l, MESH_JOIN, "hello", 5), 0);
    while (n != ERR_TRUNCATED && clock_now() < until) {
        ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (got == 0)
            break;
        secure_take(s, buffer, got > 0 ? (size_t)got : 0);
        done = done ? done : secure_shake(s);
        ck_assert_int_ge(done, 0);
        for (size_t give; done && !sent && (give = link_give(l, buffer)); sent = 1)
            ck_assert_int_eq(secure_write(s, buffer, give), 0);
        if (done && (n = secure_read(s, buffer, sizeof buffer)) > LINK_HEAD)
            snprintf(answer, sizeof answer, "%.*s", n - LINK_HEAD, (char *)buffer + LINK_HEAD);
        for (size_t give; (give = secure_give(s, buffer, sizeof buffer));)
            ck_assert_int_eq(write(fd, buffer, give), (ssize_t)give);
        if (rigs[1].guests == 1) {
            mesh_guest_reply(rigs[1].mesh, rigs[1].guest, "welcome", 7);
            rigs[1].guests++;
        }
        if (*answer)
            break;
        uv_run(&loop, UV_RUN_ONCE);
    }
    ck_assert_str_eq(rigs[1].said, "hello");
    ck_assert_str_eq(answer, "welcome");
    close(fd);
    link_free(l);
    secure_free(s);
    secure_context_unref(context);
    text_done(&why);
    end();
}
END_TEST

CHECK_MAIN("mesh", test_links, test_expelled, test_key, test_authority, test_renewal,
           test_half_open, test_restart, test_guest)
