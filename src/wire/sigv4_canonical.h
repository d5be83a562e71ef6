/* The canonical request of AWS Signature Version 4: the one text that client and server both make
 * of a request. Used inside sigv4*.c only. */
#pragma once

#include "wire/sigv4.h"

/* Appends it. payload: the hash of the body in hexadecimal, or what stands for it. False: the query
 * has too many parameters, or it is all too long. */
must_check bool sigv4_canonical(const struct sigv4_request *r, const struct sigv4 *s,
                                struct bytes payload, struct text *out);

struct bytes sigv4_bytes(const char *text);
/* Any case. */
bool sigv4_is(struct bytes name, const char *word);
/* The next of a list "a;b;c"; false at its end. */
bool sigv4_next(struct bytes *list, char separator, struct bytes *ret);
