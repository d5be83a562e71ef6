#include "transfer/note.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/invariant.h"

static const char magic[8] = "HFSECND1";

static void u64_write(struct writer *w, uint64_t v)
{
    writer_u32(w, (uint32_t)(v >> 32));
    writer_u32(w, (uint32_t)v);
}

static uint64_t u64_read(struct reader *r)
{
    uint64_t high = reader_u32(r);
    return high << 32 | reader_u32(r);
}

void note_encode(const struct secondary_note *n, uint8_t ret[static NOTE_SIZE])
{
    struct writer w = writer_init(ret, NOTE_SIZE);
    writer_bytes(&w, magic, sizeof magic);
    writer_u32(&w, n->serial);
    writer_u32(&w, n->timers.refresh);
    writer_u32(&w, n->timers.retry);
    writer_u32(&w, n->timers.expire);
    u64_write(&w, (uint64_t)n->confirmed);
    u64_write(&w, n->boot_id);
    u64_write(&w, (uint64_t)n->wall);
    invariant(!w.failed && w.position == NOTE_SIZE);
}

int note_decode(const uint8_t *data, size_t size, struct secondary_note *ret)
{
    struct reader r = reader_init(data, size);
    const uint8_t *begin = reader_take(&r, sizeof magic);
    struct secondary_note n;
    if (!begin || memcmp(begin, magic, sizeof magic))
        return ERR_MAGIC;
    n.serial = reader_u32(&r);
    n.timers.refresh = reader_u32(&r);
    n.timers.retry = reader_u32(&r);
    n.timers.expire = reader_u32(&r);
    n.confirmed = (usec_t)u64_read(&r);
    n.boot_id = u64_read(&r);
    n.wall = (usec_t)u64_read(&r);
    if (r.failed)
        return ERR_TRUNCATED;
    *ret = n;
    return 0;
}

usec_t note_age(const struct secondary_note *n, usec_t now, uint64_t boot_id, usec_t wall)
{
    bool same = boot_id && n->boot_id == boot_id;
    usec_t then = same ? n->confirmed : n->wall, at = same ? now : wall;
    return then >= 0 && at > then ? at - then : 0;
}
