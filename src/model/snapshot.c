#include "model/snapshot.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/snapshot_format.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t record_sizes[SNAPSHOT_SECTIONS] = {
#define X(id, field, count) [id] = (uint32_t)sizeof(*((struct plan *)0)->field),
    SNAPSHOT_SECTION_LIST(X)
#undef X
};

static const char *const section_names[SNAPSHOT_SECTIONS] = {
#define X(id, field, count) [id] = #field,
    SNAPSHOT_SECTION_LIST(X)
#undef X
};

int snapshot_refuse(int err, const char **ret_where, const char *format, ...)
{
    static _Thread_local char sentence[512];
    va_list args;
    va_start(args, format);
    /* Through a second buffer: an argument may be the sentence of an inner refusal. */
    char buffer[sizeof sentence];
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    memcpy(sentence, buffer, sizeof buffer);
    if (ret_where)
        *ret_where = sentence;
    return err;
}

/* ---- encode ---- */

static uint64_t align8(uint64_t n)
{
    return (n + 7) & ~UINT64_C(7);
}

static void header_fill(struct snapshot_header *h, const struct plan *plan)
{
    memcpy(h->magic, SNAPSHOT_MAGIC, sizeof h->magic);
    h->version = SNAPSHOT_VERSION;
    h->section_count = SNAPSHOT_SECTIONS;
    h->generation = plan->generation;
    h->made = plan->made;
    h->made_wall = plan->made_wall;
    h->boot_id = plan->boot_id;
    h->config_fingerprint = plan->config_fingerprint;
    h->intent_version = plan->intent_version;
    h->node = plan->node;
    h->site = plan->site;
    h->network = plan->network;
}

uint8_t *snapshot_encode(const struct plan *plan, size_t *ret_size)
{
    const void *const arrays[SNAPSHOT_SECTIONS] = {
#define X(id, field, count) [id] = plan->field,
        SNAPSHOT_SECTION_LIST(X)
#undef X
    };
    const uint32_t counts[SNAPSHOT_SECTIONS] = {
#define X(id, field, count) [id] = plan->count,
        SNAPSHOT_SECTION_LIST(X)
#undef X
    };
    struct snapshot_header header = {0};
    header_fill(&header, plan);
    uint64_t at = sizeof header;
    for (unsigned i = 0; i < SNAPSHOT_SECTIONS; i++) {
        header.sections[i] = (struct snapshot_section){at, counts[i], record_sizes[i]};
        at = align8(at + (uint64_t)counts[i] * record_sizes[i]);
    }
    header.size = at;

    uint8_t *data = mem_new(1, at);
    memcpy(data, &header, sizeof header);
    for (unsigned i = 0; i < SNAPSHOT_SECTIONS; i++) {
        if (counts[i])
            memcpy(data + header.sections[i].offset, arrays[i],
                   (size_t)counts[i] * record_sizes[i]);
    }
    header.checksum = snapshot_checksum(data, at);
    memcpy(data, &header, sizeof header);
    *ret_size = at;
    return data;
}

/* ---- decode ---- */

/* Magic and version come before the checksum: a future version may sum in another way, and must be
 * told from a damaged file. */
static int header_check(const void *data, size_t size, const char **ret_where)
{
    const struct snapshot_header *h = data;
    if (size < sizeof h->magic + sizeof h->version)
        return snapshot_refuse(ERR_TRUNCATED, ret_where,
                               "the file has %zu bytes: not even a header", size);
    if (memcmp(h->magic, SNAPSHOT_MAGIC, sizeof h->magic) != 0)
        return snapshot_refuse(ERR_MAGIC, ret_where, "the file does not begin as a plan");
    if (h->version != SNAPSHOT_VERSION)
        return snapshot_refuse(ERR_VERSION, ret_where,
                               "the file is of version %u, this program reads %u", h->version,
                               (unsigned)SNAPSHOT_VERSION);
    if (size < sizeof *h)
        return snapshot_refuse(ERR_TRUNCATED, ret_where, "the header needs %zu bytes, not %zu",
                               sizeof *h, size);
    if (h->size > size)
        return snapshot_refuse(ERR_TRUNCATED, ret_where,
                               "the file should have %llu bytes and has %zu",
                               (unsigned long long)h->size, size);
    if (h->size < size)
        return snapshot_refuse(ERR_BOUNDS, ret_where, "%llu bytes follow the end of the plan",
                               (unsigned long long)(size - h->size));
    if (h->checksum != snapshot_checksum(data, size))
        return snapshot_refuse(ERR_CHECKSUM, ret_where, "the checksum does not match the bytes");
    return 0;
}

static int sections_check(const struct snapshot_header *h, const char **ret_where)
{
    if (h->section_count != SNAPSHOT_SECTIONS)
        return snapshot_refuse(ERR_VERSION, ret_where, "the file has %u sections instead of %u",
                               h->section_count, (unsigned)SNAPSHOT_SECTIONS);
    for (unsigned i = 0; i < SNAPSHOT_SECTIONS; i++) {
        const struct snapshot_section *s = &h->sections[i];
        if (s->record_size != record_sizes[i])
            return snapshot_refuse(ERR_VERSION, ret_where, "%s: records of %u bytes instead of %u",
                                   section_names[i], s->record_size, record_sizes[i]);
        if (s->offset % 8 || s->offset < sizeof *h || s->offset > h->size ||
            (uint64_t)s->records * s->record_size > h->size - s->offset)
            return snapshot_refuse(ERR_BOUNDS, ret_where, "%s: the section lies outside the file",
                                   section_names[i]);
    }
    if (h->generation == 0)
        return snapshot_refuse(ERR_INVALID, ret_where, "the plan has no generation");
    return 0;
}

int snapshot_decode(const void *data, size_t size, struct plan *ret_plan, const char **ret_where)
{
    invariant((uintptr_t)data % 8 == 0);
    int r = header_check(data, size, ret_where);
    if (r < 0)
        return r;
    const struct snapshot_header *h = data;
    r = sections_check(h, ret_where);
    if (r < 0)
        return r;
    const uint8_t *base = data;
    struct plan plan = {.generation = h->generation,
                        .made = h->made,
                        .made_wall = h->made_wall,
                        .boot_id = h->boot_id,
                        .config_fingerprint = h->config_fingerprint,
                        .intent_version = h->intent_version,
                        .node = h->node,
                        .site = h->site,
                        .network = h->network,
#define X(id, field, count) \
    .field = (const void *)(base + h->sections[id].offset), .count = h->sections[id].records,
                        SNAPSHOT_SECTION_LIST(X)
#undef X
    };
    r = snapshot_check(&plan, ret_where);
    if (r < 0)
        return r;
    invariant(plan.generation > 0);
    *ret_plan = plan;
    return 0;
}
