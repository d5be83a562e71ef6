#include "model/access.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static const char magic[8] = "HFACCESS";
enum { HEAD_SIZE = 28, HASH_OFFSET = 20, PREFIX_SIZE = 18 };

/* ---- writing ---- */

static size_t zone_size(const struct config_zone *z)
{
    return 2 + DNAME_MAX + 7 + z->transfer.allow_count * (size_t)PREFIX_SIZE +
           z->transfer.key_count * 4 + z->transfer.pin_count * (size_t)CONFIG_PIN_SIZE;
}

static void name_write(struct writer *w, const uint8_t *name)
{
    size_t length = dname_length(name);
    writer_u16(w, (uint16_t)length);
    writer_bytes(w, name, length);
}

static void key_write(struct writer *w, const struct tsig_key *k)
{
    name_write(w, k->name);
    writer_u8(w, k->algorithm);
    writer_u8(w, k->secret_length);
    writer_bytes(w, k->secret, k->secret_length);
}

static void zone_write(struct writer *w, const struct config_zone *z, const uint8_t *origin)
{
    name_write(w, origin);
    writer_u16(w, (uint16_t)z->transfer.allow_count);
    writer_u16(w, (uint16_t)z->transfer.key_count);
    writer_u8(w, z->transfer.tls_only);
    writer_u16(w, (uint16_t)z->transfer.pin_count);
    for (uint32_t i = 0; i < z->transfer.allow_count; i++) {
        writer_u8(w, z->transfer.allow[i].ip.family);
        writer_u8(w, z->transfer.allow[i].length);
        writer_bytes(w, z->transfer.allow[i].ip.bytes, 16);
    }
    for (uint32_t i = 0; i < z->transfer.key_count; i++)
        writer_u32(w, (uint32_t)z->transfer.keys[i]);
    for (uint32_t i = 0; i < z->transfer.pin_count; i++)
        writer_bytes(w, z->transfer.pins[i], CONFIG_PIN_SIZE);
}

struct named {
    const struct config_zone *zone;
    uint8_t origin[DNAME_MAX];
};

static int named_compare(const void *a, const void *b)
{
    return dname_compare(((const struct named *)a)->origin, ((const struct named *)b)->origin);
}

static bool zone_counts(const struct config_zone *z)
{
    return z->transfer.allow_count || z->transfer.key_count || z->transfer.pin_count;
}

/* The zones that something was said about, in canonical order. */
static struct named *zones_sort(const struct config *c, uint32_t *ret_count, size_t *size)
{
    struct named *zones = mem_new(c->zone_count + (size_t)1, sizeof *zones);
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->zone_count; i++) {
        const struct config_zone *z = &c->zones[i];
        if (!zone_counts(z) || dname_parse(z->name, strlen(z->name), NULL, zones[count].origin) < 0)
            continue;
        *size += zone_size(z);
        zones[count++].zone = z;
    }
    qsort(zones, count, sizeof *zones, named_compare);
    *ret_count = count;
    return zones;
}

uint8_t *access_encode(const struct config *config, const struct tsig_key *keys, size_t *ret_size,
                       uint64_t *ret_hash)
{
    size_t size = HEAD_SIZE + config->key_count * (size_t)(DNAME_MAX + 4 + TSIG_SECRET_MAX);
    uint32_t count;
    struct named *zones = zones_sort(config, &count, &size);
    uint8_t *data = mem_new(size, 1);
    struct writer w = writer_init(data, size);
    writer_bytes(&w, magic, sizeof magic);
    writer_u32(&w, ACCESS_VERSION);
    writer_u32(&w, config->key_count);
    writer_u32(&w, count);
    writer_u64(&w, 0);
    for (uint32_t i = 0; i < config->key_count; i++)
        key_write(&w, &keys[i]);
    for (uint32_t i = 0; i < count; i++)
        zone_write(&w, zones[i].zone, zones[i].origin);
    invariant(!w.failed);
    *ret_size = w.position;
    *ret_hash = hash64(data + HEAD_SIZE, w.position - HEAD_SIZE);
    w.position = HASH_OFFSET;
    writer_u64(&w, *ret_hash);
    free(zones);
    return data;
}

/* ---- reading ---- */

/* A name with its length before it, in place. */
static const uint8_t *name_read(struct reader *r, uint16_t *ret_length)
{
    uint16_t length = reader_u16(r);
    const uint8_t *name = reader_take(r, length);
    if (!name || dname_check(name, length) != length)
        r->failed = true;
    *ret_length = length;
    return r->failed ? NULL : name;
}

static bool key_read(struct reader *r, struct tsig_key *k)
{
    uint16_t length;
    const uint8_t *name = name_read(r, &length);
    if (name)
        memcpy(k->name, name, length);
    k->algorithm = reader_u8(r);
    k->secret_length = reader_u8(r);
    const uint8_t *secret = reader_take(r, k->secret_length);
    if (!secret || !k->secret_length || k->secret_length > TSIG_SECRET_MAX ||
        k->algorithm >= TSIG_ALGORITHMS)
        return false;
    memcpy(k->secret, secret, k->secret_length);
    return !r->failed;
}

