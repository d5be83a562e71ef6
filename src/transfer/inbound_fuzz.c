/* Any bytes as a primary's answer: messages with a length of two bytes before each, as on TCP. The
 * first byte says what was asked. What passes as whole has to be what inbound.h promises. */
#include "base/bytes.h"
#include "base/invariant.h"
#include "transfer/inbound.h"
#include "wire/dns.h"
#include "wire/rdata.h"
#include "wire/serial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ID = 0x1234, OURS = 7, RECORDS_MAX = 100, BYTES_MAX = 65536 };
static const uint8_t zone[] = "\7example\3com";

static void records_check(const struct inbound *in)
{
    struct inbound_record r;
    size_t position = 0, count = 0;
    while (inbound_next(in, &position, &r)) {
        size_t length = dname_length(r.owner);
        invariant(dname_check(r.owner, DNAME_MAX) == (int)length);
        invariant(dname_below(r.owner, length, zone, sizeof zone));
        invariant(rdata_check(r.type, r.rdata, r.rdata_length) && !dns_type_is_meta(r.type));
        invariant(r.type != DNS_SOA || length == sizeof zone);
        invariant(count || (r.type == DNS_SOA && r.removed == (inbound_kind(in) == INBOUND_STEPS)));
        count++;
    }
    invariant(count == inbound_count(in) && count <= RECORDS_MAX);
    invariant((inbound_kind(in) == INBOUND_CURRENT) == (count == 0));
}

static void run(const uint8_t *data, size_t size, const struct tsig_key *key, bool incremental)
{
    struct inbound_request r = {.zone = zone,
                                .incremental = incremental,
                                .serial = OURS,
                                .id = ID,
                                .key = key,
                                .records_max = RECORDS_MAX,
                                .bytes_max = BYTES_MAX};
    uint8_t wire[INBOUND_REQUEST_MAX];
    struct inbound *in = inbound_new(&r);
    struct reader stream = reader_init(data, size);
    int result = inbound_ask(in, 1700000000, wire) > 0 ? 0 : -1;
    while (!result) {
        size_t length = reader_u16(&stream);
        const uint8_t *message = reader_take(&stream, length);
        if (!message)
            break;
        result = inbound_message(in, message, length, 1700000000);
    }
    invariant((result < 0) == (inbound_reason(in) != NULL));
    invariant(result <= 0 || !key); /* nobody here can sign */
    if (result > 0)
        records_check(in);
    if (result > 0 && inbound_kind(in) != INBOUND_CURRENT && incremental)
        invariant(serial_newer(inbound_serial(in), OURS));
    inbound_free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tsig_key key = {
        .name = "\1k", .algorithm = TSIG_SHA256, .secret = "ABC", .secret_length = 3};
    if (!size)
        return 0;
    run(data + 1, size - 1, data[0] & 2 ? &key : NULL, data[0] & 1);
    return 0;
}
