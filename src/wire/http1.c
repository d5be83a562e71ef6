#include "wire/http1.h"
#include "base/date.h"
#include "base/invariant.h"
#include <stdio.h>
#include <string.h>

/* ---- characters (RFC 9110 5.6.2, 5.5) ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_token(uint8_t c)
{
    if (is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_value(uint8_t c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint8_t http1_decode_next(struct bytes b, size_t *at)
{
    size_t i = (*at)++;
    if (b.data[i] != '%' || i + 2 >= b.length || hex_value(b.data[i + 1]) < 0 ||
        hex_value(b.data[i + 2]) < 0)
        return b.data[i];
    *at += 2;
    return (uint8_t)(hex_value(b.data[i + 1]) << 4 | hex_value(b.data[i + 2]));
}

void http1_decode(struct bytes b, char *to, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < b.length && n + 1 < size;)
        to[n++] = (char)http1_decode_next(b, &i);
    to[n] = 0;
}

static bool same_word(struct bytes b, const char *word)
{
    size_t i = 0;
    for (; i < b.length && word[i]; i++)
        if (lower(b.data[i]) != lower((uint8_t)word[i]))
            return false;
    return i == b.length && !word[i];
}

static struct bytes trimmed(struct bytes b)
{
    while (b.length && (b.data[0] == ' ' || b.data[0] == '\t')) {
        b.data++;
        b.length--;
    }
    while (b.length && (b.data[b.length - 1] == ' ' || b.data[b.length - 1] == '\t'))
        b.length--;
    return b;
}

/* The next element of a comma-separated list (RFC 9110 5.6.1), empty ones left out; false at the
 * end. */
static bool list_next(struct bytes *rest, struct bytes *ret)
{
    while (rest->length) {
        const uint8_t *comma = memchr(rest->data, ',', rest->length);
        size_t n = comma ? (size_t)(comma - rest->data) : rest->length;
        struct bytes element = trimmed((struct bytes){rest->data, n});
        n += comma != NULL;
        rest->data += n;
        rest->length -= n;
        if (element.length) {
            *ret = element;
            return true;
        }
    }
    return false;
}

/* Is the word an element of the list (any case)? Parameters (";q=") are not looked at. */
static bool list_has(struct bytes rest, const char *word)
{
    struct bytes element;
    while (list_next(&rest, &element)) {
        const uint8_t *parameters = memchr(element.data, ';', element.length);
        if (parameters)
            element.length = (size_t)(parameters - element.data);
        if (same_word(trimmed(element), word))
            return true;
    }
    return false;
}

/* ---- the request line (RFC 9112 3) ---- */

static const char *const methods[HTTP1_OTHER] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                 "CONNECT", "OPTIONS", "TRACE", "PATCH"};

const char *http1_method_name(enum http1_method method)
{
    return (unsigned)method < HTTP1_OTHER ? methods[method] : "";
}

static enum http1_method method_of(struct bytes word)
{
    for (int i = 0; i < HTTP1_OTHER; i++)
        if (word.length == strlen(methods[i]) && memcmp(word.data, methods[i], word.length) == 0)
            return (enum http1_method)i;
    return HTTP1_OTHER;
}

static int version_parse(struct bytes v, struct http1_request *r)
{
    if (v.length != 8 || memcmp(v.data, "HTTP/", 5) != 0 || !is_digit(v.data[5]) ||
        v.data[6] != '.' || !is_digit(v.data[7]))
        return 400;
    if (v.data[5] != '1')
        return 505;
    r->minor = v.data[7] > '0';
    return 0;
}

/* Takes "http://authority" off an absolute-form, which a server must understand (RFC 9112 3.2.2).
 */
static int authority_skip(struct bytes *t)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < array_length(schemes); i++) {
        size_t n = strlen(schemes[i]);
        if (t->length <= n || !same_word((struct bytes){t->data, n}, schemes[i]))
            continue;
        size_t end = n;
        while (end < t->length && t->data[end] != '/' && t->data[end] != '?')
            end++;
        t->data += end;
        t->length -= end;
        return end > n ? 0 : 400;
    }
    return 400;
}

