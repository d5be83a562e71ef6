#include "serve/dns/xdp_program.h"
#include "base/invariant.h"
#include "wire/packet.h"
#include <stddef.h>
#include <string.h>

enum {
    R_RESULT = BPF_REG_0,
    R_WORD = BPF_REG_0, /* what is compared */
    R_DATA = BPF_REG_2,
    R_END = BPF_REG_3,
    R_PROBE = BPF_REG_4,
    R_CONTEXT = BPF_REG_6, /* kept over calls */
    ETHERTYPE_AT = 12,
    V4_AT = PACKET_ETHERNET_SIZE,
    V4_FRAGMENT_AT = V4_AT + 6,
    V4_PROTOCOL_AT = V4_AT + 9,
    V4_TARGET_AT = V4_AT + 16,
    V4_PORT_AT = V4_AT + PACKET_IPV4_SIZE + 2,
    V6_AT = PACKET_ETHERNET_SIZE,
    V6_NEXT_AT = V6_AT + 6,
    V6_TARGET_AT = V6_AT + 24,
    V6_PORT_AT = V6_AT + PACKET_IPV6_SIZE + 2,
    PROTOCOL_UDP = 17,
    FLAGS_AT = 2,       /* of a DNS header: QR, the opcode, AA, TC, RD */
    OPCODE_BITS = 0x78, /* all are zero: QUERY (RFC 1035 4.1.1) */
};

/* Jumps forward are written before their goal is known: a list of those that wait. */
enum { GOAL_PASS = -1, GOAL_REDIRECT = -2, GOAL_NEXT = -3, GOAL_V6 = -4 };

struct assembly {
    struct bpf_insn *code;
    unsigned count;
};

static void emit(struct assembly *a, unsigned code, unsigned target, unsigned source, int offset,
                 int32_t immediate)
{
    invariant(a->count < XDP_PROGRAM_MAX);
    a->code[a->count++] = (struct bpf_insn){.code = (uint8_t)code,
                                            .dst_reg = target & 0xf,
                                            .src_reg = source & 0xf,
                                            .off = (int16_t)offset,
                                            .imm = immediate};
}

static bool is_jump(const struct bpf_insn *insn)
{
    unsigned class = BPF_CLASS(insn->code);
    return (class == BPF_JMP || class == BPF_JMP32) && insn->off < 0;
}

/* All that wait for `goal` go here. */
static void place(struct assembly *a, int goal)
{
    for (unsigned i = 0; i < a->count; i++)
        if (is_jump(&a->code[i]) && a->code[i].off == goal)
            a->code[i].off = (int16_t)(a->count - i - 1);
}

static void load(struct assembly *a, unsigned size, int at)
{
    emit(a, BPF_LDX | BPF_MEM | size, R_WORD, R_DATA, at, 0);
}

static void jump_unless(struct assembly *a, uint32_t value, int goal)
{
    emit(a, BPF_JMP32 | BPF_JNE | BPF_K, R_WORD, 0, goal, (int32_t)value);
}

/* As a load of 2 or 4 bytes sees them. */
static uint32_t word_of(const uint8_t *bytes, size_t size)
{
    uint16_t half;
    uint32_t word;
    if (size == sizeof half) {
        memcpy(&half, bytes, sizeof half);
        return half;
    }
    memcpy(&word, bytes, sizeof word);
    return word;
}

