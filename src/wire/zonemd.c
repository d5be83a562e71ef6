#include "wire/zonemd.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "wire/dns.h"
#include <openssl/evp.h>
#include <stdlib.h>

enum { BUFFER_SIZE = 8192 };

/* Records are small, so they are gathered before they are hashed. */
struct zonemd_hash {
    EVP_MD_CTX *context;
    size_t used;
    uint8_t buffer[BUFFER_SIZE];
};

bool zonemd_read(const uint8_t *rdata, size_t length, struct zonemd *ret)
{
    struct reader r = reader_init(rdata, length);
    ret->serial = reader_u32(&r);
    ret->scheme = reader_u8(&r);
    ret->algorithm = reader_u8(&r);
    ret->digest = (struct bytes){rdata + r.position, reader_left(&r)};
    return !r.failed;
}

size_t zonemd_digest_size(uint8_t algorithm)
{
    return algorithm == ZONEMD_SHA384 ? 48 : algorithm == ZONEMD_SHA512 ? 64 : 0;
}

struct zonemd_hash *zonemd_hash_new(uint8_t algorithm)
{
    invariant(zonemd_digest_size(algorithm));
    struct zonemd_hash *h = mem_new(1, sizeof *h);
    h->context = EVP_MD_CTX_new();
    const EVP_MD *kind = algorithm == ZONEMD_SHA384 ? EVP_sha384() : EVP_sha512();
    int done = h->context ? EVP_DigestInit_ex(h->context, kind, NULL) : 0;
    invariant(done == 1); /* fails for lack of memory only */
    return h;
}

static void flush(struct zonemd_hash *h)
{
    int done = EVP_DigestUpdate(h->context, h->buffer, h->used);
    invariant(done == 1);
    h->used = 0;
}

static void add(struct zonemd_hash *h, const void *data, size_t length)
{
    if (length > BUFFER_SIZE - h->used)
        flush(h);
    if (length > BUFFER_SIZE) {
        int done = EVP_DigestUpdate(h->context, data, length);
        invariant(done == 1);
        return;
    }
    if (length)
        memcpy(h->buffer + h->used, data, length);
    h->used += length;
}

void zonemd_hash_record(struct zonemd_hash *h, struct bytes owner, uint16_t type, uint32_t ttl,
                        struct bytes rdata)
{
    uint8_t fixed[10];
    struct writer w = writer_init(fixed, sizeof fixed);
    writer_u16(&w, type);
    writer_u16(&w, DNS_IN);
    writer_u32(&w, ttl);
    writer_u16(&w, (uint16_t)rdata.length);
    add(h, owner.data, owner.length);
    add(h, fixed, sizeof fixed);
    add(h, rdata.data, rdata.length);
}

void zonemd_hash_end(struct zonemd_hash *h, uint8_t ret_digest[static ZONEMD_DIGEST_MAX])
{
    flush(h);
    int done = EVP_DigestFinal_ex(h->context, ret_digest, NULL);
    invariant(done == 1);
    EVP_MD_CTX_free(h->context);
    free(h);
}