/* origin-form, absolute-form, "*" for OPTIONS, an authority for CONNECT (RFC 9112 3.2). */
static int target_parse(struct http1_request *r)
{
    struct bytes t = r->target;
    for (size_t i = 0; i < t.length; i++)
        if (t.data[i] <= 0x20 || t.data[i] >= 0x7f || t.data[i] == '#')
            return 400;
    if (!t.length)
        return 400;
    if (r->method == HTTP1_CONNECT)
        return 0;
    if (same_word(t, "*")) {
        r->path = t;
        return r->method == HTTP1_OPTIONS ? 0 : 400;
    }
    if (t.data[0] != '/' && authority_skip(&t))
        return 400;
    const uint8_t *mark = memchr(t.data, '?', t.length);
    r->path = t;
    if (mark) {
        r->path.length = (size_t)(mark - t.data);
        r->query = (struct bytes){mark + 1, t.length - r->path.length - 1};
    }
    if (!r->path.length)
        r->path = (struct bytes){(const uint8_t *)"/", 1};
    return 0;
}

static int request_line_parse(struct bytes line, struct http1_request *r)
{
    size_t n = 0;
    while (n < line.length && is_token(line.data[n]))
        n++;
    if (n == 0 || n == line.length || line.data[n] != ' ')
        return 400;
    r->method = method_of((struct bytes){line.data, n});
    struct bytes rest = {line.data + n + 1, line.length - n - 1};
    const uint8_t *blank = memchr(rest.data, ' ', rest.length);
    if (!blank)
        return 400;
    r->target = (struct bytes){rest.data, (size_t)(blank - rest.data)};
    int status = version_parse((struct bytes){blank + 1, rest.length - r->target.length - 1}, r);
    if (status)
        return status;
    if (r->target.length > HTTP1_TARGET_MAX)
        return 414;
    return target_parse(r);
}

/* ---- header lines (RFC 9112 5) ---- */

static int header_line_parse(struct bytes line, struct http1_request *r)
{
    size_t n = 0;
    while (n < line.length && is_token(line.data[n]))
        n++;
    if (n == 0 || n == line.length || line.data[n] != ':')
        return 400; /* folded lines and blanks before the colon end here too */
    if (r->header_count == HTTP1_HEADERS_MAX)
        return 431;
    struct http1_header *h = &r->headers[r->header_count++];
    h->name = (struct bytes){line.data, n};
    h->value = trimmed((struct bytes){line.data + n + 1, line.length - n - 1});
    for (size_t i = 0; i < h->value.length; i++)
        if (!is_value(h->value.data[i]))
            return 400;
    return 0;
}

static int length_parse(struct bytes v, uint64_t *ret)
{
    uint64_t n = 0;
    if (v.length == 0 || v.length > 18)
        return 400;
    for (size_t i = 0; i < v.length; i++) {
        if (!is_digit(v.data[i]))
            return 400;
        n = n * 10 + (v.data[i] - '0');
    }
    *ret = n;
    return 0;
}

static int host_check(struct bytes host)
{
    for (size_t i = 0; i < host.length; i++) {
        uint8_t c = host.data[i];
        if (c <= 0x20 || c >= 0x7f || strchr("\"#,/<>?@\\^`{|}", c))
            return 400;
    }
    return 0;
}

/* How often each header that may stand once only was seen, and what Connection said. */
struct framing {
    unsigned host, length, encoding;
    bool close, keep_alive;
};

static int header_apply(const struct http1_header *h, struct framing *seen, struct http1_request *r)
{
    if (same_word(h->name, "host")) {
        r->host = h->value;
        return seen->host++ ? 400 : host_check(h->value);
    }
    if (same_word(h->name, "content-length"))
        return seen->length++ ? 400 : length_parse(h->value, &r->content_length);
    if (same_word(h->name, "transfer-encoding")) {
        r->chunked = true;
        return seen->encoding++ ? 400 : same_word(h->value, "chunked") ? 0 : 501;
    }
    if (same_word(h->name, "connection")) {
        seen->close |= list_has(h->value, "close");
        seen->keep_alive |= list_has(h->value, "keep-alive");
    }
    if (same_word(h->name, "expect") && r->minor > 0) {
        r->expect_continue = true;
        return same_word(h->value, "100-continue") ? 0 : 417;
    }
    return 0;
}

/* RFC 9112 6: whoever could read the length of the body in two ways is refused. */
static int headers_apply(struct http1_request *r)
{
    struct framing seen = {0};
    for (unsigned i = 0; i < r->header_count; i++) {
        int status = header_apply(&r->headers[i], &seen, r);
        if (status)
            return status;
    }
    if (seen.encoding && (seen.length || r->minor == 0))
        return 400;
    if (!seen.host && r->minor > 0)
        return 400;
    r->keep_alive = !seen.close && (r->minor > 0 || seen.keep_alive);
    return 0;
}

