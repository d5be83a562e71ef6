/* libraft's configuration (who belongs, who votes) as bytes of ours. Pure. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/text.h"
#include <raft.h>

void membership_put(const struct raft_configuration *c, struct text *out);
/* 0, or ERR_INVALID and *ret is as it was. raft_configuration_close() it. */
must_check int membership_take(struct reader *r, struct raft_configuration *ret);
/* The form in which libraft itself writes it into its log; 0 or ERR_INVALID. */
must_check int membership_of_entry(const struct raft_buffer *data, struct raft_configuration *ret);
void membership_copy(const struct raft_configuration *from, struct raft_configuration *ret);
