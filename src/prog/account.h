/* Who the roles are, and what of the node's folder is theirs. */
#pragma once

#include "base/attr.h"
#include "model/config.h"

/* Who the roles become when root starts the node; NULL: they stay who they are. 0, or ERR_MISSING:
 * there is no such user (that was printed). */
must_check int account_choose(const struct config *c, const char **ret_user);
/* The folder and the files in it become the user's; what is not there stays away. */
void account_give(const char *folder, const char *user);
