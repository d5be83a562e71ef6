/* What is read lies within the frame; the reply to it is read again, from its target back to its
 * source. */
#include "base/invariant.h"
#include "base/ip.h"
#include "wire/packet.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packet p, back;
    uint8_t reply[PACKET_HEAD_MAX + 512];
    if (packet_parse(data, size, &p))
        return 0;
    size_t address = p.family == IP_V4 ? 4 : 16;
    invariant(p.payload >= data && p.payload + p.payload_length <= data + size);
    invariant(p.payload == data + p.head_length && p.source_port != 0);
    size_t length = p.payload_length < 512 ? p.payload_length : 512;
    memcpy(reply + p.head_length, p.payload, length);
    size_t whole = packet_reply(&p, reply, length, 1);
    invariant(whole == p.head_length + length);
    int err = packet_parse(reply, whole, &back);
    if (err) { /* nobody would answer from the address that was asked */
        const uint8_t *a = p.destination;
        invariant(!p.destination_port || a[0] == 0 || a[0] == 127 || a[0] >= 224);
        return 0;
    }
    invariant(back.payload_length == length && !memcmp(back.payload, p.payload, length));
    invariant(!memcmp(back.source, p.destination, address));
    invariant(!memcmp(back.destination, p.source, address));
    invariant(back.source_port == p.destination_port && back.destination_port == p.source_port);
    return 0;
}
