/* The velocity limit (L4): checks may take only so much of a service's capacity out of the answers
 * in one window of time.
 *
 *  1. The share of a member is its capacity in that of all members that are not disabled; all
 *     shares are equal where one's capacity is not said.
 *  2. A removal is a member that was in some answer and that checks say is down now. Standbys that
 *     nobody was sent to, members never seen healthy, and what an operator took out are none.
 *  3. The members removed within the window count once each, however often they came and went. One
 *     removal is always allowed: a service of two must be able to fail over.
 *  4. What is beyond stays in the answers (TARGET_HELD), the oldest to be removed first as the
 *     window passes. */
#pragma once

#include "decide/face.h"

/* A member that checks want removed. */
struct removal {
    usec_t since;
    uint32_t member;
};

/* For a face with a healthy member: marks members held or stamps their removal. */
void velocity_limit(struct face *f);