static int head_parse(struct bytes head, struct http1_request *ret)
{
    struct http1_request r = {0};
    bool first = true;
    while (head.length > 2) {
        const uint8_t *end = memchr(head.data, '\r', head.length);
        invariant(end && end + 1 < head.data + head.length && end[1] == '\n');
        struct bytes line = {head.data, (size_t)(end - head.data)};
        int status = first ? request_line_parse(line, &r) : header_line_parse(line, &r);
        if (status)
            return status;
        first = false;
        head.data += line.length + 2;
        head.length -= line.length + 2;
    }
    int status = headers_apply(&r);
    if (!status)
        *ret = r;
    return status;
}

/* ---- the scanner: finds the end of the head, byte by byte ---- */

/*   BEGIN --CR--> BEGIN_CR --LF--> FIRST     one empty line before a request is skipped
 *   BEGIN, FIRST, START --byte--> LINE --CR--> LINE_CR --LF--> START --CR--> END_CR --LF--> done
 * A CR that is not followed by LF, or a LF without CR, is refused at once; so is a request line
 * that cannot begin with a method (a TLS hello, most often). */
enum scan {
    SCAN_BEGIN,
    SCAN_BEGIN_CR,
    SCAN_FIRST,
    SCAN_LINE,
    SCAN_LINE_CR,
    SCAN_START,
    SCAN_END_CR,
    SCAN_DONE,
    SCAN_REFUSED
};

static enum scan scan_step(unsigned state, uint8_t c)
{
    if (state == SCAN_BEGIN_CR || state == SCAN_LINE_CR || state == SCAN_END_CR) {
        if (c != '\n')
            return SCAN_REFUSED;
        return state == SCAN_BEGIN_CR ? SCAN_FIRST : state == SCAN_LINE_CR ? SCAN_START : SCAN_DONE;
    }
    if (c == '\n')
        return SCAN_REFUSED;
    if (c != '\r')
        return (state == SCAN_BEGIN || state == SCAN_FIRST) && !is_token(c) ? SCAN_REFUSED
                                                                            : SCAN_LINE;
    switch (state) {
    case SCAN_BEGIN:
        return SCAN_BEGIN_CR;
    case SCAN_FIRST:
        return SCAN_REFUSED;
    case SCAN_START:
        return SCAN_END_CR;
    default:
        return SCAN_LINE_CR;
    }
}

int http1_parse(struct http1_parser *p, const void *data, size_t length, struct http1_request *ret,
                size_t *ret_used)
{
    const uint8_t *bytes = data;
    invariant(p->scanned <= length);
    for (; p->scanned < length && p->scanned < HTTP1_HEAD_MAX; p->scanned++) {
        enum scan state = scan_step(p->state, bytes[p->scanned]);
        if (state == SCAN_REFUSED)
            return 400;
        if (state == SCAN_DONE) {
            size_t used = ++p->scanned, skip = bytes[0] == '\r' ? 2 : 0;
            int status = head_parse((struct bytes){bytes + skip, used - skip}, ret);
            if (!status)
                *ret_used = used;
            return status;
        }
        p->lines += state == SCAN_START;
        p->state = state;
    }
    if (p->scanned < HTTP1_HEAD_MAX)
        return HTTP1_MORE;
    return p->lines ? 431 : 414;
}

/* ---- responses ---- */

static const char *reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < array_length(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

char *http1_date_format(int64_t seconds, char buffer[static HTTP1_DATE_MAX])
{
    static const char days[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct date d = date_of(seconds);
    int64_t day = (seconds - (d.hour * 3600 + d.minute * 60 + d.second)) / DAY_SECONDS;
    snprintf(buffer, HTTP1_DATE_MAX, "%s, %02u %s %04d %02u:%02u:%02u GMT",
             days[((day % 7) + 7) % 7], d.day, months[d.month - 1], d.year, d.hour, d.minute,
             d.second);
    return buffer;
}

void http1_response_write(struct text *out, const struct http1_response *r)
{
    invariant(r->status >= 100 && r->status <= 599);
    char date[HTTP1_DATE_MAX];
    text_appendf(out, "HTTP/1.1 %u %s\r\nDate: %s\r\n", r->status, reason_of(r->status),
                 http1_date_format(r->date, date));
    if (r->content_type) {
        invariant(!strpbrk(r->content_type, "\r\n"));
        text_appendf(out, "Content-Type: %s\r\n", r->content_type);
    }
    if (r->status >= 200 && r->status != 204)
        text_appendf(out, "Content-Length: %llu\r\n", (unsigned long long)r->content_length);
    if (!r->keep_alive)
        text_append(out, "Connection: close\r\n");
    else if (r->minor == 0)
        text_append(out, "Connection: keep-alive\r\n");
    text_append(out, r->extra ? r->extra : "");
    text_append(out, "\r\n");
}