static uint32_t big_endian(uint16_t value)
{
    return word_of((const uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void expect(struct assembly *a, const uint8_t *bytes, size_t size, int at, int goal)
{
    for (size_t done = 0; done < size;) {
        size_t step = size - done >= 4 ? 4 : 2;
        load(a, step == 4 ? BPF_W : BPF_H, at + (int)done);
        jump_unless(a, word_of(bytes + done, step), goal);
        done += step;
    }
}

/* The verifier wants to see that what is read is there. */
static void expect_length(struct assembly *a, int length)
{
    emit(a, BPF_ALU64 | BPF_MOV | BPF_X, R_PROBE, R_DATA, 0, 0);
    emit(a, BPF_ALU64 | BPF_ADD | BPF_K, R_PROBE, 0, 0, length);
    emit(a, BPF_JMP | BPF_JGT | BPF_X, R_PROBE, R_END, GOAL_PASS, 0);
}

static void addresses_match(struct assembly *a, const struct xdp_address *addresses, unsigned count,
                            enum ip_family family)
{
    int port_at = family == IP_V4 ? V4_PORT_AT : V6_PORT_AT;
    int target_at = family == IP_V4 ? V4_TARGET_AT : V6_TARGET_AT;
    int flags_at = (family == IP_V4 ? PACKET_HEAD_V4 : PACKET_HEAD_V6) + FLAGS_AT;
    expect_length(a, flags_at + 1);
    load(a, BPF_B, flags_at);
    emit(a, BPF_JMP32 | BPF_JSET | BPF_K, R_WORD, 0, GOAL_PASS, OPCODE_BITS);
    for (unsigned i = 0; i < count; i++) {
        if (addresses[i].ip.family != family)
            continue;
        load(a, BPF_H, port_at);
        jump_unless(a, big_endian(addresses[i].port), GOAL_NEXT);
        expect(a, addresses[i].ip.bytes, ip_size(&addresses[i].ip), target_at, GOAL_NEXT);
        emit(a, BPF_JMP | BPF_JA, 0, 0, GOAL_REDIRECT, 0);
        place(a, GOAL_NEXT);
    }
    emit(a, BPF_JMP | BPF_JA, 0, 0, GOAL_PASS, 0);
}

static void v4_match(struct assembly *a, const struct xdp_address *addresses, unsigned count)
{
    load(a, BPF_B, V4_AT);
    jump_unless(a, 0x45, GOAL_PASS); /* version 4, no options */
    load(a, BPF_B, V4_PROTOCOL_AT);
    jump_unless(a, PROTOCOL_UDP, GOAL_PASS);
    load(a, BPF_H, V4_FRAGMENT_AT);
    emit(a, BPF_JMP32 | BPF_JSET | BPF_K, R_WORD, 0, GOAL_PASS, (int32_t)big_endian(0x3fff));
    addresses_match(a, addresses, count, IP_V4);
}

static void v6_match(struct assembly *a, const struct xdp_address *addresses, unsigned count)
{
    expect_length(a, PACKET_HEAD_V6);
    load(a, BPF_B, V6_NEXT_AT);
    jump_unless(a, PROTOCOL_UDP, GOAL_PASS);
    addresses_match(a, addresses, count, IP_V6);
}

/* The low bits of the flags are what happens where the queue has no socket. */
static void redirect(struct assembly *a, int map_fd)
{
    emit(a, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map_fd);
    emit(a, 0, 0, 0, 0, 0); /* the upper half of the constant */
    emit(a, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, R_CONTEXT,
         offsetof(struct xdp_md, rx_queue_index), 0);
    emit(a, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, XDP_PASS);
    emit(a, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map);
    emit(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

unsigned xdp_program_make(const struct xdp_address *addresses, unsigned count,
                          const uint8_t mac[static 6], int map_fd,
                          struct bpf_insn ret[static XDP_PROGRAM_MAX])
{
    struct assembly a = {.code = ret};
    invariant(count <= XDP_ADDRESSES_MAX);
    emit(&a, BPF_ALU64 | BPF_MOV | BPF_X, R_CONTEXT, BPF_REG_1, 0, 0);
    emit(&a, BPF_LDX | BPF_MEM | BPF_W, R_DATA, R_CONTEXT, offsetof(struct xdp_md, data), 0);
    emit(&a, BPF_LDX | BPF_MEM | BPF_W, R_END, R_CONTEXT, offsetof(struct xdp_md, data_end), 0);
    expect_length(&a, PACKET_HEAD_V4);
    expect(&a, mac, PACKET_MAC_SIZE, 0, GOAL_PASS); /* promiscuous interfaces see others' frames */
    load(&a, BPF_H, ETHERTYPE_AT);
    emit(&a, BPF_JMP32 | BPF_JEQ | BPF_K, R_WORD, 0, GOAL_V6, (int32_t)big_endian(0x86dd));
    jump_unless(&a, big_endian(0x0800), GOAL_PASS);
    v4_match(&a, addresses, count);
    place(&a, GOAL_V6);
    v6_match(&a, addresses, count);
    place(&a, GOAL_REDIRECT);
    redirect(&a, map_fd);
    place(&a, GOAL_PASS);
    emit(&a, BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, 0, XDP_PASS);
    emit(&a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    return a.count;
}
