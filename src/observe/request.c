#include "observe/request.h"

#include "base/err.h"
#include "base/invariant.h"
#include <string.h>

int request_url(const char *url, const struct ip *address, struct text *ret_url)
{
    static const char mark[] = "{address}";
    char literal[IP_TEXT_MAX];
    ip_format(address, literal);
    const char *at;
    for (; (at = strstr(url, mark)); url = at + sizeof mark - 1) {
        text_append_bytes(ret_url, url, (size_t)(at - url));
        text_appendf(ret_url, address->family == IP_V6 ? "[%s]" : "%s", literal);
    }
    text_append(ret_url, url);
    return ret_url->failed ? ERR_LIMIT : 0;
}

size_t request_host(const char *authority, const char **ret_start)
{
    if (authority[0] == '[') {
        *ret_start = authority + 1;
        return strcspn(authority + 1, "]");
    }
    *ret_start = authority;
    return strcspn(authority, ":");
}

bool request_status_accepted(const struct config_check *check, unsigned status)
{
    if (!check->status_count)
        return status >= 200 && status <= 399;
    for (uint32_t i = 0; i < check->status_count; i++)
        if (status >= check->status[i].low && status <= check->status[i].high)
            return true;
    return false;
}

bool body_take(struct body *b, const char *data, size_t length)
{
    invariant(b->length <= REQUEST_BODY_MAX);
    size_t room = REQUEST_BODY_MAX - b->length, take = length < room ? length : room;
    if (b->wanted_length && !b->found) {
        memcpy(b->data + b->length, data, take);
        /* what was searched before cannot match but where its tail continues */
        size_t from = b->length >= b->wanted_length ? b->length - b->wanted_length + 1 : 0;
        b->found = memmem(b->data + from, b->length + take - from, b->wanted, b->wanted_length);
    }
    b->length += take;
    return !(b->found || b->length == REQUEST_BODY_MAX);
}
