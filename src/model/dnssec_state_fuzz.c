/* Any bytes as the state of a zone's keys: what is taken is written and read back the same, and can
 * take every step that time brings. */
#include "base/invariant.h"
#include "model/dnssec_state.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct key_policy policy = {.split = true,
                                             .algorithm = 13,
                                             .dnskey_ttl = 3600,
                                             .ds_ttl = 86400,
                                             .propagation = 300,
                                             .zsk_lifetime = 90 * 86400};
    struct key_state s, back;
    const char *why = NULL;
    if (key_state_decode((const char *)data, size, &s, &why)) {
        invariant(why != NULL);
        return 0;
    }
    char *text = key_state_encode(&s);
    int err = key_state_decode(text, strlen(text), &back, &why);
    invariant(err == 0 && memcmp(&s, &back, sizeof s) == 0);
    free(text);
    int64_t now = 1767225600;
    for (unsigned i = 0; i < 20 && now != KEY_NEVER; i++) {
        struct key_record removed[KEY_RECORDS_MAX];
        unsigned count;
        int64_t next = key_state_step(&s, &policy, now, removed, &count);
        invariant(next > now && s.count + count <= KEY_RECORDS_MAX);
        now = next;
    }
    struct text out = text_init(1 << 16);
    key_state_describe(&s, &policy, "example.com", NULL, NULL, &out);
    invariant(!out.failed);
    text_done(&out);
    return 0;
}
