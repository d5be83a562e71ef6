/* HTTP/1.1, the server's side (RFC 9110, RFC 9112): heads of requests in, heads of responses out.
 *
 * Strict where two readers of one byte stream could disagree about where a request ends: bare CR,
 * bare LF, blanks before a colon, folded lines, Content-Length beside Transfer-Encoding, or either
 * said twice, are refused, whatever a lenient reader would make of them (RFC 9112 11.2). After a
 * refusal the connection must be closed: what follows cannot be trusted. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    HTTP1_HEAD_MAX = 8192,   /* bytes from the request line to the empty line: else 431 */
    HTTP1_TARGET_MAX = 2048, /* bytes of the request target: else 414 */
    HTTP1_HEADERS_MAX = 64,  /* header lines: else 431 */
};

enum http1_method {
    HTTP1_GET,
    HTTP1_HEAD,
    HTTP1_POST,
    HTTP1_PUT,
    HTTP1_DELETE,
    HTTP1_CONNECT,
    HTTP1_OPTIONS,
    HTTP1_TRACE,
    HTTP1_PATCH,
    HTTP1_OTHER, /* a method not known here: 501 */
};

/* A byte of a target, its escape resolved (RFC 3986 2.1; one that is none stands for itself); *at
 * moves past it. */
uint8_t http1_decode_next(struct bytes b, size_t *at);
/* All of them as a text, cut at `size` bytes. */
void http1_decode(struct bytes b, char *to, size_t size);
/* "GET"; "" for HTTP1_OTHER. */
const_function const char *http1_method_name(enum http1_method method);

struct http1_header {
    struct bytes name, value; /* value without the blanks around it */
};

/* All bytes point into the buffer that was parsed. */
struct http1_request {
    enum http1_method method;
    struct bytes target;     /* as sent */
    struct bytes path;       /* without query; "*" for OPTIONS *; empty for CONNECT */
    struct bytes query;      /* after "?", or empty */
    struct bytes host;       /* Host header; empty where HTTP/1.0 sent none */
    uint8_t minor;           /* 0 or 1: HTTP/1.x, x > 1 counts as 1 (RFC 9110 6.2) */
    bool keep_alive;         /* the client wants the connection kept (RFC 9112 9.3) */
    bool expect_continue;    /* Expect: 100-continue */
    bool chunked;            /* a chunked body follows */
    uint64_t content_length; /* bytes of body that follow; 0 where chunked */
    unsigned header_count;
    struct http1_header headers[HTTP1_HEADERS_MAX];
};

/* Where the parser stands in a head that arrives in pieces; zero to begin with. */
struct http1_parser {
    size_t scanned;
    unsigned state, lines;
};

enum { HTTP1_DONE = 0, HTTP1_MORE = 1 };

/* `data` is all that has arrived since the head began (the same bytes as in the call before, and
 * more). HTTP1_DONE: *ret and *ret_used (bytes of the head) are set; HTTP1_MORE: call again with
 * more; else the status to answer before closing: 400, 414, 417, 431, 501, 505. Each byte is looked
 * at once until the head is whole, so that a client who sends one at a time costs no more than
 * others. */
must_check int http1_parse(struct http1_parser *p, const void *data, size_t length,
                           struct http1_request *ret, size_t *ret_used);

struct http1_response {
    unsigned status;          /* 100..599 */
    const char *content_type; /* NULL: none */
    uint64_t content_length;
    bool keep_alive;
    uint8_t minor;     /* of the request: HTTP/1.0 clients are told about keep-alive */
    int64_t date;      /* seconds since 1970, UTC */
    const char *extra; /* further whole lines, each ended by CRLF; NULL: none */
};

/* Appends the head, the empty line included. A line break inside content_type fails the invariant.
 */
void http1_response_write(struct text *out, const struct http1_response *r);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7, IMF-fixdate); seconds since 1970, years 0..9999.
 */
enum { HTTP1_DATE_MAX = 32 };
char *http1_date_format(int64_t seconds, char buffer[static HTTP1_DATE_MAX]);
