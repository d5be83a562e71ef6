#include "base/err.h"
#include "test/check_main.h"
#include "wire/dns.h"
#include "wire/tsig.h"
#include <string.h>

static const char secret[] = "c2VjcmV0IG9mIHRoaXMgdGVzdCwgMzIgYnl0ZXMh";

static struct tsig_key key_of(const char *name, enum tsig_algorithm algorithm)
{
    struct tsig_key key = {.algorithm = (uint8_t)algorithm};
    ck_assert_int_gt(dname_parse(name, strlen(name), NULL, key.name), 0);
    ck_assert_int_eq(tsig_secret_parse(secret, &key), 0);
    return key;
}

/* A query for example.com SOA with this id. */
static size_t message_of(uint8_t *wire, unsigned id)
{
    static const uint8_t rest[] = "\0\0\0\1\0\0\0\0\0\0\7example\3com\0\0\6\0\1";
    wire[0] = (uint8_t)(id >> 8);
    wire[1] = (uint8_t)id;
    memcpy(wire + 2, rest, sizeof rest - 1);
    return 2 + sizeof rest - 1;
}

enum { NOW = 1700000000 };

/* What dnspython 2.3 made of the same key and time. */
START_TEST(test_as_dnspython)
{
    static const uint8_t request[] =
        "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x07\x65\x78\x61"
        "\x6d\x70\x6c\x65\x03\x63\x6f\x6d\x00\x00\x06\x00\x01\x08\x74\x72"
        "\x61\x6e\x73\x66\x65\x72\x07\x65\x78\x61\x6d\x70\x6c\x65\x00\x00"
        "\xfa\x00\xff\x00\x00\x00\x00\x00\x3d\x0b\x68\x6d\x61\x63\x2d\x73"
        "\x68\x61\x32\x35\x36\x00\x00\x00\x65\x53\xf1\x00\x01\x2c\x00\x20"
        "\x75\x16\x6c\xb0\x87\x12\x68\xb5\x7e\x28\x38\xbf\x96\x1f\x21\x9f"
        "\x10\x32\x5b\x56\x4d\x9c\x3d\x24\xb7\xd7\xef\xa5\x01\xdd\xf3\xad"
        "\x12\x34\x00\x00\x00\x00";
    static const uint8_t reply[] =
        "\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x01\x07\x65\x78\x61"
        "\x6d\x70\x6c\x65\x03\x63\x6f\x6d\x00\x00\x06\x00\x01\x08\x74\x72"
        "\x61\x6e\x73\x66\x65\x72\x07\x65\x78\x61\x6d\x70\x6c\x65\x00\x00"
        "\xfa\x00\xff\x00\x00\x00\x00\x00\x3d\x0b\x68\x6d\x61\x63\x2d\x73"
        "\x68\x61\x32\x35\x36\x00\x00\x00\x65\x53\xf1\x00\x01\x2c\x00\x20"
        "\xc2\x27\xae\x87\x1a\x20\x8e\x82\xaa\xce\x58\x66\x30\x31\x03\x5e"
        "\xab\x47\xc6\xb3\xf0\x0e\xb9\x27\xd3\x0e\x8e\xfa\x1f\x63\x51\x0d"
        "\x12\x34\x00\x00\x00\x00";
    struct tsig_key key = key_of("transfer.example", TSIG_SHA256);
    struct tsig_session client = {.key = &key}, server;
    uint8_t wire[1024];
    size_t length = message_of(wire, 0x1234), n;
    struct tsig t;
    wire[2] = request[2];
    int signed_length = tsig_sign(&client, wire, length, sizeof wire, NOW);
    ck_assert_int_eq(signed_length, (int)sizeof request - 1);
    ck_assert_mem_eq(wire, request, sizeof request - 1);
    ck_assert_int_eq(tsig_reply_verify(&client, reply, sizeof reply - 1, NOW + 299, &n), 0);
    ck_assert_int_eq(tsig_find(request, sizeof request - 1, &t), 0);
    ck_assert_uint_eq(t.offset, length);
    ck_assert_int_eq(tsig_request_verify(&server, &key, request, &t, NOW), 0);
    memcpy(wire, reply, n);
    wire[11]--;
    signed_length = tsig_sign(&server, wire, n, sizeof wire, NOW);
    ck_assert_int_eq(signed_length, (int)sizeof reply - 1);
    ck_assert_mem_eq(wire, reply, sizeof reply - 1);
}
END_TEST

