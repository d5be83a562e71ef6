#include "wire/rdata_type.h"
#include "base/err.h"
#include "wire/rdata.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define F(...)      \
    {               \
        __VA_ARGS__ \
    }

/* By number, from the IANA registry of DNS parameters. NULL has a name and no form of its own: its
 * data is written as \# length hex. UINFO, UID, GID and UNSPEC (100..103) have neither. */
static const struct rdata_type types[] = {
    [1] = {"A", 0, F(FIELD_IPV4)},
    [2] = {"NS", RDATA_COMPRESS, F(FIELD_NAME)},
    [3] = {"MD", RDATA_COMPRESS, F(FIELD_NAME)},
    [4] = {"MF", RDATA_COMPRESS, F(FIELD_NAME)},
    [5] = {"CNAME", RDATA_COMPRESS, F(FIELD_NAME)},
    [6] = {"SOA", RDATA_COMPRESS,
           F(FIELD_NAME, FIELD_NAME, FIELD_U32, FIELD_TTL, FIELD_TTL, FIELD_TTL, FIELD_TTL)},
    [7] = {"MB", RDATA_COMPRESS, F(FIELD_NAME)},
    [8] = {"MG", RDATA_COMPRESS, F(FIELD_NAME)},
    [9] = {"MR", RDATA_COMPRESS, F(FIELD_NAME)},
    [10] = {"NULL", 0, F(FIELD_END)},
    [11] = {"WKS", 0, F(FIELD_IPV4, FIELD_PORTS)},
    [12] = {"PTR", RDATA_COMPRESS, F(FIELD_NAME)},
    [13] = {"HINFO", 0, F(FIELD_STRING, FIELD_STRING)},
    [14] = {"MINFO", RDATA_COMPRESS, F(FIELD_NAME, FIELD_NAME)},
    [15] = {"MX", RDATA_COMPRESS, F(FIELD_U16, FIELD_NAME)},
    [16] = {"TXT", 0, F(FIELD_STRINGS)},
    [17] = {"RP", 0, F(FIELD_NAME, FIELD_NAME)},
    [18] = {"AFSDB", 0, F(FIELD_U16, FIELD_NAME)},
    [19] = {"X25", 0, F(FIELD_STRING)},
    [20] = {"ISDN", 0, F(FIELD_STRINGS)},
    [21] = {"RT", 0, F(FIELD_U16, FIELD_NAME)},
    [22] = {"NSAP", 0, F(FIELD_NSAP)},
    [23] = {"NSAP-PTR", 0, F(FIELD_NAME)},
    [24] = {"SIG", 0,
            F(FIELD_TYPE, FIELD_ALGORITHM, FIELD_U8, FIELD_TTL, FIELD_DATE, FIELD_DATE, FIELD_U16,
              FIELD_NAME, FIELD_BASE64)},
    [25] = {"KEY", 0, F(FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64)},
    [26] = {"PX", 0, F(FIELD_U16, FIELD_NAME, FIELD_NAME)},
    [27] = {"GPOS", 0, F(FIELD_STRING, FIELD_STRING, FIELD_STRING)},
    [28] = {"AAAA", 0, F(FIELD_IPV6)},
    [29] = {"LOC", 0, F(FIELD_LOC)},
    [30] = {"NXT", 0, F(FIELD_NAME, FIELD_NXT)},
    [31] = {"EID", 0, F(FIELD_HEX)},
    [32] = {"NIMLOC", 0, F(FIELD_HEX)},
    [33] = {"SRV", 0, F(FIELD_U16, FIELD_U16, FIELD_U16, FIELD_NAME)},
    [34] = {"ATMA", 0, F(FIELD_ATMA)},
    [35] = {"NAPTR", 0,
            F(FIELD_U16, FIELD_U16, FIELD_STRING, FIELD_STRING, FIELD_STRING, FIELD_NAME)},
    [36] = {"KX", 0, F(FIELD_U16, FIELD_NAME)},
    [37] = {"CERT", 0, F(FIELD_CERT_TYPE, FIELD_U16, FIELD_ALGORITHM, FIELD_BASE64)},
    [38] = {"A6", 0, F(FIELD_A6)},
    [39] = {"DNAME", 0, F(FIELD_NAME)},
    [40] = {"SINK", 0, F(FIELD_U8, FIELD_U8, FIELD_U8, FIELD_BASE64)},
    [41] = {"OPT", RDATA_META, F(FIELD_END)},
    [42] = {"APL", 0, F(FIELD_APL)},
    [43] = {"DS", 0, F(FIELD_U16, FIELD_ALGORITHM, FIELD_U8, FIELD_HEX)},
    [44] = {"SSHFP", 0, F(FIELD_U8, FIELD_U8, FIELD_HEX)},
    [45] = {"IPSECKEY", 0, F(FIELD_GATEWAY, FIELD_BASE64)},
    [46] = {"RRSIG", 0,
            F(FIELD_TYPE, FIELD_ALGORITHM, FIELD_U8, FIELD_TTL, FIELD_DATE, FIELD_DATE, FIELD_U16,
              FIELD_NAME, FIELD_BASE64)},
    [47] = {"NSEC", 0, F(FIELD_CASED, FIELD_BITMAP)},
    [48] = {"DNSKEY", 0, F(FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64)},
    [49] = {"DHCID", 0, F(FIELD_BASE64)},
    [50] = {"NSEC3", 0, F(FIELD_U8, FIELD_U8, FIELD_U16, FIELD_SALT, FIELD_HASH32, FIELD_BITMAP)},
    [51] = {"NSEC3PARAM", 0, F(FIELD_U8, FIELD_U8, FIELD_U16, FIELD_SALT)},
    [52] = {"TLSA", 0, F(FIELD_U8, FIELD_U8, FIELD_U8, FIELD_HEX)},
    [53] = {"SMIMEA", 0, F(FIELD_U8, FIELD_U8, FIELD_U8, FIELD_HEX)},
    [55] = {"HIP", 0, F(FIELD_HIP, FIELD_NAMES)},
    [56] = {"NINFO", 0, F(FIELD_STRINGS)},
    [57] = {"RKEY", 0, F(FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64)},
    [58] = {"TALINK", 0, F(FIELD_CASED, FIELD_CASED)},
    [59] = {"CDS", 0, F(FIELD_U16, FIELD_ALGORITHM, FIELD_U8, FIELD_HEX)},
    [60] = {"CDNSKEY", 0, F(FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64)},
    [61] = {"OPENPGPKEY", 0, F(FIELD_BASE64)},
    [62] = {"CSYNC", 0, F(FIELD_U32, FIELD_U16, FIELD_BITMAP)},
    [63] = {"ZONEMD", 0, F(FIELD_U32, FIELD_U8, FIELD_U8, FIELD_HEX)},
    [64] = {"SVCB", 0, F(FIELD_U16, FIELD_CASED, FIELD_SVC)},
    [65] = {"HTTPS", 0, F(FIELD_U16, FIELD_CASED, FIELD_SVC)},
    [66] = {"DSYNC", 0, F(FIELD_TYPE, FIELD_SCHEME, FIELD_U16, FIELD_CASED)},
    [67] = {"HHIT", 0, F(FIELD_BASE64)},
    [68] = {"BRID", 0, F(FIELD_BASE64)},
    [99] = {"SPF", 0, F(FIELD_STRINGS)},
    [104] = {"NID", 0, F(FIELD_U16, FIELD_NODE64)},
    [105] = {"L32", 0, F(FIELD_U16, FIELD_IPV4)},
    [106] = {"L64", 0, F(FIELD_U16, FIELD_NODE64)},
    [107] = {"LP", 0, F(FIELD_U16, FIELD_CASED)},
    [108] = {"EUI48", 0, F(FIELD_EUI48)},
    [109] = {"EUI64", 0, F(FIELD_EUI64)},
    [128] = {"NXNAME", RDATA_META, F(FIELD_END)},
    [249] = {"TKEY", RDATA_META, F(FIELD_END)},
    [250] = {"TSIG", RDATA_META, F(FIELD_END)},
    [251] = {"IXFR", RDATA_META, F(FIELD_END)},
    [252] = {"AXFR", RDATA_META, F(FIELD_END)},
    [253] = {"MAILB", RDATA_META, F(FIELD_END)},
    [254] = {"MAILA", RDATA_META, F(FIELD_END)},
    [255] = {"ANY", RDATA_META, F(FIELD_END)},
    [256] = {"URI", 0, F(FIELD_U16, FIELD_U16, FIELD_TEXT)},
    [257] = {"CAA", 0, F(FIELD_U8, FIELD_TAG, FIELD_TEXT)},
    [258] = {"AVC", 0, F(FIELD_STRINGS)},
    [259] = {"DOA", 0, F(FIELD_U32, FIELD_U32, FIELD_U8, FIELD_STRING, FIELD_DATA)},
    [260] = {"AMTRELAY", 0, F(FIELD_RELAY)},
    [261] = {"RESINFO", 0, F(FIELD_STRINGS)},
    [262] = {"WALLET", 0, F(FIELD_STRINGS)},
    [263] = {"CLA", 0, F(FIELD_STRINGS)},
    [264] = {"IPN", 0, F(FIELD_U64)},
};
static const struct rdata_type type_ta = {"TA", 0,
                                          F(FIELD_U16, FIELD_ALGORITHM, FIELD_U8, FIELD_HEX)};
