/* The secrets that cookies are made with: DATA/run/cookies, put there by whoever starts the node
 * (prog/cookies.h), and again when they change; it stays, so that a start without anybody else
 * takes the cookies that were given before (L1). */
#pragma once

#include "serve/dns/cookie.h"
#include <pthread.h>
#include <stdatomic.h>

struct cookie_keep;

struct cookie_keep *cookie_keep_new(const char *data) __attribute__((returns_nonnull));
void cookie_keep_free(struct cookie_keep *k); /* NULL is fine */

/* Looks whether the file has changed. One that cannot be read changes nothing and is logged once.
 * One thread. */
void cookie_keep_look(struct cookie_keep *k);

/* Any thread, with a copy of its own: follows what changed since *version (0 at first). Costs one
 * load where nothing did. */
void cookie_keep_follow(struct cookie_keep *k, unsigned *version, struct cookie_secrets *own);
