#include "transfer/note.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/invariant.h"

static const char magic[8] = "HFSECND1";

void note_encode(const struct secondary_note *n, uint8_t ret[static NOTE_SIZE])
{
    struct writer w = writer_init(ret, NOTE_SIZE);
    writer_bytes(&w, magic, sizeof magic);
    writer_u32(&w, n->serial);
    writer_u32(&w, n->timers.refresh);
    writer_u32(&w, n->timers.retry);
    writer_u32(&w, n->timers.expire);
    writer_u64(&w, (uint64_t)n->confirmed);
    writer_u64(&w, n->boot_id);
    writer_u64(&w, (uint64_t)n->wall);
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
    n.confirmed = (usec_t)reader_u64(&r);
    n.boot_id = reader_u64(&r);
    n.wall = (usec_t)reader_u64(&r);
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
