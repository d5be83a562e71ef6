/* From a check and an address to what is sent: the URL, the Host header, where to connect. Pure. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "base/text.h"
#include "model/config.h"
#include <stdbool.h>
#include <stddef.h>

enum {
    REQUEST_URL_MAX = 8192,
    REQUEST_BODY_MAX = 5120, /* most bytes of a body that are read (Route 53 searches as many) */
};

/* The URL with every {address} replaced (v6 in brackets). ERR_LIMIT past REQUEST_URL_MAX. */
must_check int request_url(const char *url, const struct ip *address, struct text *ret_url);

/* "host", "host:port", "[v6]", "[v6]:port" -> the length of the host at *ret_start, brackets left
 * out. */
size_t request_host(const char *authority, const char **ret_start);

/* Is the status in one of the check's ranges? */
pure_function bool request_status_accepted(const struct config_check *check, unsigned status);

/* The first bytes of a body and the text looked for in them. */
struct body {
    const char *wanted;
    size_t wanted_length;
    size_t length; /* read so far, at most REQUEST_BODY_MAX */
    bool found;
    char data[REQUEST_BODY_MAX];
};

/* Takes up to REQUEST_BODY_MAX bytes in all; false when nothing more needs to be read. */
bool body_take(struct body *b, const char *data, size_t length);
