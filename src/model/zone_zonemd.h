/* The digest of a whole zone at its apex (RFC 8976): looked at before a zone is taken, so that one
 * that was damaged on its way does not replace the one before (L3); and made for zones that are
 * changed here. */
#pragma once

#include "model/zone.h"

/* How a compiled zone's SOA and ZONEMD get their signatures anew; see struct zone_seal. */
typedef int zone_renew(void *context, const struct zone *z, uint8_t *data, uint16_t type);

/* Writes digests and serial of the ZONEMD records at the apex of a compiled zone anew, in place;
 * `data` are the zone's own bytes. renew: signs them; NULL where the zone is unsigned. A zone
 * without such records stays as it is. How many signatures were made, or a negative error. The
 * file's checksum is the caller's. */
must_check int zone_zonemd_renew(const struct zone *z, uint8_t *data, zone_renew *renew,
                                 void *context);
