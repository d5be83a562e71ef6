/* The identity that this server shows over TLS: the newest good one of DATA/run/tls. Whoever starts
 * the node puts it there, since the key is nothing that a role may read where the operator keeps
 * it; it stays there, so that a start without anybody else shows what was shown before (L1). */
#pragma once

#include "model/stats.h"
#include "serve/dns/tls_context_io.h"
#include "serve/dns/tls_stream_io.h"

struct tls_keep;

/* data, tickets and stats outlive it. ask: clients for their certificates. */
struct tls_keep *tls_keep_new(const char *data, const struct tls_tickets *tickets, bool ask,
                              struct stats_thread *stats) __attribute__((returns_nonnull));
void tls_keep_free(struct tls_keep *k); /* NULL is fine */

/* Looks whether the file has changed. One that does not pass the check changes nothing; it is
 * counted and logged once. One thread. */
void tls_keep_look(struct tls_keep *k);

/* TLS on a new connection, from any thread. NULL: there is nothing to show yet. */
struct tls_stream *tls_keep_begin(struct tls_keep *k, int fd);
