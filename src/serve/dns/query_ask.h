/* For tests: questions in short, over the rig. */
#pragma once

#include "serve/dns/query_rig.h"

struct ask {
    const char *name;
    uint16_t type;
    uint16_t class; /* 0: IN */
    uint16_t flags; /* of the header */
    uint16_t size;  /* EDNS size; 0: no EDNS */
    uint8_t version;
    bool dnssec_ok, tcp;
    const uint8_t *options; /* after the EDNS fields */
    size_t options_length;
    const char *from; /* NULL: 192.0.2.200 */
};

/* As typed: case is kept. */
static inline void ask_name(struct writer *w, const char *name)
{
    while (*name && strcmp(name, ".") != 0) {
        size_t n = strcspn(name, ".");
        writer_u8(w, (uint8_t)n);
        writer_bytes(w, name, n);
        name += n + (name[n] == '.');
    }
    writer_u8(w, 0);
}

static inline size_t ask_write(const struct ask *a, uint8_t *wire, size_t size)
{
    struct writer w = writer_init(wire, size);
    writer_u16(&w, 0x1234);
    writer_u16(&w, a->flags);
    writer_u16(&w, 1);
    writer_u16(&w, 0);
    writer_u16(&w, 0);
    writer_u16(&w, a->size ? 1 : 0);
    ask_name(&w, a->name);
    writer_u16(&w, a->type);
    writer_u16(&w, a->class ? a->class : DNS_IN);
    if (a->size) {
        writer_u8(&w, 0);
        writer_u16(&w, DNS_OPT);
        writer_u16(&w, a->size);
        writer_u8(&w, 0);
        writer_u8(&w, a->version);
        writer_u16(&w, a->dnssec_ok ? 0x8000 : 0);
        writer_u16(&w, (uint16_t)a->options_length);
        writer_bytes(&w, a->options, a->options_length);
    }
    return w.failed ? 0 : w.position;
}

/* The response to raw bytes as text; "dropped" where there is none, "malformed: ..." where it is.
 */
static inline const char *rig_ask_raw(struct rig *r, const uint8_t *wire, size_t length,
                                      const char *from, bool tcp)
{
    struct ip ip;
    if (ip_parse(from ? from : "192.0.2.200", &ip))
        return "bad address";
    struct query_client client = {ip.bytes, ip.family, tcp};
    r->length = query_answer(&r->ctx, r->served, wire, length, &client, r->response,
                             tcp ? DNS_MESSAGE_MAX : r->ctx.udp_size);
    if (!r->length)
        return "dropped";
    text_reset(&r->text);
    const char *wrong = message_text(r->response, r->length, &r->text);
    if (wrong) {
        text_appendf(&r->text, "\nmalformed: %s\n", wrong);
        return text_string(&r->text);
    }
    if (r->response[0] != wire[0] || r->response[1] != wire[1])
        return "another ID";
    return text_string(&r->text);
}

static inline const char *rig_ask(struct rig *r, struct ask a)
{
    uint8_t wire[1024];
    size_t length = ask_write(&a, wire, sizeof wire);
    return rig_ask_raw(r, wire, length, a.from, a.tcp);
}
