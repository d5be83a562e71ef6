#include "replica/certificate_io.h"
#include "replica/secure_io.h"

#include "base/err.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* An authority and a certificate of a node, as texts. */
struct made {
    char *authority, *certificate, *key;
    uint8_t authority_hash[SECURE_HASH_SIZE], hash[SECURE_HASH_SIZE];
};

static struct made make(int64_t begin, int64_t days)
{
    struct made m;
    struct evp_pkey_st *authority_key = certificate_key_new(), *key = certificate_key_new();
    struct x509_st *authority = certificate_authority_new(authority_key, "c", begin), *c;
    char *request = certificate_request_new(key);
    const struct certificate_subject subject = {"a", "c", 7};
    ck_assert_int_eq(certificate_sign(request, authority_key, authority, &subject, begin, days, &c),
                     0);
    ck_assert(certificate_is_by(c, authority));
    ck_assert_int_eq(certificate_end(c), begin + days * 86400);
    m.authority = certificate_text(authority);
    m.certificate = certificate_text(c);
    m.key = certificate_key_text(key);
    certificate_hash(authority, m.authority_hash);
    certificate_key_hash(key, m.hash);
    free(request);
    certificate_free(c);
    certificate_free(authority);
    certificate_key_free(key);
    certificate_key_free(authority_key);
    return m;
}

static void made_done(struct made *m)
{
    free(m->authority);
    free(m->certificate);
    free(m->key);
}

static struct secure_context *context(const struct made *own, const char *authorities)
{
    struct secure_context *c;
    struct text why = text_init(1000);
    ck_assert_int_eq(secure_context_new(own ? own->certificate : NULL, own ? own->key : NULL,
                                        authorities, &c, &why),
                     0);
    text_done(&why);
    return c;
}

static void move(struct secure *from, struct secure *to)
{
    uint8_t buffer[4096];
    for (size_t n; (n = secure_give(from, buffer, sizeof buffer));)
        secure_take(to, buffer, n);
}

/* Both sides; whether both are content. */
static bool shake(struct secure *a, struct secure *b)
{
    int left = 0, right = 0;
    for (unsigned i = 0; i < 10 && left >= 0 && right >= 0; i++) {
        left = secure_shake(a);
        move(a, b);
        right = secure_shake(b);
        move(b, a);
    }
    uint8_t byte;
    if (left == 1 && right == 1) /* in TLS 1.3 the server may still refuse */
        left = secure_read(a, &byte, 1) < 0 ? -1 : 1;
    return left == 1 && right == 1;
}

/* A node of `a` connects to one of `b`, who trusts what `trusts` says. */
static bool meet(const struct made *a, const struct made *b, const char *a_trusts,
                 const char *b_trusts)
{
    struct secure_context *left = context(a, a_trusts), *right = context(b, b_trusts);
    struct secure *x = secure_connect(left, SECURE_NODE), *y = secure_accept(right);
    bool good = shake(x, y);
    uint8_t key[SECURE_HASH_SIZE], bindings[2][SECURE_HASH_SIZE];
    if (good) {
        ck_assert(secure_peer_key(x, key));
        ck_assert_mem_eq(key, b->hash, sizeof key);
        ck_assert(secure_peer_key(y, key));
        ck_assert_mem_eq(key, a->hash, sizeof key);
        secure_binding(x, bindings[0]);
        secure_binding(y, bindings[1]);
        ck_assert_mem_eq(bindings[0], bindings[1], sizeof key);
    }
    secure_free(x);
    secure_free(y);
    secure_context_unref(left);
    secure_context_unref(right);
    return good;
}

