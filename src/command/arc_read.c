/* What the members of a request say. */
#include "base/memory.h"
#include "base/text.h"
#include "command/arc_parts.h"
#include <stdlib.h>
#include <string.h>

const char *arc_text(struct arc_call *c, const json_t *from, const char *key, size_t max,
                     bool required)
{
    const json_t *value = json_object_get(from, key);
    const char *text = json_string_value(value);
    if ((!value || json_is_null(value)) && !required)
        return NULL;
    if (!text) {
        arc_invalid(c, key, value ? "%s wants a text." : "%s is missing.", key);
        return NULL;
    }
    size_t length = strlen(text);
    if (length >= 1 && length <= max && !strpbrk(text, " \t\r\n"))
        return text;
    arc_invalid(c, key, "%s wants 1 to %zu characters, without blanks.", key, max);
    return NULL;
}

const char *arc_name(struct arc_call *c, const json_t *from, const char *key)
{
    const char *name = arc_text(c, from, key, INTENT_PART_MAX, true);
    if (!name || !strchr(name, '/'))
        return name;
    arc_invalid(c, key, "%s must not contain a slash.", key);
    return NULL;
}

/* ---- the query ---- */

char *arc_parameter(const struct arc_call *c, const char *name, size_t *at)
{
    struct bytes query = c->in->request->query;
    while (*at < query.length) {
        const uint8_t *begin = query.data + *at;
        const uint8_t *end = memchr(begin, '&', query.length - *at);
        size_t length = end ? (size_t)(end - begin) : query.length - *at;
        const uint8_t *equals = memchr(begin, '=', length);
        *at += length + 1;
        if (!equals || (size_t)(equals - begin) != strlen(name) ||
            memcmp(begin, name, strlen(name)))
            continue;
        size_t value = length - (size_t)(equals + 1 - begin);
        char *text = mem_new(value + 1, 1);
        http1_decode((struct bytes){equals + 1, value}, text, value + 1);
        return text;
    }
    return NULL;
}

/* ---- pages ---- */

/* Tokens are the last name of the page before, in hexadecimal digits: nobody is to read them. */
static bool token_decode(const char *token, char after[static INTENT_NAME_MAX])
{
    size_t length = strlen(token), n = 0;
    if (!length || length % 2 || length / 2 >= INTENT_NAME_MAX ||
        strspn(token, "0123456789abcdef") != length)
        return false;
    for (; n < length / 2; n++) {
        const char pair[] = {token[2 * n], token[2 * n + 1], 0};
        after[n] = (char)strtol(pair, NULL, 16);
        if (!after[n])
            return false;
    }
    after[n] = 0;
    return true;
}

static char *member_or_parameter(const struct arc_call *c, const char *name)
{
    const json_t *value = json_object_get(c->members, name);
    size_t at = 0;
    if (c->service == ARC_CONFIG)
        return arc_parameter(c, name, &at);
    if (json_is_integer(value)) {
        struct text text = text_init(32);
        text_appendf(&text, "%lld", (long long)json_integer_value(value));
        return text.data;
    }
    return value && !json_is_null(value)
               ? mem_string(json_is_string(value) ? json_string_value(value) : "")
               : NULL;
}

bool arc_page_read(struct arc_call *c, struct arc_page *ret)
{
    char *max = member_or_parameter(c, "MaxResults"), *token = member_or_parameter(c, "NextToken");
    int64_t number = ARC_PAGE_MAX;
    *ret = (struct arc_page){0};
    if (max && (integer_parse(max, 1, INT32_MAX, &number) ||
                (c->service == ARC_CONFIG && number > ARC_PAGE_MAX)))
        arc_invalid(c, "MaxResults", "MaxResults wants a number from 1 to %d.", ARC_PAGE_MAX);
    else if (token && !token_decode(token, ret->after))
        arc_invalid(c, "NextToken", "NextToken is none that was given.");
    ret->max = number > ARC_PAGE_MAX ? ARC_PAGE_MAX : (unsigned)number;
    free(max);
    free(token);
    return !c->answered;
}

bool arc_page_takes(struct arc_page *page, const struct intent_object *o, json_t *list,
                    json_t *body)
{
    struct text token = text_init(2 * INTENT_NAME_MAX);
    if (strcmp(o->name, page->after) <= 0)
        return false;
    if (json_array_size(list) < page->max) {
        page->last = o->name;
        return true;
    }
    for (const char *at = page->last; *at; at++)
        text_appendf(&token, "%02x", (unsigned char)*at);
    if (!json_object_get(body, "NextToken"))
        json_object_set_new(body, "NextToken", json_string(text_string(&token)));
    text_done(&token);
    return false;
}
