#include "base/invariant.h"
#include "wire/dnsmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every entry lies inside of the message, every name is a valid one, and reading comes to an end.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t rdata[DNSMSG_RDATA_MAX];
    struct dnsmsg m;
    struct dnsmsg_entry e;
    int more;
    if (size > DNS_MESSAGE_MAX || dnsmsg_open(data, size, &m))
        return 0;
    size_t before = m.reader.position;
    while ((more = dnsmsg_next(&m, &e)) == 1) {
        invariant(m.reader.position > before && m.reader.position <= size);
        before = m.reader.position;
        invariant(dname_length(e.name) <= DNAME_MAX && dname_labels(e.name) <= DNAME_LABELS_MAX);
        dnsmsg_name_lower(e.name);
        if (e.section == DNSMSG_QUESTION)
            continue;
        invariant(e.rdata_offset + e.rdata.length <= size);
        int length = dnsmsg_rdata(&m, &e, rdata);
        invariant(length < 0 || length <= DNSMSG_RDATA_MAX);
        struct dnsmsg_edns edns;
        if (e.type == DNS_OPT && dnsmsg_edns_parse(&e, &edns) == 0 && edns.has_subnet)
            invariant(edns.subnet.length <= ip_bits(&edns.subnet.ip));
    }
    invariant(more == dnsmsg_next(&m, &e)); /* an end, or an error, stays what it is */
    return 0;
}