static bool zone_read(struct reader *r, struct access *a, uint32_t version, struct access_zone *z)
{
    const uint8_t *name = name_read(r, &z->origin_length);
    z->allow_count = reader_u16(r);
    z->key_count = reader_u16(r);
    z->tls_only = version > 1 && reader_u8(r);
    z->pin_count = version > 2 ? reader_u16(r) : 0;
    if (!name || reader_left(r) < z->allow_count * (size_t)PREFIX_SIZE + z->key_count * 4)
        return false;
    struct ip_prefix *allow = arena_new(&a->arena, z->allow_count + (size_t)1, sizeof *allow);
    uint32_t *keys = arena_new(&a->arena, z->key_count + (size_t)1, sizeof *keys);
    for (uint32_t i = 0; i < z->allow_count; i++) {
        allow[i].ip.family = reader_u8(r);
        allow[i].length = reader_u8(r);
        const uint8_t *bytes = reader_take(r, 16);
        if (!bytes || allow[i].ip.family >= IP_FAMILIES || allow[i].length > ip_bits(&allow[i].ip))
            return false;
        memcpy(allow[i].ip.bytes, bytes, 16);
    }
    for (uint32_t i = 0; i < z->key_count; i++) {
        keys[i] = reader_u32(r);
        if (keys[i] >= a->key_count)
            return false;
    }
    const uint8_t *shown = reader_take(r, z->pin_count * (size_t)CONFIG_PIN_SIZE);
    if (!shown)
        return false;
    uint8_t *pins = arena_new(&a->arena, z->pin_count * (size_t)CONFIG_PIN_SIZE + 1, 1);
    memcpy(pins, shown, z->pin_count * (size_t)CONFIG_PIN_SIZE);
    z->pins = pins;
    uint8_t *origin = arena_new(&a->arena, z->origin_length, 1);
    memcpy(origin, name, z->origin_length);
    z->origin = origin;
    z->allow = allow;
    z->keys = keys;
    return true;
}

static bool body_read(struct reader *r, struct access *a, uint32_t version)
{
    /* the smallest key has 5 bytes and the smallest zone 7: a count cannot ask for more memory than
     * the file's size allows */
    if (a->key_count > reader_left(r) / 5 || a->zone_count > reader_left(r) / 7)
        return false;
    a->keys = arena_new(&a->arena, a->key_count + (size_t)1, sizeof *a->keys);
    a->zones = arena_new(&a->arena, a->zone_count + (size_t)1, sizeof *a->zones);
    for (uint32_t i = 0; i < a->key_count; i++)
        if (!key_read(r, &a->keys[i]))
            return false;
    for (uint32_t i = 0; i < a->zone_count; i++)
        if (!zone_read(r, a, version, &a->zones[i]) ||
            (i && dname_compare(a->zones[i - 1].origin, a->zones[i].origin) >= 0))
            return false;
    return !r->failed && !reader_left(r);
}

int access_decode(const uint8_t *data, size_t size, struct access **ret)
{
    struct reader r = reader_init(data, size);
    if (size < HEAD_SIZE)
        return ERR_TRUNCATED;
    if (memcmp(reader_take(&r, sizeof magic), magic, sizeof magic) != 0)
        return ERR_MAGIC;
    uint32_t version = reader_u32(&r);
    if (!version || version > ACCESS_VERSION)
        return ERR_VERSION;
    struct access *a = mem_new(1, sizeof *a);
    a->arena = arena_init();
    a->key_count = reader_u32(&r);
    a->zone_count = reader_u32(&r);
    a->hash = (uint64_t)reader_u32(&r) << 32;
    a->hash |= reader_u32(&r);
    int err = hash64(data + HEAD_SIZE, size - HEAD_SIZE) != a->hash ? ERR_CHECKSUM
              : body_read(&r, a, version)                           ? 0
                                                                    : ERR_BOUNDS;
    if (err) {
        access_free(a);
        return err;
    }
    *ret = a;
    return 0;
}

void access_free(struct access *a)
{
    if (!a)
        return;
    if (a->keys)
        OPENSSL_cleanse(a->keys, a->key_count * sizeof *a->keys);
    arena_done(&a->arena);
    free(a);
}

/* ---- asking ---- */

const struct access_zone *access_zone_find(const struct access *a, const uint8_t *origin,
                                           size_t length)
{
    uint32_t low = 0, high = a ? a->zone_count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct access_zone *z = &a->zones[middle];
        if (dname_equal(z->origin, z->origin_length, origin, length))
            return z;
        if (dname_compare(z->origin, origin) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct tsig_key *access_key_find(const struct access *a, const uint8_t *name,
                                       uint32_t *ret_index)
{
    size_t length = dname_length(name);
    for (uint32_t i = 0; a && i < a->key_count; i++) {
        if (!dname_equal(a->keys[i].name, dname_length(a->keys[i].name), name, length))
            continue;
        *ret_index = i;
        return &a->keys[i];
    }
    return NULL;
}

bool access_pins(const struct config *config)
{
    for (uint32_t i = 0; i < config->zone_count; i++)
        if (config->zones[i].transfer.pin_count)
            return true;
    return false;
}

static bool pin_fits(const struct access_zone *z, const uint8_t *pin)
{
    for (uint32_t i = 0; i < z->pin_count && pin; i++)
        if (!memcmp(z->pins + i * (size_t)CONFIG_PIN_SIZE, pin, CONFIG_PIN_SIZE))
            return true;
    return !z->pin_count;
}

bool access_transfer(const struct access_zone *z, const struct ip *client, int64_t key, bool xot,
                     const uint8_t *pin)
{
    if ((z->tls_only && !xot) || !pin_fits(z, xot ? pin : NULL))
        return false;
    bool near = !z->allow_count, knows = !z->key_count;
    if (near && knows && !z->pin_count)
        return false;
    for (uint32_t i = 0; i < z->allow_count && !near; i++)
        near = ip_prefix_contains(&z->allow[i], client);
    for (uint32_t i = 0; i < z->key_count && !knows; i++)
        knows = z->keys[i] == key;
    return near && knows;
}
