#include "wire/sigv4_canonical.h"

#include "base/invariant.h"
#include <stdlib.h>
#include <string.h>

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

struct bytes sigv4_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool sigv4_is(struct bytes name, const char *word)
{
    size_t i = 0;
    for (; i < name.length && word[i]; i++)
        if (lower(name.data[i]) != lower((uint8_t)word[i]))
            return false;
    return i == name.length && !word[i];
}

bool sigv4_next(struct bytes *list, char separator, struct bytes *ret)
{
    if (!list->data || !list->length)
        return false;
    const uint8_t *end = memchr(list->data, separator, list->length);
    ret->data = list->data;
    ret->length = end ? (size_t)(end - list->data) : list->length;
    size_t used = ret->length + (end != NULL);
    list->data += used;
    list->length -= used;
    return true;
}

/* ---- percent-encoding (RFC 3986 2.3: what is left as it is) ---- */

static bool is_unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static void encoded_append(struct text *out, const uint8_t *data, size_t length, bool keep_slash)
{
    for (size_t i = 0; i < length; i++)
        if (is_unreserved(data[i]) || (keep_slash && data[i] == '/'))
            text_append_bytes(out, &data[i], 1);
        else
            text_appendf(out, "%%%02X", data[i]);
}

/* However a client has escaped it, it is escaped in one way only: decoded and encoded again. */
static void recoded_append(struct text *out, struct bytes b)
{
    for (size_t i = 0; i < b.length;) {
        uint8_t c = http1_decode_next(b, &i);
        encoded_append(out, &c, 1, false);
    }
}

/* ---- the path ---- */

/* Without empty and dot segments (RFC 3986 5.2.4), then encoded: what was sent is encoded already,
 * so escapes are escaped twice, as for every service but S3. */
static void path_append(struct bytes path, struct text *out)
{
    struct bytes kept[HTTP1_TARGET_MAX / 2 + 1], segment, rest = path;
    unsigned count = 0;
    bool folder = false;
    while (sigv4_next(&rest, '/', &segment)) {
        bool up = segment.length == 2 && !memcmp(segment.data, "..", 2);
        bool same = segment.length == 0 || (segment.length == 1 && segment.data[0] == '.');
        folder = up || same;
        if (up && count)
            count--;
        else if (!up && !same && count < array_length(kept))
            kept[count++] = segment;
    }
    folder |= path.length && path.data[path.length - 1] == '/';
    for (unsigned i = 0; i < count; i++) {
        text_append(out, "/");
        encoded_append(out, kept[i].data, kept[i].length, false);
    }
    if (!count || folder)
        text_append(out, "/");
}

/* ---- the query ---- */

struct parameter {
    size_t name, name_length, value, value_length; /* in the text of all of them */
};

struct parameters {
    struct text text;
    struct parameter list[SIGV4_PARAMETERS_MAX];
    unsigned count;
};

static bool parameters_read(struct bytes query, bool presigned, struct parameters *p)
{
    struct bytes one;
    while (sigv4_next(&query, '&', &one)) {
        struct bytes value = one, name;
        if (!one.length)
            continue;
        if (one.data[0] == '=' || !sigv4_next(&value, '=', &name)) {
            name = (struct bytes){one.data, 0};
            value = (struct bytes){one.data + 1, one.length - 1};
        }
        if (presigned && sigv4_is(name, "X-Amz-Signature"))
            continue;
        if (p->count == SIGV4_PARAMETERS_MAX)
            return false;
        struct parameter *at = &p->list[p->count++];
        at->name = p->text.length;
        recoded_append(&p->text, name);
        at->name_length = p->text.length - at->name;
        at->value = p->text.length;
        recoded_append(&p->text, value);
        at->value_length = p->text.length - at->value;
    }
    return !p->text.failed;
}

static int bytes_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t n = a_length < b_length ? a_length : b_length;
    int order = n ? memcmp(a, b, n) : 0;
    return order ? order : a_length < b_length ? -1 : a_length > b_length;
}

static int parameter_compare(const void *a, const void *b, void *text)
{
    const struct parameter *x = a, *y = b;
    const char *t = text;
    int order = bytes_compare(t + x->name, x->name_length, t + y->name, y->name_length);
    return order ? order
                 : bytes_compare(t + x->value, x->value_length, t + y->value, y->value_length);
}

static bool query_append(const struct sigv4_request *r, bool presigned, struct text *out)
{
    struct parameters p = {.text = text_init(SIGV4_CANONICAL_MAX)};
    bool good = parameters_read(r->query, presigned, &p);
    if (good && p.count) {
        const char *text = text_string(&p.text);
        qsort_r(p.list, p.count, sizeof p.list[0], parameter_compare, (void *)text);
        for (unsigned i = 0; i < p.count; i++)
            text_appendf(out, "%s%.*s=%.*s", i ? "&" : "", (int)p.list[i].name_length,
                         text + p.list[i].name, (int)p.list[i].value_length,
                         text + p.list[i].value);
    }
    text_done(&p.text);
    return good;
}

/* ---- headers ---- */

/* Runs of blanks are one space. */
static void value_append(struct bytes value, struct text *out)
{
    bool blank = false;
    for (size_t i = 0; i < value.length; i++) {
        bool is = value.data[i] == ' ' || value.data[i] == '\t';
        if (!is || !blank)
            text_append_bytes(out, is ? (const uint8_t *)" " : &value.data[i], 1);
        blank = is;
    }
}

/* All of that name, in the order they were sent. */
static void header_append(const struct sigv4_request *r, struct bytes name, struct text *out)
{
    unsigned found = 0;
    text_append_bytes(out, name.data, name.length);
    text_append(out, ":");
    for (unsigned i = 0; i < r->header_count; i++) {
        const struct http1_header *h = &r->headers[i];
        size_t k = 0;
        while (k < name.length && k < h->name.length && name.data[k] == lower(h->name.data[k]))
            k++;
        if (k < name.length || k < h->name.length)
            continue;
        text_append(out, found++ ? "," : "");
        value_append(h->value, out);
    }
    text_append(out, "\n");
}

bool sigv4_canonical(const struct sigv4_request *r, const struct sigv4 *s, struct bytes payload,
                     struct text *out)
{
    struct bytes names = sigv4_bytes(s->signed_headers), name;
    text_appendf(out, "%s\n", r->method);
    path_append(r->path, out);
    text_append(out, "\n");
    if (!query_append(r, s->presigned, out))
        return false;
    text_append(out, "\n");
    while (sigv4_next(&names, ';', &name))
        header_append(r, name, out);
    text_appendf(out, "\n%s\n", s->signed_headers);
    text_append_bytes(out, payload.data, payload.length);
    return !out->failed;
}