START_TEST(test_chain)
{
    int64_t now = (int64_t)time(NULL);
    struct made a = make(now, 10), b = make(now, 10), old = make(now - 100 * 86400, 10),
                early = make(now + 10 * 86400, 10);
    ck_assert(meet(&a, &b, b.authority, a.authority));
    ck_assert(!meet(&a, &b, a.authority, a.authority));
    ck_assert(!meet(&a, &b, b.authority, b.authority));
    ck_assert(!meet(&old, &b, b.authority, old.authority));
    ck_assert(!meet(&early, &b, b.authority, early.authority));
    made_done(&a);
    made_done(&b);
    made_done(&old);
    made_done(&early);
}
END_TEST

/* Somebody without a certificate is a guest or nothing. */
START_TEST(test_guest)
{
    int64_t now = (int64_t)time(NULL);
    struct made b = make(now, 10), other = make(now, 10);
    struct secure_context *left = context(NULL, NULL), *right = context(&b, b.authority);
    for (enum secure_kind kind = SECURE_NODE; kind <= SECURE_GUEST; kind++) {
        struct secure *x = secure_connect(left, kind), *y = secure_accept(right);
        bool good = shake(x, y);
        ck_assert_int_eq(good, kind == SECURE_GUEST);
        if (good) {
            uint8_t key[SECURE_HASH_SIZE];
            ck_assert_int_eq(secure_peer_kind(y), SECURE_GUEST);
            ck_assert(!secure_peer_key(y, key));
            ck_assert_int_eq(secure_peer_is_by(x, other.authority_hash), ERR_INVALID);
        }
        secure_free(x);
        secure_free(y);
    }
    secure_context_unref(left);
    secure_context_unref(right);
    made_done(&b);
    made_done(&other);
}
END_TEST

/* The guest has the authority's hash alone: the chain that it is shown has to lead there. */
START_TEST(test_guest_verifies)
{
    int64_t now = (int64_t)time(NULL);
    struct made good = make(now, 10), bad = make(now, 10);
    for (unsigned i = 0; i < 2; i++) {
        /* a server adds the authority that it knows to what it shows */
        struct secure_context *left = context(NULL, NULL),
                              *right = context(i ? &bad : &good, good.authority);
        struct secure *x = secure_connect(left, SECURE_GUEST), *y = secure_accept(right);
        ck_assert(shake(x, y));
        ck_assert_int_eq(secure_peer_is_by(x, good.authority_hash), i ? ERR_INVALID : 0);
        ck_assert_int_eq(secure_peer_is_by(x, bad.authority_hash), ERR_INVALID);
        secure_free(x);
        secure_free(y);
        secure_context_unref(left);
        secure_context_unref(right);
    }
    made_done(&good);
    made_done(&bad);
}
END_TEST

START_TEST(test_texts)
{
    int64_t now = (int64_t)time(NULL);
    struct made a = make(now, 10), b = make(now, 10);
    struct secure_context *c;
    struct text why = text_init(1000);
    ck_assert_int_eq(secure_context_new(a.certificate, b.key, a.authority, &c, &why), ERR_INVALID);
    ck_assert_int_eq(secure_context_new("x", a.key, a.authority, &c, &why), ERR_INVALID);
    ck_assert_int_eq(secure_context_new(a.certificate, a.key, "x", &c, &why), ERR_INVALID);
    text_done(&why);
    ck_assert(certificate_read("x") == NULL && certificate_key_read("x") == NULL);
    struct x509_st *certificate = certificate_read(a.certificate);
    ck_assert_int_eq(certificate_begin(certificate), now - CERTIFICATE_SLACK_S);
    certificate_free(certificate);
    struct evp_pkey_st *key = certificate_key_read(a.key);
    const struct certificate_subject subject = {"a", "c", 7};
    struct x509_st *authority = certificate_read(a.authority), *out;
    ck_assert_int_eq(certificate_sign("x", key, authority, &subject, now, 1, &out), ERR_INVALID);
    certificate_key_free(key);
    certificate_free(authority);
    made_done(&a);
    made_done(&b);
}
END_TEST

CHECK_MAIN("secure", test_chain, test_guest, test_guest_verifies, test_texts)
