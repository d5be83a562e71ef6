#include "replica/membership.h"

#include "base/err.h"
#include "base/invariant.h"
#include "replica/vault.h"
#include "replica/word.h"
#include <string.h>

/* version u8 | count u16 | for each: id u64, role u8, length u16, address */
enum { VERSION = 1 };

void membership_put(const struct raft_configuration *c, struct text *out)
{
    uint8_t head[16];
    struct writer w = writer_init(head, sizeof head);
    writer_u8(&w, VERSION);
    writer_u16(&w, (uint16_t)c->n);
    text_append_bytes(out, head, w.position);
    for (unsigned i = 0; i < c->n; i++) {
        size_t length = strlen(c->servers[i].address);
        w.position = 0;
        word_put(&w, c->servers[i].id);
        writer_u8(&w, (uint8_t)c->servers[i].role);
        writer_u16(&w, (uint16_t)length);
        text_append_bytes(out, head, w.position);
        text_append_bytes(out, c->servers[i].address, length);
    }
}

static int server_take(struct reader *r, struct raft_configuration *c)
{
    char address[VAULT_ADDRESS_MAX + 1];
    uint64_t id = word_take(r);
    uint8_t role = reader_u8(r);
    size_t length = reader_u16(r);
    const uint8_t *bytes = reader_take(r, length);
    if (r->failed || length > VAULT_ADDRESS_MAX || role > RAFT_SPARE || memchr(bytes, 0, length))
        return ERR_INVALID;
    memcpy(address, bytes, length);
    address[length] = 0;
    return raft_configuration_add(c, id, address, role) ? ERR_INVALID : 0;
}

int membership_take(struct reader *r, struct raft_configuration *ret)
{
    struct raft_configuration c;
    raft_configuration_init(&c);
    int err = reader_u8(r) == VERSION ? 0 : ERR_INVALID;
    unsigned count = reader_u16(r);
    if (r->failed || count > VAULT_SERVERS_MAX)
        err = ERR_INVALID;
    for (unsigned i = 0; i < count && !err; i++)
        err = server_take(r, &c);
    if (err)
        raft_configuration_close(&c);
    else
        *ret = c;
    return err;
}

static uint64_t little(struct reader *r)
{
    const uint8_t *p = reader_take(r, 8);
    uint64_t v = 0;
    for (unsigned i = 8; p && i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

/* libraft 0.15: format u8 = 1 | count u64 | for each: id u64, address with its NUL, role u8; the
 * numbers little-endian. */
int membership_of_entry(const struct raft_buffer *data, struct raft_configuration *ret)
{
    struct reader r = reader_init(data->base, data->len);
    struct raft_configuration c;
    raft_configuration_init(&c);
    int err = reader_u8(&r) == 1 ? 0 : ERR_INVALID;
    uint64_t count = little(&r);
    for (uint64_t i = 0; i < count && !err; i++) {
        uint64_t id = little(&r);
        const uint8_t *address = r.data + r.position;
        const uint8_t *nul = r.failed ? NULL : memchr(address, 0, reader_left(&r));
        if (!nul || count > VAULT_SERVERS_MAX) {
            err = ERR_INVALID;
            break;
        }
        (void)reader_take(&r, (size_t)(nul - address) + 1);
        uint8_t role = reader_u8(&r);
        if (r.failed || raft_configuration_add(&c, id, (const char *)address, role))
            err = ERR_INVALID;
    }
    if (err)
        raft_configuration_close(&c);
    else
        *ret = c;
    return err;
}

void membership_copy(const struct raft_configuration *from, struct raft_configuration *ret)
{
    raft_configuration_init(ret);
    for (unsigned i = 0; i < from->n; i++) {
        int err = raft_configuration_add(ret, from->servers[i].id, from->servers[i].address,
                                         from->servers[i].role);
        invariant(err == 0);
    }
}
