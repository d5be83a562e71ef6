/* Letters to a thread that waits in epoll: from any thread, taken in the order they came. */
#pragma once

#include "base/attr.h"
#include <stddef.h>
#include <stdint.h>

struct mailbox;

struct letter {
    struct letter *next;
    uint64_t to;
    size_t length;
    uint8_t data[];
};

/* *ret_fd: readable while letters wait; the mailbox's. Counted: whoever may still post holds one.
 */
must_check int mailbox_open(struct mailbox **ret, int *ret_fd);
struct mailbox *mailbox_ref(struct mailbox *m);
void mailbox_unref(struct mailbox *m); /* NULL is fine */

/* Copies head and body into one letter. */
void mailbox_post(struct mailbox *m, uint64_t to, const uint8_t *head, size_t head_length,
                  const uint8_t *body, size_t body_length);
/* All that wait, through `next`; the caller's to free one by one. NULL: none. */
struct letter *mailbox_take(struct mailbox *m);
