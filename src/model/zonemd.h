/* What becomes of the digest of a whole zone (RFC 8976). */
#pragma once

enum zonemd_use {
    ZONEMD_VERIFY,   /* one that is there and is understood has to match */
    ZONEMD_IGNORE,   /* it is a record like others */
    ZONEMD_REQUIRE,  /* there has to be one that matches */
    ZONEMD_GENERATE, /* one is made; what was there goes */
    ZONEMD_DROP,     /* it goes: the content was changed since it was made */
};
