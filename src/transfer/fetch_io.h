/* Asking primaries: the serial over UDP, the zone over TCP or TLS (RFC 1035 4.2.2, RFC 5936,
 * RFC 9103), on a libuv loop. Every question ends: by an answer, an error, or its time. */
#pragma once

#include "base/ip.h"
#include "transfer/channel_io.h"
#include "transfer/inbound.h"
#include <uv.h>

enum {
    FETCH_CONNECT_S = 10, /* until the connection stands */
    FETCH_IDLE_S = 30,    /* between bytes */
    FETCH_TOTAL_S = 3600, /* a whole zone */
    FETCH_ASK_TRIES = 2,  /* over UDP */
    FETCH_ASK_WAIT_S = 3, /* for each */
    FETCH_PASS_S = 8,     /* a message that is passed on; its client waits */
    FETCH_PASS_CONNECT_S = 3,
};

/* What is pointed to has to stay until the call returns. */
struct fetch_peer {
    struct ip ip;
    uint16_t port;
    const struct tsig_key *key;     /* NULL: unsigned */
    const struct channel_peer *tls; /* NULL: plain TCP */
};

struct fetcher;
/* Room for its sockets and what is trusted (read again after fetcher_renew()). */
struct fetcher *fetcher_new(uv_loop_t *loop, uint64_t seed) __attribute__((returns_nonnull));
/* Certificates are read from disk again by what starts from now on. */
void fetcher_renew(struct fetcher *f);
/* Nothing may be under way any more. */
void fetcher_free(struct fetcher *f);

/* How it ended. err: 0, or why not, with a sentence where there is a better one than err_text(). */
struct fetch_result {
    int err;
    const char *reason; /* static, or NULL */
    bool heard;         /* the connection stood: the other side may have read the question */
};

/* The zone's serial, or an error: over UDP none is final, as a zone may be too large, or a firewall
 * in the way; TCP has the last word. */
typedef void fetch_asked(void *context, const struct fetch_result *result, uint32_t serial);
void fetch_serial(struct fetcher *f, const uint8_t *zone, const struct fetch_peer *peer,
                  fetch_asked *done, void *context);

/* A whole answer, or an error; `in` is the callee's from now on: inbound_free(). */
typedef void fetch_done(void *context, const struct fetch_result *result, struct inbound *in);
/* request: key and id are filled in from the peer and by chance. */
void fetch_zone(struct fetcher *f, struct inbound_request request, const struct fetch_peer *peer,
                fetch_done *done, void *context);

/* The answer to a message that was passed on as it is: DNS_HEADER_SIZE bytes at least, with the
 * same id; NULL on failure. Valid during the call. */
typedef void fetch_passed(void *context, const struct fetch_result *result, const uint8_t *answer,
                          size_t length);
/* message: at most DNS_MESSAGE_MAX bytes, copied. The peer's key is not used. */
void fetch_pass(struct fetcher *f, const uint8_t *message, size_t length,
                const struct fetch_peer *peer, fetch_passed *done, void *context);