static const struct rdata_type type_dlv = {"DLV", 0,
                                           F(FIELD_U16, FIELD_ALGORITHM, FIELD_U8, FIELD_HEX)};
static const struct rdata_type type_alias = {"ALIAS", 0, F(FIELD_NAME)};
enum { TYPE_TA = 32768, TYPE_DLV = 32769 };

/* Looked through first: nearly every record of nearly every zone is one of these. */
static const uint16_t common[] = {DNS_A,   DNS_AAAA, DNS_NS,    DNS_CNAME, DNS_MX,
                                  DNS_TXT, DNS_SRV,  DNS_RRSIG, DNS_NSEC3, DNS_NSEC,
                                  DNS_PTR, DNS_DS,   DNS_CAA,   DNS_SOA};

const struct rdata_type *rdata_type_find(uint16_t type)
{
    if (type < array_length(types))
        return types[type].name ? &types[type] : NULL;
    if (type == TYPE_TA)
        return &type_ta;
    if (type == DNS_ALIAS)
        return &type_alias;
    return type == TYPE_DLV ? &type_dlv : NULL;
}

static bool word_is(const char *text, size_t length, const char *name)
{
    /* The first letter first: it settles most comparisons. */
    return name && (text[0] & 0x5f) == (name[0] & 0x5f) && strlen(name) == length &&
           strncasecmp(text, name, length) == 0;
}

