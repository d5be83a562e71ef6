#include "observe/resolvers.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The address of one line, without its end. */
static bool line_parse(const char *line, size_t length, struct ip *ret)
{
    static const char word[] = "nameserver";
    char address[IP_TEXT_MAX];
    size_t at = sizeof word - 1, count = 0;
    if (length <= at || memcmp(line, word, at) != 0 || !is_blank(line[at]))
        return false;
    while (at < length && is_blank(line[at]))
        at++;
    while (at + count < length && !is_blank(line[at + count]) && line[at + count] != '\r')
        count++;
    if (count >= sizeof address)
        return false;
    memcpy(address, line + at, count);
    address[count] = '\0';
    return strlen(address) == count && ip_parse(address, ret) == 0;
}

uint32_t resolvers_parse(const char *text, size_t length, struct resolver ret[static RESOLVERS_MAX])
{
    uint32_t count = 0;
    for (const char *end = text + length; text < end && count < RESOLVERS_MAX;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop ? stop : end;
        struct ip ip;
        if (line_parse(text, (size_t)(stop - text), &ip))
            ret[count++] = (struct resolver){ip, RESOLVERS_PORT};
        text = stop < end ? stop + 1 : end;
    }
    if (count)
        return count;
    int err = ip_parse("127.0.0.1", &ret[0].ip);
    ret[0].port = RESOLVERS_PORT;
    return err ? 0 : 1;
}
