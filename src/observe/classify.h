/* From what the system, OpenSSL and libcurl say to the closed list of reasons. Pure.
 *
 * One rule above all (L4, L8): what may be the prober's own fault is never a verdict against the
 * target; it is REASON_INTERNAL. */
#pragma once

#include "base/attr.h"
#include "model/sample.h"
#include <stdbool.h>

/* How far an HTTP or TLS exchange had come. */
struct progress {
    bool connected;
    bool secured;    /* TLS established, or none wanted */
    bool first_byte; /* of the answer */
};

/* errno (positive) of socket(), connect(), SO_ERROR or a datagram: while there is no connection.
 * no_route: this host has no route to the address at all, so ENETUNREACH says nothing of the
 * target. */
const_function enum reason classify_connect(int error, bool no_route);

/* errno (positive) of a read or write on an established connection. */
pure_function enum reason classify_stream(int error, const struct progress *at);

/* X509_V_ERR_* of a refused certificate. */
const_function enum reason classify_certificate(long verify);

/* The deadline passed at this point. */
pure_function enum reason classify_timeout(const struct progress *at);

/* What libcurl returned. error: CURLINFO_OS_ERRNO; verify: X509_V_ERR_* seen by our own callback
 * (X509_V_OK where the chain was good or none was seen). */
pure_function enum reason classify_curl(int code, int error, bool no_route, long verify,
                                        const struct progress *at);

/* DNS response code (RFC 1035 4.1.1) other than NOERROR. */
const_function enum reason classify_rcode(unsigned rcode);
