#include "serve/dns/proxied.h"
#include "wire/proxy2.h"

bool proxied_trusts(const struct query_policy *p, const struct ip *peer)
{
    for (uint32_t i = 0; p && i < p->proxy_count; i++)
        if (ip_prefix_contains(&p->proxies[i], peer))
            return true;
    return false;
}

size_t proxied_header(const struct query_policy *p, const struct ip *peer, const uint8_t *data,
                      size_t length, struct ip *ret_client)
{
    struct proxy2 header;
    if (!proxied_trusts(p, peer) || proxy2_parse(data, length, &header))
        return 0;
    *ret_client = header.speaks_for ? header.client : *peer;
    return header.length;
}
