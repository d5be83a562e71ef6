/* Large zones are answered from at once where this host's name server has looked through the very
 * same file, or the same content, before (serve/dns/verified.h), and looked through again while
 * they serve, one after the other, by a thread that yields to answers. What was looked through
 * before it served is recognised by its content at the next start: the thread takes that as soon as
 * it is served, so that a node which is stopped and started again a moment later is as fast as
 * ever.
 *
 * Used by the main thread of the name server alone. */
#pragma once

#include "model/plan.h"
#include "model/snapshot_io.h"
#include "serve/dns/verified.h"
#include <pthread.h>
#include <stdatomic.h>

/* A file that is mapped, and in use. */
struct trusted_file {
    uint64_t hash;
    struct disk_identity identity;
    struct mapped file;
    int64_t began_ns;                /* wall clock: when it was newly looked through, or mapped */
    bool walked;                     /* by this process, all of it */
    bool printed;                    /* its content is on the list, or there is no room for it */
    struct trusted_file *next, **at; /* in one of two lists; *at points here */
    bool removed;                    /* while the thread had it */
};

struct trust {
    const char *data;
    uint64_t program; /* 0 = not known, so nothing is kept */
    uint64_t boot;    /* 0 = not known */
    struct verified list;
    struct trusted_file *due, *resting; /* to be looked through, and not */
    struct trusted_file *in_hand;       /* resting: the thread has it */
    pthread_t thread;
    bool again;             /* the file in hand is to be looked through; else its content taken */
    usec_t begun;           /* when the thread was */
    struct hash128 content; /* of the file in hand, from the thread, where its result is 0 */
    _Atomic int result;     /* of the thread; > 0 = not done yet */
    _Atomic bool stop;      /* the thread shall end, whatever it found */
    int done_fd;            /* readable: the thread is done */
    bool told;              /* that the list cannot be written */
};

/* Reads what was found before. `t` stays where it is. 0, or a negated errno. */
must_check int trust_open(struct trust *t, const char *data);
/* Ends the thread, notes what it found and writes the list. Files are only removed after that. */
void trust_stop(struct trust *t);
/* After trust_stop(). Every file was removed. */
void trust_close(struct trust *t);

/* What is known of a file that was just mapped. */
enum verdict trust_verdict(const struct trust *t, uint64_t hash,
                           const struct disk_identity *identity);
/* Is its content what was found right under this name? Reads all of it, with all cores. */
bool trust_recognises(const struct trust *t, uint64_t hash, const struct mapped *file);
/* A file comes into use, and is to be looked through. Gives a handle for trust_remove(), which
 * closes the file. */
struct trusted_file *trust_add(struct trust *t, uint64_t hash, const struct disk_identity *identity,
                               struct mapped file);
/* It was, since then: 0, or what is wrong with it. What is not known of it for the next start (it
 * is young, or its fingerprint was not taken) is found out later. */
void trust_checked(struct trust *t, struct trusted_file *f, int err);
/* A file that was copied, and checked since then, is damaged. */
void trust_copy_wrong(struct trust *t, uint64_t hash, const struct disk_identity *identity,
                      int64_t began_ns);
/* The file is not used any more. Who takes a new plan does not wait for a thread that yields: where
 * that has the file in its hands, it is closed when the thread is done. */
void trust_remove(struct trust *t, struct trusted_file *f);

/* What this process looked through and nothing is known of yet for the next start: the thread takes
 * its content, if it is free. */
void trust_begin(struct trust *t);
/* On a beat, and when done_fd is readable: takes what the thread found, gives it the next file,
 * writes the list. 0; or the error that a file which is in use was found to have: it must not be
 * used any more. */
must_check int trust_step(struct trust *t);
