#include "wire/names.h"
#include "wire/rdata.h"

enum { POINTER = 0xc000, POINTER_MAX = 0x3fff };

static bool label_equal(const uint8_t *sent, const uint8_t *lower, size_t length)
{
    if (memcmp(sent, lower, length) == 0)
        return true;
    for (size_t i = 0; i < length; i++) {
        uint8_t c = sent[i];
        c = (uint8_t)(c - 'A') < 26 ? c | 0x20 : c;
        if (c != lower[i])
            return false;
    }
    return true;
}

bool names_equal_at(const struct writer *w, size_t offset, const uint8_t *name)
{
    const uint8_t *m = w->data;
    for (;;) {
        while (offset + 2 <= w->position && m[offset] >= POINTER >> 8) {
            size_t to = (size_t)(m[offset] & 0x3f) << 8 | m[offset + 1];
            if (to >= offset)
                return false;
            offset = to;
        }
        if (offset + 1 + name[0] > w->position || m[offset] != name[0] ||
            !label_equal(m + offset + 1, name + 1, name[0]))
            return false;
        if (!name[0])
            return true;
        offset += name[0] + 1u;
        name += name[0] + 1u;
    }
}

/* Of the name's beginning and the end of its first label: cheap, since the bytes decide. */
static unsigned name_hash(const uint8_t *name, size_t length)
{
    uint64_t head = 0, tail = 0;
    if (length >= 8)
        memcpy(&head, name, 8);
    else
        memcpy(&head, name, length);
    if (name[0] > 7)
        memcpy(&tail, name + name[0] - 7, 8);
    uint64_t h = (head ^ length ^ tail * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    return (unsigned)(h >> 40);
}

/* The slot that holds the name, or the free one where it belongs. */
static uint16_t *slot_find(const struct names *n, const struct writer *w, const uint8_t *name,
                           size_t length)
{
    unsigned i = name_hash(name, length) & n->mask;
    while (n->slots[i] && !names_equal_at(w, n->slots[i], name))
        i = (i + 1) & n->mask;
    return &n->slots[i];
}

static void slot_take(struct names *n, uint16_t *slot, size_t offset)
{
    if (n->count > n->mask / 4 * 3 || offset > POINTER_MAX)
        return;
    *slot = (uint16_t)offset;
    n->count++;
}

void names_note(struct names *n, const struct writer *w, size_t offset, const uint8_t *name,
                size_t length)
{
    while (name[0]) {
        uint16_t *slot = slot_find(n, w, name, length);
        if (!*slot)
            slot_take(n, slot, offset);
        offset += name[0] + 1u;
        length -= name[0] + 1u;
        name += name[0] + 1u;
    }
}

uint16_t names_find(const struct names *n, const struct writer *w, const uint8_t *name,
                    size_t length)
{
    uint16_t at = name[0] ? *slot_find(n, w, name, length) : 0;
    return at ? (uint16_t)(POINTER | at) : 0;
}

uint16_t names_write(struct names *n, struct writer *w, const uint8_t *name, size_t length)
{
    size_t start = w->position;
    bool root = !name[0];
    for (; name[0]; length -= name[0] + 1u, name += name[0] + 1u) {
        uint16_t *slot = slot_find(n, w, name, length);
        if (*slot) {
            start = w->position == start ? *slot : start;
            writer_u16(w, (uint16_t)(POINTER | *slot));
            break;
        }
        slot_take(n, slot, w->position);
        writer_bytes(w, name, name[0] + 1u);
        if (w->failed)
            return 0;
    }
    if (!name[0])
        writer_u8(w, 0);
    return root || w->failed || start > POINTER_MAX ? 0 : (uint16_t)(POINTER | start);
}

void names_write_rdata(struct names *n, struct writer *w, uint16_t type, const uint8_t *rdata,
                       uint16_t length)
{
    uint16_t offsets[2];
    unsigned count = rdata_compressible(type, rdata, offsets);
    size_t size_at = w->position, done = 0;
    writer_u16(w, length);
    for (unsigned i = 0; i < count && !w->failed; i++) {
        size_t size = dname_length(rdata + offsets[i]);
        writer_bytes(w, rdata + done, offsets[i] - done);
        names_write(n, w, rdata + offsets[i], size);
        done = offsets[i] + size;
    }
    writer_bytes(w, rdata + done, length - done);
    if (w->failed || !count)
        return;
    size_t size = w->position - size_at - 2;
    w->data[size_at] = (uint8_t)(size >> 8);
    w->data[size_at + 1] = (uint8_t)size;
}
