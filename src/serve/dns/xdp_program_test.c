#include "serve/dns/xdp_program.h"
#include "test/check_main.h"
#include "wire/packet.h"
#include <stdlib.h>
#include <string.h>

/* ---- a machine for the few instructions that the filter is made of ---- */

enum { MAP_FD = 77, QUEUE = 3, STEPS_MAX = XDP_PROGRAM_MAX };

struct machine {
    uint64_t r[BPF_REG_10];
    const uint8_t *frame;
    size_t length;
    unsigned proven; /* how many bytes of the frame were seen to be there */
    bool redirected;
};

/* data = 1000, data_end = 1000 + length */
enum { DATA = 1000 };

static uint64_t machine_load(struct machine *m, const struct bpf_insn *i)
{
    static const unsigned sizes[] = {[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1};
    unsigned size = sizes[BPF_SIZE(i->code) >> 3];
    if (i->src_reg == BPF_REG_6)
        switch (i->off) {
        case offsetof(struct xdp_md, data):
            return DATA;
        case offsetof(struct xdp_md, data_end):
            return DATA + m->length;
        default:
            ck_assert_int_eq(i->off, offsetof(struct xdp_md, rx_queue_index));
            return QUEUE;
        }
    ck_assert_uint_eq(i->src_reg, BPF_REG_2);
    ck_assert_uint_eq(m->r[BPF_REG_2], DATA);
    ck_assert_uint_le((unsigned)i->off + size, m->proven);
    uint64_t value = 0;
    memcpy(&value, m->frame + i->off, size); /* little endian, as the machine that runs the test */
    return value;
}

/* Returns whether it jumps. */
static bool machine_jump(struct machine *m, const struct bpf_insn *i)
{
    uint64_t a = m->r[i->dst_reg], b = (uint32_t)i->imm;
    switch (i->code) {
    case BPF_JMP | BPF_JGT | BPF_X:
        if (a > m->r[i->src_reg])
            return true;
        m->proven = (unsigned)(a - DATA);
        return false;
    case BPF_JMP | BPF_JA:
        return true;
    case BPF_JMP32 | BPF_JEQ | BPF_K:
        return (uint32_t)a == b;
    case BPF_JMP32 | BPF_JNE | BPF_K:
        return (uint32_t)a != b;
    case BPF_JMP32 | BPF_JSET | BPF_K:
        return (a & b) != 0;
    default:
        ck_abort_msg("instruction %02x", i->code);
    }
}

static void machine_call(struct machine *m, const struct bpf_insn *i)
{
    ck_assert_int_eq(i->imm, BPF_FUNC_redirect_map);
    ck_assert_uint_eq(m->r[1], MAP_FD);
    ck_assert_uint_eq(m->r[2], QUEUE);
    ck_assert_uint_eq(m->r[3], XDP_PASS);
    m->redirected = true;
    m->r[0] = XDP_REDIRECT;
}

static uint64_t machine_run(const struct bpf_insn *code, unsigned count, struct machine *m)
{
    unsigned steps = 0;
    for (unsigned at = 0; at < count; at++) {
        const struct bpf_insn *i = &code[at];
        ck_assert_uint_lt(++steps, STEPS_MAX);
        if (i->code == (BPF_JMP | BPF_EXIT))
            return m->r[0];
        if (i->code == (BPF_JMP | BPF_CALL)) {
            machine_call(m, i);
        } else if (BPF_CLASS(i->code) == BPF_LDX) {
            m->r[i->dst_reg] = machine_load(m, i);
        } else if (BPF_CLASS(i->code) == BPF_LD) {
            ck_assert_uint_eq(i->src_reg, BPF_PSEUDO_MAP_FD);
            m->r[i->dst_reg] = (uint64_t)i->imm;
            at++;
        } else if (BPF_CLASS(i->code) == BPF_ALU64) {
            uint64_t value = BPF_SRC(i->code) == BPF_X ? m->r[i->src_reg] : (uint64_t)i->imm;
            m->r[i->dst_reg] = BPF_OP(i->code) == BPF_ADD ? m->r[i->dst_reg] + value : value;
        } else if (machine_jump(m, i)) {
            ck_assert_int_ge(i->off, 0); /* forward only, so it ends */
            at += (unsigned)i->off;
        }
    }
    ck_abort_msg("ran off the end");
}

/* ---- frames ---- */

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
static const struct xdp_address addresses[] = {
    {{{10, 9, 0, 1}, IP_V4}, 53},
    {{{10, 9, 0, 7}, IP_V4}, 5353},
    {{{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, IP_V6}, 53},
};

static bool taken(const uint8_t *frame, size_t length, const struct xdp_address *list,
                  unsigned count)
{
    struct bpf_insn code[XDP_PROGRAM_MAX];
    struct machine m = {.frame = frame, .length = length};
    unsigned size = xdp_program_make(list, count, mac, MAP_FD, code);
    ck_assert_uint_le(size, XDP_PROGRAM_MAX);
    uint64_t verdict = machine_run(code, size, &m);
    ck_assert_uint_eq(verdict, m.redirected ? XDP_REDIRECT : XDP_PASS);
    return m.redirected;
}

static size_t frame_make(uint8_t frame[static 128], const struct xdp_address *to)
{
    bool v4 = to->ip.family == IP_V4;
    size_t udp = v4 ? 34 : 54;
    memset(frame, 0, 128);
    memcpy(frame, mac, 6);
    frame[12] = v4 ? 0x08 : 0x86;
    frame[13] = v4 ? 0x00 : 0xdd;
    frame[14] = v4 ? 0x45 : 0x60;
    frame[v4 ? 23 : 20] = 17;
    memcpy(frame + (v4 ? 30 : 38), to->ip.bytes, ip_size(&to->ip));
    frame[udp + 2] = (uint8_t)(to->port >> 8);
    frame[udp + 3] = (uint8_t)to->port;
    return udp + 8 + 12;
}

static bool takes_changed(const struct xdp_address *to, size_t at, uint8_t value)
{
    uint8_t frame[128];
    size_t length = frame_make(frame, to);
    frame[at] = value;
    return taken(frame, length, addresses, array_length(addresses));
}

START_TEST(test_ours)
{
    uint8_t frame[128];
    for (unsigned i = 0; i < array_length(addresses); i++) {
        size_t length = frame_make(frame, &addresses[i]);
        ck_assert(taken(frame, length, addresses, array_length(addresses)));
        for (unsigned n = 0; n < array_length(addresses); n++)
            ck_assert_int_eq(taken(frame, length, &addresses[n], 1), n == i);
        for (size_t cut = 0; cut < length - 9; cut++)
            ck_assert(!taken(frame, cut, addresses, array_length(addresses)));
    }
}
END_TEST

START_TEST(test_others)
{
    const struct xdp_address *v4 = &addresses[0], *v6 = &addresses[2];
    for (size_t i = 0; i < 6; i++)
        ck_assert(!takes_changed(v4, i, 0xee)); /* another's frame, broadcast */
    ck_assert(!takes_changed(v4, 12, 0x81));    /* VLAN */
    ck_assert(!takes_changed(v4, 13, 0x06));    /* ARP */
    ck_assert(!takes_changed(v4, 14, 0x46));    /* options */
    ck_assert(!takes_changed(v4, 20, 0x20));    /* more fragments */
    ck_assert(!takes_changed(v4, 21, 0x01));    /* a later fragment */
    ck_assert(takes_changed(v4, 20, 0x40));     /* do not fragment */
    ck_assert(!takes_changed(v4, 23, 6));       /* TCP */
    ck_assert(!takes_changed(v4, 37, 54));      /* another port */
    ck_assert(!takes_changed(v4, 33, 2));       /* another address */
    ck_assert(!takes_changed(v4, 33, 7));       /* ours, with another port */
    ck_assert(!takes_changed(v6, 20, 44));      /* a fragment header */
    ck_assert(!takes_changed(v6, 20, 58));      /* ICMPv6 */
    for (size_t i = 38; i < 54; i++)
        ck_assert(!takes_changed(v6, i, 0xee));
}
END_TEST

/* Where control answers, or nobody knows the opcode, sockets are asked. */
START_TEST(test_opcodes)
{
    static const uint8_t proxy[] = {0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a}; /* PROXY v2 begins so */
    for (unsigned i = 0; i < array_length(addresses); i++) {
        const struct xdp_address *to = &addresses[i];
        size_t flags = to->ip.family == IP_V4 ? PACKET_HEAD_V4 + 2 : PACKET_HEAD_V6 + 2;
        for (unsigned opcode = 0; opcode < 16; opcode++)
            ck_assert_int_eq(takes_changed(to, flags, (uint8_t)(opcode << 3)), opcode == 0);
        ck_assert(takes_changed(to, flags, 0x87)); /* the other bits are the server's to judge */
        ck_assert(!takes_changed(to, flags, proxy[2]));
    }
}
END_TEST

/* As many as there may be, and none. */
START_TEST(test_sizes)
{
    static struct xdp_address many[XDP_ADDRESSES_MAX];
    uint8_t frame[128];
    for (unsigned i = 0; i < XDP_ADDRESSES_MAX; i++) {
        many[i] = addresses[2];
        many[i].ip.bytes[15] = (uint8_t)i;
    }
    size_t length = frame_make(frame, &many[XDP_ADDRESSES_MAX - 1]);
    struct bpf_insn code[XDP_PROGRAM_MAX];
    unsigned size = xdp_program_make(many, XDP_ADDRESSES_MAX, mac, MAP_FD, code);
    ck_assert_uint_gt(size, 0);
    ck_assert(taken(frame, length, many, XDP_ADDRESSES_MAX));
    ck_assert(!taken(frame, length, many, 0));
}
END_TEST

CHECK_MAIN("xdp_program", test_ours, test_others, test_opcodes, test_sizes)