static void tampered(enum tsig_algorithm algorithm)
{
    struct tsig_key key = key_of("a.b", algorithm);
    uint8_t wire[1024];
    struct tsig_session client = {.key = &key}, server;
    struct tsig t;
    int length = tsig_sign(&client, wire, message_of(wire, 7), sizeof wire, NOW);
    ck_assert_int_gt(length, 0);
    for (int bit = 16; bit < length * 8; bit++) {
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int err = tsig_find(wire, (size_t)length, &t);
        if (!err)
            err = tsig_request_verify(&server, &key, wire, &t, NOW);
        /* The case of letters in the names of key and algorithm is not part of the digest, which
         * takes them in lower case. */
        bool letter = !err && bit % 8 == 5;
        ck_assert_msg(err || letter, "bit %d of %d passes", bit, length);
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    wire[0] = 0xff; /* a forwarder may give it another id; the original one counts */
    ck_assert_int_eq(tsig_find(wire, (size_t)length, &t), 0);
    ck_assert_int_eq(tsig_request_verify(&server, &key, wire, &t, NOW), 0);
}

/* Every algorithm; one bit changed anywhere is seen. */
START_TEST(test_tampered)
{
    for (unsigned i = 0; i < TSIG_ALGORITHMS; i++)
        tampered((enum tsig_algorithm)i);
}
END_TEST

START_TEST(test_refusals)
{
    struct tsig_key key = key_of("a.b", TSIG_SHA256), other = key_of("c.b", TSIG_SHA256),
                    sha512 = key_of("a.b", TSIG_SHA512), wrong = key;
    uint8_t wire[2048], reply[2048];
    struct tsig_session client = {.key = &key}, server;
    struct tsig t;
    size_t n, plain = message_of(wire, 7);
    ck_assert_int_eq(tsig_find(wire, plain, &t), ERR_MISSING);
    int length = tsig_sign(&client, wire, plain, sizeof wire, NOW);
    wrong.secret[0] ^= 1;
    ck_assert_int_eq(tsig_find(wire, (size_t)length, &t), 0);
    ck_assert_int_eq(tsig_request_verify(&server, NULL, wire, &t, NOW), TSIG_BADKEY);
    ck_assert_int_eq(tsig_request_verify(&server, &other, wire, &t, NOW), TSIG_BADKEY);
    ck_assert_int_eq(tsig_request_verify(&server, &sha512, wire, &t, NOW), TSIG_BADKEY);
    ck_assert_int_eq(tsig_request_verify(&server, &wrong, wire, &t, NOW), TSIG_BADSIG);
    ck_assert_ptr_null(server.key);
    memcpy(reply, wire, plain);
    reply[11] = 0;
    int refused = tsig_refuse(&server, &t, reply, plain, sizeof reply);
    ck_assert_int_gt(refused, 0);
    ck_assert_int_eq(tsig_reply_verify(&client, reply, (size_t)refused, NOW, &n), ERR_INVALID);
    ck_assert_int_eq(tsig_find(reply, (size_t)refused, &t), 0);
    ck_assert_uint_eq(t.error, TSIG_BADSIG);
    ck_assert_uint_eq(t.mac.length, 0);
    ck_assert_int_eq(tsig_find(wire, (size_t)length, &t), 0);
    ck_assert_int_eq(tsig_request_verify(&server, &key, wire, &t, NOW + 301), TSIG_BADTIME);
    ck_assert_ptr_eq(server.key, &key); /* and its reply is signed, with our time in it */
    reply[11] = 0;
    refused = tsig_sign(&server, reply, plain, sizeof reply, NOW + 301);
    ck_assert_int_eq(tsig_find(reply, (size_t)refused, &t), 0);
    ck_assert_uint_eq(t.error, TSIG_BADTIME);
    ck_assert_uint_eq(t.time, NOW);
    ck_assert_uint_eq(t.other.length, 6);
    ck_assert_int_eq(tsig_find(wire, (size_t)length - 1, &t), ERR_TRUNCATED);
    memcpy(wire + length, wire + plain, (size_t)length - plain); /* two of them */
    wire[11] = 2;
    ck_assert_int_eq(tsig_find(wire, (size_t)length * 2 - plain, &t), ERR_SYNTAX);
}
END_TEST

/* Leaves `keep` bytes of the MAC of the message; its new length. */
static size_t mac_cut(uint8_t *wire, size_t length, size_t keep)
{
    struct tsig t;
    ck_assert_int_eq(tsig_find(wire, length, &t), 0);
    size_t at = (size_t)(t.mac.data - wire), cut = t.mac.length - keep;
    uint8_t *size = wire + t.offset + dname_length(t.name) + 8; /* of the record's data */
    memmove(wire + at + keep, wire + at + t.mac.length, length - at - t.mac.length);
    wire[at - 1] = (uint8_t)keep;
    size[1] = (uint8_t)(size[1] - cut);
    return length - cut;
}

/* RFC 8945 5.2.4, 5.3.2: a MAC that is cut short proves the key, or not, like a whole one. It is
 * not taken, but the answer is signed, over the MAC as it came. */
START_TEST(test_cut_short)
{
    struct tsig_key key = key_of("a.b", TSIG_SHA256), wrong = key;
    uint8_t wire[2048], reply[2048];
    struct tsig_session client = {.key = &key}, server;
    struct tsig t;
    size_t n, plain = message_of(wire, 7);
    size_t length = (size_t)tsig_sign(&client, wire, plain, sizeof wire, NOW);
    wrong.secret[0] ^= 1;
    length = mac_cut(wire, length, 16);
    ck_assert_int_eq(tsig_find(wire, length, &t), 0);
    ck_assert_int_eq(tsig_request_verify(&server, &wrong, wire, &t, NOW), TSIG_BADSIG);
    ck_assert_int_eq(tsig_request_verify(&server, &key, wire, &t, NOW + 301), TSIG_BADTIME);
    ck_assert_int_eq(tsig_request_verify(&server, &key, wire, &t, NOW), TSIG_BADTRUNC);
    memcpy(reply, wire, plain);
    reply[11] = 0;
    n = (size_t)tsig_sign(&server, reply, plain, sizeof reply, NOW);
    ck_assert_int_eq(tsig_find(reply, n, &t), 0);
    ck_assert_uint_eq(t.error, TSIG_BADTRUNC);
    /* The same answer to a client who meant to cut its MAC, but without the error. */
    client.mac_length = 16;
    server = (struct tsig_session){.key = &key, .state = TSIG_STATE_FIRST, .mac_length = 16};
    memcpy(server.mac, client.mac, 16);
    memcpy(reply, wire, plain);
    reply[11] = 0;
    size_t good = (size_t)tsig_sign(&server, reply, plain, sizeof reply, NOW);
    ck_assert_uint_eq(good, n);
    struct tsig_session other = client;
    ck_assert_int_eq(tsig_reply_verify(&client, reply, good, NOW, &n), 0);
    /* Nor is a reply taken whose MAC is cut. */
    ck_assert_int_eq(tsig_reply_verify(&other, reply, mac_cut(reply, good, 16), NOW, &n),
                     ERR_INVALID);
    length = mac_cut(wire, length, 15); /* less than half of the hash: 5.2.2.1 */
    ck_assert_int_eq(tsig_find(wire, length, &t), 0);
    ck_assert_int_eq(tsig_request_verify(&server, &key, wire, &t, NOW), ERR_SYNTAX);
}
END_TEST

/* A stream in which every third message is signed; a change in an unsigned one is seen at the next
 * signature, and a stream that ends unsigned is not whole. */
START_TEST(test_stream)
{
    struct tsig_key key = key_of("a.b", TSIG_SHA256);
    for (int broken = 0; broken < 2; broken++) {
        uint8_t wire[1024], all[1024];
        struct tsig_session client = {.key = &key}, server;
        struct tsig t;
        size_t n;
        int length = tsig_sign(&client, wire, message_of(wire, 7), sizeof wire, NOW), err = 0;
        ck_assert_int_eq(tsig_find(wire, (size_t)length, &t), 0);
        ck_assert_int_eq(tsig_request_verify(&server, &key, wire, &t, NOW), 0);
        for (int i = 0; i < 9; i++) {
            length = tsig_sign(&server, wire, message_of(wire, 7), sizeof wire, NOW + i);
            wire[3] ^= (uint8_t)(broken && i == 5);
            err = tsig_reply_verify(&client, wire, (size_t)length, NOW, &n);
            ck_assert_int_eq(err, broken && i >= 5 ? ERR_INVALID : 0);
            if (err)
                break;
            ck_assert(tsig_stream_whole(&client));
        }
        size_t plain = message_of(all, 9);
        if (!broken)
            for (int i = 0; i < TSIG_UNSIGNED_MAX; i++) {
                ck_assert_int_eq(tsig_reply_verify(&client, all, plain, NOW, &n), 0);
                ck_assert(!tsig_stream_whole(&client));
            }
        if (!broken)
            ck_assert_int_eq(tsig_reply_verify(&client, all, plain, NOW, &n), ERR_MISSING);
        tsig_session_done(&client);
    }
}
END_TEST

START_TEST(test_secrets)
{
    struct tsig_key key = {0};
    ck_assert_int_eq(tsig_secret_parse("QUI=", &key), 0);
    ck_assert_uint_eq(key.secret_length, 2);
    ck_assert_mem_eq(key.secret, "AB", 2);
    ck_assert_int_eq(tsig_secret_parse("QUI", &key), ERR_SYNTAX);
    ck_assert_int_eq(tsig_secret_parse("QUI=x", &key), ERR_SYNTAX);
    ck_assert_int_eq(tsig_secret_parse("Q===", &key), ERR_SYNTAX);
    ck_assert_int_eq(tsig_secret_parse("", &key), ERR_LIMIT);
    char long_text[177] = {0};
    memset(long_text, 'A', 176);
    ck_assert_int_eq(tsig_secret_parse(long_text, &key), ERR_LIMIT);
    ck_assert_uint_eq(key.secret_length, 2);
}
END_TEST

CHECK_MAIN("tsig", test_as_dnspython, test_tampered, test_refusals, test_cut_short, test_stream,
           test_secrets)
