/* The DNS message: numbers and header (RFC 1035 4.1, RFC 6891). */
#pragma once

#include <stdint.h>

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_DNAME = 39,
    DNS_OPT = 41,
    DNS_DS = 43,
    DNS_SSHFP = 44,
    DNS_RRSIG = 46,
    DNS_NSEC = 47,
    DNS_DNSKEY = 48,
    DNS_NSEC3 = 50,
    DNS_NSEC3PARAM = 51,
    DNS_CDS = 59,
    DNS_CDNSKEY = 60,
    DNS_ZONEMD = 63,
    DNS_SVCB = 64,
    DNS_HTTPS = 65,
    DNS_NXNAME = 128, /* RFC 9824 */
    DNS_IXFR = 251,
    DNS_AXFR = 252,
    DNS_ANY = 255,
    DNS_CAA = 257,
    DNS_ALIAS = 65401, /* of private use, the number that PowerDNS took; never on the wire */
};
enum dns_class { DNS_IN = 1, DNS_CH = 3, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };
enum dns_opcode { DNS_QUERY = 0, DNS_NOTIFY = 4, DNS_UPDATE = 5 };
enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_YXDOMAIN = 6,
    DNS_YXRRSET = 7, /* 6 to 10: RFC 2136 2.2 */
    DNS_NXRRSET = 8,
    DNS_NOTZONE = 10,
    DNS_BADVERS = 16,
    DNS_BADCOOKIE = 23,
};
enum {
    DNS_HEADER_SIZE = 12,
    DNS_FLAG_QR = 0x8000,
    DNS_FLAG_AA = 0x0400,
    DNS_FLAG_TC = 0x0200,
    DNS_FLAG_RD = 0x0100,
    DNS_FLAG_RA = 0x0080,
    DNS_OPCODE_MASK = 0x7800,
    DNS_OPTION_NSID = 3,
    DNS_OPTION_CLIENT_SUBNET = 8,
    DNS_OPTION_COOKIE = 10,
    DNS_OPTION_KEEPALIVE = 11,
    DNS_OPTION_PADDING = 12,
    DNS_OPTION_EDE = 15,
    DNS_UDP_MIN = 512,
    DNS_MESSAGE_MAX = 65535,
};
