/* Messages from other programs about zones (UPDATE, NOTIFY), in control's worker thread: who signed
 * them, and what updates do. */
#pragma once

#include "command/update.h"
#include "model/access.h"
#include "prog/import_work.h"
#include "wire/relay.h"

enum { RELAYED_REASON_MAX = 200 };
#define RELAYED_NO_ZONE UINT32_MAX

/* One message on its way. */
struct relayed {
    struct relayed *next;
    unsigned link; /* of the name server that passed it on */
    uint64_t link_number;
    uint64_t token;
    bool stream;
    struct ip client; /* a v4 address is one */
    uint16_t port;
    uint8_t *wire;   /* owned */
    size_t length;   /* of it all */
    uint32_t zone;   /* number in the configuration, or RELAYED_NO_ZONE */
    uint32_t served; /* the zone's serial in service; 0 = none */

    /* The worker's. */
    struct tsig tsig;
    bool has_tsig;
    struct tsig_session session; /* its key lives in the batch's access, or is: */
    struct tsig_key *own_key;    /* owned */
    int key;                     /* number of the key that signed it, or CONFIG_NONE */
    enum dns_rcode rcode;
    uint16_t ede;
    char reason[RELAYED_REASON_MAX]; /* "" = nothing to say */
    bool applied;                    /* it changed the zone, and that is on the disk */
    uint32_t from, to;               /* serials, where it did */
    unsigned removed, added;
};

/* Makes one of a frame; NULL where it is none of ours. */
struct relayed *relayed_new(const struct relay_request *frame);
void relayed_free(struct relayed *r);
/* It outlives its batch. */
void relayed_keep(struct relayed *r);
/* Its answer; a reason goes with DNS_REFUSED, DNS_NOTAUTH and DNS_SERVFAIL, or is NULL. */
void relayed_refuse(struct relayed *r, enum dns_rcode rcode, const char *reason);
static inline unsigned relayed_opcode(const struct relayed *r)
{
    return r->wire[2] >> 3 & 15;
}

/* Which zone it names, and that zone's serial in service. In the loop. */
void relayed_address(struct relayed *r, const struct loaded *l);

struct update_batch {
    const char *data; /* the node's folder */
    const struct config *config;
    const char *config_path;
    const struct loaded_zone *zones;     /* of that; none of their files changes meanwhile */
    const struct plan_file *access_file; /* of the keys; NULL = there are none */
    struct relayed *first;
    struct import_work *imports; /* done after the messages */
    int64_t wall;                /* seconds since 1970 */
    struct access *access;       /* out: until the answers are signed; access_free */
};
/* Verifies each message and does the updates, zone by zone in the order in which they came, then
 * the imports. What is marked `applied` is on the disk. Updates of zones whose records are shared
 * are only verified: relayed_is_shared(). */
void update_batch_run(struct update_batch *b);
/* Is it an update that nothing speaks against so far, for a zone whose records are shared? */
bool relayed_is_shared(const struct relayed *r, const struct config *config);

/* Writes the answer into a buffer of DNS_MESSAGE_MAX bytes, signed as the message was: its length,
 * 0 where none can be given. */
size_t relayed_answer(struct relayed *r, int64_t wall, uint8_t *response);
