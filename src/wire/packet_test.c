#include "base/err.h"
#include "base/ip.h"
#include "test/check_main.h"
#include "wire/packet.h"
#include <string.h>

/* Ethernet, IP, UDP, "hello"; the checksums are made by frame_seal. */
static const uint8_t frame_v4[] = {
    0x02, 0,  0,    0,    0, 1,  0x02, 0,  0,    0,    0,   2,   0x08, 0x00, 0x45, 0,
    0,    33, 0x12, 0x34, 0, 0,  64,   17, 0x14, 0x83, 10,  9,   0,    2,    10,   9,
    0,    1,  0x30, 0x39, 0, 53, 0,    13, 0,    0,    'h', 'e', 'l',  'l',  'o',
};
static const uint8_t frame_v6[] = {
    0x02, 0, 0,  0,    0,    1,    0x02, 0,    0,    0, 0, 2,   0x86, 0xdd, 0x60, 0,   0,
    0,    0, 13, 17,   64,   0x20, 0x01, 0x0d, 0xb8, 0, 0, 0,   0,    0,    0,    0,   0,
    0,    0, 0,  2,    0x20, 0x01, 0x0d, 0xb8, 0,    0, 0, 0,   0,    0,    0,    0,   0,
    0,    0, 1,  0x30, 0x39, 0,    53,   0,    13,   0, 0, 'h', 'e',  'l',  'l',  'o',
};

/* RFC 1071's own way, one 16-bit word after another. */
static uint16_t sum_slowly(const uint8_t *data, size_t length, uint32_t sum)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    while (sum >> 16)
        sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)sum;
}

static void frame_seal(uint8_t *frame)
{
    bool v4 = frame[12] == 8;
    uint8_t *ip = frame + 14, *udp = ip + (v4 ? 20 : 40);
    size_t length = (size_t)(udp[4] << 8 | udp[5]);
    if (v4) {
        ip[10] = ip[11] = 0;
        uint16_t sum = (uint16_t)~sum_slowly(ip, 20, 0);
        ip[10] = (uint8_t)(sum >> 8);
        ip[11] = (uint8_t)sum;
    }
    udp[6] = udp[7] = 0;
    uint32_t pseudo = sum_slowly(ip + (v4 ? 12 : 8), v4 ? 8 : 32, 17 + (uint32_t)length);
    uint16_t sum = (uint16_t)~sum_slowly(udp, length, pseudo);
    udp[6] = (uint8_t)(sum >> 8);
    udp[7] = (uint8_t)sum;
}

static uint8_t bytes[2048];

static size_t frame_v4_make(void)
{
    memcpy(bytes, frame_v4, sizeof frame_v4);
    frame_seal(bytes);
    return sizeof frame_v4;
}

static size_t frame_v6_make(void)
{
    memcpy(bytes, frame_v6, sizeof frame_v6);
    frame_seal(bytes);
    return sizeof frame_v6;
}

START_TEST(test_parse)
{
    struct packet p;
    size_t n = frame_v4_make();
    ck_assert_int_eq(packet_parse(bytes, n, &p), 0);
    ck_assert_uint_eq(p.family, IP_V4);
    ck_assert_uint_eq(p.source_port, 12345);
    ck_assert_uint_eq(p.destination_port, 53);
    ck_assert_uint_eq(p.payload_length, 5);
    ck_assert_mem_eq(p.payload, "hello", 5);
    ck_assert_uint_eq(p.source[3], 2);
    ck_assert_uint_eq(p.destination[3], 1);
    ck_assert_int_eq(packet_parse(bytes, n + 13, &p), 0); /* padding of a short frame */
    ck_assert_uint_eq(p.payload_length, 5);
    n = frame_v6_make();
    ck_assert_int_eq(packet_parse(bytes, n, &p), 0);
    ck_assert_uint_eq(p.family, IP_V6);
    ck_assert_mem_eq(p.payload, "hello", 5);
    ck_assert_uint_eq(p.source[15], 2);
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_int_lt(packet_parse(bytes, cut, &p), 0);
    n = frame_v4_make();
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_int_lt(packet_parse(bytes, cut, &p), 0);
}
END_TEST

/* One byte changed, the checksums made right again. */
static int parse_changed(bool v4, size_t at, uint8_t value)
{
    struct packet p;
    size_t n = v4 ? frame_v4_make() : frame_v6_make();
    bytes[at] = value;
    uint8_t protocol = bytes[13];
    if (protocol == 0 || protocol == 0xdd)
        frame_seal(bytes);
    return packet_parse(bytes, n, &p);
}

START_TEST(test_not_plain)
{
    ck_assert_int_eq(parse_changed(true, 12, 0x81), ERR_INVALID);  /* VLAN */
    ck_assert_int_eq(parse_changed(true, 14, 0x46), ERR_INVALID);  /* options */
    ck_assert_int_eq(parse_changed(true, 14, 0x65), ERR_INVALID);  /* version */
    ck_assert_int_eq(parse_changed(true, 20, 0x20), ERR_INVALID);  /* more fragments */
    ck_assert_int_eq(parse_changed(true, 21, 1), ERR_INVALID);     /* a later fragment */
    ck_assert_int_eq(parse_changed(true, 20, 0x40), 0);            /* do not fragment */
    ck_assert_int_eq(parse_changed(true, 23, 6), ERR_INVALID);     /* TCP */
    ck_assert_int_eq(parse_changed(true, 17, 27), ERR_TRUNCATED);  /* shorter than UDP */
    ck_assert_int_eq(parse_changed(true, 17, 34), ERR_TRUNCATED);  /* longer than the frame */
    ck_assert_int_eq(parse_changed(true, 39, 7), ERR_TRUNCATED);   /* UDP length */
    ck_assert_int_eq(parse_changed(true, 39, 14), ERR_TRUNCATED);  /* past the IP packet */
    ck_assert_int_eq(parse_changed(false, 20, 44), ERR_INVALID);   /* fragment header */
    ck_assert_int_eq(parse_changed(false, 20, 0), ERR_INVALID);    /* hop-by-hop options */
    ck_assert_int_eq(parse_changed(false, 14, 0x45), ERR_INVALID); /* version */
    ck_assert_int_eq(parse_changed(false, 19, 14), ERR_TRUNCATED);
}
END_TEST

