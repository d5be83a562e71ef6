/* Any bytes as a query against fixed zones and a fixed plan: the response is well-formed in the
 * eyes of another reader, no longer than the client takes, and repeats ID and question; what is
 * denied to DO in a signed zone is proven. The first byte chooses the transport, the client, and
 * whether the zone is signed, with NSEC or NSEC3. */
#include "base/invariant.h"
#include "serve/dns/query_ask.h"
#include "serve/dns/query_rig_signed.h"

/* What the rig's zone has little of. */
static const char more[] = "$ORIGIN example.com.\n"
                           "svc HTTPS 1 api alpn=h2\n"
                           "svc HTTPS 2 . port=1\n"
                           "svc A 192.0.2.33\n"
                           "api HTTPS 1 . alpn=h2\n"
                           "*.any SVCB 1 .\n"
                           "near SVCB 0 Multi\n"
                           "multi SVCB 1 near\n"
                           "servers MX 1 api\n"
                           "servers MX 2 multi\n"
                           "servers MX 3 mail\n"
                           "tosvc CNAME svc\n"
                           "x.*.empty A 192.0.2.34\n"
                           "*.dn2 CNAME x.moved\n"
                           "turn DNAME a.turn\n"
                           "a.long CNAME a.a.a.a.a.a.a.a.a.a.a.a.turn\n"
                           "big TXT \"0123456789012345678901234567890123456789\"\n"
                           "far.deep.sub4 A 192.0.2.35\n"
                           "sub4 NS ns1\n"
                           "tosub4 CNAME sub4\n"
                           "other A 192.0.2.36\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void response_check(const struct rig *r, const uint8_t *wire, size_t length)
{
    const uint8_t *a = r->response;
    invariant(length >= DNS_HEADER_SIZE && !(wire[2] & 0x80));
    invariant(a[0] == wire[0] && a[1] == wire[1] && a[2] & 0x80 && !(a[3] & 0x80));
    invariant((a[2] & 0x79) == (wire[2] & 0x79)); /* opcode and RD as asked */
    invariant(a[4] == 0 && a[5] <= 1);
    if (!a[5]) { /* a cookie alone comes with nothing but OPT */
        bool bare = !wire[4] && !wire[5] && r->ctx.cookies.count && a[11] == 1;
        invariant(r->length == DNS_HEADER_SIZE || (bare && !a[7] && !a[9]));
        return;
    }
    size_t end = DNS_HEADER_SIZE + dname_length(a + DNS_HEADER_SIZE) + 4;
    invariant(end <= length &&
              memcmp(a + DNS_HEADER_SIZE, wire + DNS_HEADER_SIZE, end - DNS_HEADER_SIZE) == 0);
    invariant(!(a[2] & 2) || r->length <= end + 11 + 24 + 8 + 28 + 6 ||
              !(a[6] | a[7])); /* TC: no part of an answer */
}

/* RFC 4035 3.1.3: with DO whoever denies something in a signed zone shows signatures. */
static void denial_check(const struct rig *r, const char *text)
{
    bool is_signed = r->served->zones[0].zone.header->flags & ZONE_SIGNED;
    const char *soa = strstr(text, "\nns "), *opt = strstr(text, "\nopt ");
    if (!is_signed || !soa || !opt || !strstr(opt, " do") || strcasestr(text, " tc\n"))
        return;
    char owner[64], type[16];
    if (sscanf(soa, "\nns %63s %*u %15s", owner, type) == 2 && !strcmp(type, "SOA") &&
        !strcasecmp(owner, "example.com"))
        invariant(strstr(soa, " TYPE46 ") && (strstr(soa, " TYPE47 ") || strstr(soa, " TYPE50 ")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rig *rigs[3], *r;
    static struct rig_signer signers[3];
    static struct limit *limit;
    static const struct query_policy policy = {
        .nsid = "node", .nsid_length = 4, .version = "v", .id = "i"};
    static const char *const from[2] = {"10.20.30.40", "::ffff:10.1.2.3"};
    if (!limit) {
        rigs[0] = rig_new();
        for (unsigned i = 1; i < 3; i++) {
            rig_signer_init(&signers[i], i == 2);
            rigs[i] = rig_new_signed(&signers[i], more);
        }
        limit = limit_new((struct limit_rates){2, 3}, 2, 64);
    }
    if (!size)
        return 0;
    r = rigs[(data[0] >> 6) % 3];
    bool tcp = data[0] & 1;
    r->ctx.random = random_init(data[0]);
    r->ctx.udp_size = data[0] & 4 ? DNS_UDP_MIN : QUERY_UDP_SIZE;
    r->ctx.client_subnet = !(data[0] & 8);
    r->ctx.policy = data[0] & 16 ? &policy : NULL;
    r->ctx.cookies.count = data[0] & 16 ? 2 : 0;
    r->ctx.limit = data[0] & 32 ? limit : NULL;
    r->ctx.now += USEC_PER_SEC / 4;
    size_t length = size - 1;
    uint8_t *wire = mem_new(1, length + !length); /* its own block: reads past it are seen */
    memcpy(wire, data + 1, length);
    const char *text = rig_ask_raw(r, wire, length, from[data[0] >> 1 & 1], tcp);
    if (r->length) {
        invariant(!strstr(text, "\nmalformed: "));
        invariant(tcp || r->length <= r->ctx.udp_size);
        response_check(r, wire, length);
        denial_check(r, text);
    }
    free(wire);
    return 0;
}
