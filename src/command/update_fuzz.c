/* Any message: it is refused, or what it asks for leads from the content to content that is whole.
 */
#include "base/invariant.h"
#include "command/update.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t origin[] = "\7example\3com";

static void add(struct held_list *l, const char *owner, uint16_t type, const char *rdata,
                size_t length)
{
    int err = held_list_add(l, (const uint8_t *)owner, type, 300, (const uint8_t *)rdata,
                            (uint16_t)length);
    invariant(err == 0);
}

static struct held_content *content_make(void)
{
    static const char soa[] = "\2ns\0\4host\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5";
    struct held_list l = {0};
    struct held_content *c;
    add(&l, "\7example\3com", DNS_SOA, soa, sizeof soa - 1);
    add(&l, "\7example\3com", DNS_NS, "\2ns\0", 4);
    add(&l, "\3www\7example\3com", DNS_A, "\300\0\2\1", 4);
    add(&l, "\3www\7example\3com", DNS_TXT, "\2hi", 3);
    add(&l, "\5alias\7example\3com", DNS_CNAME, "\3www\7example\3com", 17);
    int err = held_content_new(origin, held_list_cursor(&l), &c);
    invariant(err == 0);
    held_list_done(&l);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_update_name names[] = {{.kind = UPDATE_NAME_SELF},
                                         {.pattern = (const uint8_t *)"\1*\1a\1*"},
                                         {.pattern = (const uint8_t *)"\1*"}};
    uint16_t types[] = {DNS_A, DNS_NS, DNS_SOA, DNS_CNAME, DNS_TXT, DNS_MX, DNS_DNAME};
    struct config_update_rule rules[] = {
        {.types = types, .type_count = array_length(types), .shrink = true},
        {.names = names, .name_count = array_length(names)}};
    struct config_zone zone = {.name = "example.com"};
    zone.update.rules = rules;
    zone.update.rule_count = array_length(rules);
    struct held_content *c = content_make();
    uint8_t name[DNAME_MAX];
    uint16_t class;
    struct update_request r = {.wire = data,
                               .length = size,
                               .zone = &zone,
                               .content = c,
                               .key_name = (const uint8_t *)"\4host\7example\3com"};
    struct update_result result;
    if (update_zone_name(data, size, name, &class) == 0 && class == DNS_IN) {
        update_run(&r, &result);
        invariant(!result.changed || result.rcode == DNS_NOERROR);
        if (result.changed) {
            int err = held_change_apply(c, &result.change);
            invariant(err == 0);
            const struct held_name *apex = held_name_find(c, origin, sizeof origin);
            invariant(held_soa(c) && held_set_first(apex, DNS_NS)); /* L3 */
        }
        held_change_done(&result.change);
    }
    held_content_free(c);
    return 0;
}
