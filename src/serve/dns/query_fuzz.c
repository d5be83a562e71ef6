/* Any bytes as a query against fixed zones and a fixed plan: the response is well-formed in the
 * eyes of another reader, no longer than the client takes, and repeats ID and question. The first
 * byte chooses the transport and the client. */
#include "base/invariant.h"
#include "serve/dns/query_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void response_check(const struct rig *r, const uint8_t *wire, size_t length)
{
    const uint8_t *a = r->response;
    invariant(length >= DNS_HEADER_SIZE && !(wire[2] & 0x80));
    invariant(a[0] == wire[0] && a[1] == wire[1] && a[2] & 0x80 && !(a[3] & 0x80));
    invariant((a[2] & 0x79) == (wire[2] & 0x79)); /* opcode and RD as asked */
    invariant(a[4] == 0 && a[5] <= 1);
    if (!a[5]) {
        invariant(r->length == DNS_HEADER_SIZE);
        return;
    }
    size_t end = DNS_HEADER_SIZE + dname_length(a + DNS_HEADER_SIZE) + 4;
    invariant(end <= length &&
              memcmp(a + DNS_HEADER_SIZE, wire + DNS_HEADER_SIZE, end - DNS_HEADER_SIZE) == 0);
    invariant(!(a[2] & 2) || r->length <= end + 11 + 24 + 8 + 28 + 6 ||
              !(a[6] | a[7])); /* TC: no part of an answer */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rig *r;
    static struct limit *limit;
    static const struct query_policy policy = {
        .nsid = "node", .nsid_length = 4, .version = "v", .id = "i"};
    static const char *const from[2] = {"10.20.30.40", "::ffff:10.1.2.3"};
    if (!r) {
        r = rig_new();
        limit = limit_new(2, 2, 64);
    }
    if (!size)
        return 0;
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
    }
    free(wire);
    return 0;
}