/* TYPE123 (RFC 3597 5). */
static int type_number_parse(const char *text, size_t length, uint16_t *ret_type)
{
    uint32_t number = 0;

    if (length < 5 || length > 9 || strncasecmp(text, "TYPE", 4) != 0)
        return ERR_SYNTAX;
    for (size_t i = 4; i < length; i++) {
        if (!isdigit((unsigned char)text[i]))
            return ERR_SYNTAX;
        number = number * 10 + (uint32_t)(text[i] - '0');
    }
    if (number > UINT16_MAX)
        return ERR_SYNTAX;
    *ret_type = (uint16_t)number;
    return 0;
}

static int type_found(uint16_t type, uint16_t *ret_type)
{
    *ret_type = type;
    return 0;
}

int dns_type_parse(const char *text, size_t length, uint16_t *ret_type)
{
    if (length == 0 || length >= DNS_TYPE_TEXT_MAX)
        return ERR_SYNTAX;
    for (unsigned i = 0; i < array_length(common); i++)
        if (word_is(text, length, types[common[i]].name))
            return type_found(common[i], ret_type);
    for (unsigned i = 0; i < array_length(types); i++)
        if (word_is(text, length, types[i].name))
            return type_found((uint16_t)i, ret_type);
    if (word_is(text, length, "TA"))
        return type_found(TYPE_TA, ret_type);
    if (word_is(text, length, "DLV"))
        return type_found(TYPE_DLV, ret_type);
    if (word_is(text, length, "ALIAS") || word_is(text, length, "ANAME"))
        return type_found(DNS_ALIAS, ret_type);
    return type_number_parse(text, length, ret_type);
}

char *dns_type_format(uint16_t type, char buffer[static DNS_TYPE_TEXT_MAX])
{
    const struct rdata_type *t = rdata_type_find(type);

    if (t)
        snprintf(buffer, DNS_TYPE_TEXT_MAX, "%s", t->name);
    else
        snprintf(buffer, DNS_TYPE_TEXT_MAX, "TYPE%u", (unsigned)type);
    return buffer;
}

bool dns_type_is_meta(uint16_t type)
{
    /* 128..255 is the registry's range of query and meta types (RFC 6895 3.1). */
    return type == 0 || type == DNS_OPT || (type >= 128 && type <= 255);
}
