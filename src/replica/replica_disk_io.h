/* The real disk of a replica: the files of one folder. */
#pragma once

#include "base/attr.h"
#include "replica/port.h"

/* Makes the folder (0700) where there is none; its name is referred to. */
must_check int replica_disk_open(const char *folder, struct replica_disk *ret);