START_TEST(test_source)
{
    static const uint8_t refused[] = {0, 127, 224, 239, 255};
    for (unsigned i = 0; i < sizeof refused; i++)
        ck_assert_int_eq(parse_changed(true, 26, refused[i]), ERR_INVALID);
    ck_assert_int_eq(parse_changed(true, 26, 223), 0);
    ck_assert_int_eq(parse_changed(false, 22, 0xff), ERR_INVALID); /* multicast */
    struct packet p;
    size_t n = frame_v6_make();
    memset(bytes + 22, 0, 16);
    for (uint8_t last = 0; last < 3; last++) { /* "::", "::1", "::2" */
        bytes[37] = last;
        frame_seal(bytes);
        ck_assert_int_eq(packet_parse(bytes, n, &p), last < 2 ? ERR_INVALID : 0);
    }
    n = frame_v4_make();
    bytes[34] = bytes[35] = 0; /* port 0 */
    frame_seal(bytes);
    ck_assert_int_eq(packet_parse(bytes, n, &p), ERR_INVALID);
}
END_TEST

START_TEST(test_checksum)
{
    struct packet p;
    for (int v4 = 0; v4 < 2; v4++) {
        size_t n = v4 ? frame_v4_make() : frame_v6_make(), udp = v4 ? 34 : 54;
        for (size_t i = v4 ? 24 : 22; i < n; i++) { /* every byte that a checksum covers */
            bytes[i] ^= 0x10;
            ck_assert_int_lt(packet_parse(bytes, n, &p), 0);
            bytes[i] ^= 0x10;
        }
        /* Only the pseudo-header: a sender that left the rest to the card. */
        uint16_t pseudo = sum_slowly(bytes + (v4 ? 26 : 22), v4 ? 8 : 32, 17 + 13);
        bytes[udp + 6] = (uint8_t)(pseudo >> 8);
        bytes[udp + 7] = (uint8_t)pseudo;
        ck_assert_int_eq(packet_parse(bytes, n, &p), 0);
        bytes[udp + 6] = bytes[udp + 7] = 0; /* none */
        ck_assert_int_eq(packet_parse(bytes, n, &p), v4 ? 0 : ERR_CHECKSUM);
    }
}
END_TEST

START_TEST(test_reply)
{
    struct packet p, r;
    static uint8_t reply[2048], again[2048];
    for (int v4 = 0; v4 < 2; v4++)
        for (size_t length = 0; length < 1500; length += 7) {
            size_t n = v4 ? frame_v4_make() : frame_v6_make();
            ck_assert_int_eq(packet_parse(bytes, n, &p), 0);
            memset(reply, 0xa5, sizeof reply);
            for (size_t i = 0; i < length; i++)
                reply[p.head_length + i] = (uint8_t)(i * length);
            size_t whole = packet_reply(&p, reply, length, 0xbeef);
            ck_assert_uint_eq(whole, p.head_length + length);
            ck_assert_uint_eq(reply[whole], 0xa5);
            ck_assert_mem_eq(reply, bytes + 6, 6);
            ck_assert_mem_eq(reply + 6, bytes, 6);
            memcpy(again, reply, whole);
            frame_seal(again); /* the same checksums, made the slow way */
            ck_assert_mem_eq(again, reply, whole);
            ck_assert_int_eq(packet_parse(reply, whole, &r), 0);
            ck_assert_uint_eq(r.payload_length, length);
            ck_assert_mem_eq(r.source, p.destination, v4 ? 4 : 16);
            ck_assert_mem_eq(r.destination, p.source, v4 ? 4 : 16);
            ck_assert_uint_eq(r.source_port, 53);
            ck_assert_uint_eq(r.destination_port, 12345);
        }
}
END_TEST

/* A payload whose checksum comes out as zero is sent with the other zero (RFC 768). */
START_TEST(test_reply_zero)
{
    struct packet p, r;
    uint8_t reply[64];
    size_t n = frame_v6_make();
    ck_assert_int_eq(packet_parse(bytes, n, &p), 0);
    memset(reply, 0, sizeof reply);
    packet_reply(&p, reply, 2, 0);
    memcpy(reply + p.head_length, reply + p.head_length - 2, 2); /* its own complement */
    size_t whole = packet_reply(&p, reply, 2, 0);
    ck_assert_uint_eq(reply[p.head_length - 2], 0xff);
    ck_assert_uint_eq(reply[p.head_length - 1], 0xff);
    ck_assert_int_eq(packet_parse(reply, whole, &r), 0);
}
END_TEST

CHECK_MAIN("packet", test_parse, test_not_plain, test_source, test_checksum, test_reply,
           test_reply_zero)
