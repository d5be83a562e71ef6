/* Presentation and wire form of every type in the table: examples taken from the RFCs where they
 * give some, their bytes spelled out by hand. */
#include "base/err.h"
#include "test/check_main.h"
#include "wire/dname.h"
#include "wire/rdata_fixture.h"
#include "wire/ttl.h"
#include <stdio.h>
#include <string.h>

static const uint8_t origin[] = "\7example\3com";

struct example {
    const char *type;
    const char *text;      /* as a person may write it */
    const char *hex;       /* the bytes; spaces for the eye */
    const char *canonical; /* as it is written back; NULL: like text */
};

#define EXAMPLE_COM "076578616d706c6503636f6d00"

static const struct example examples[] = {
    {"A", "192.0.2.1", "c0000201", NULL},
    {"AAAA", "2001:db8::1", "20010db8000000000000000000000001", NULL},
    {"NS", "NS.Example.COM.", "026e73" EXAMPLE_COM, "ns.example.com."},
    {"CNAME", "@", EXAMPLE_COM, "example.com."},
    {"PTR", ".", "00", NULL},
    {"DNAME", "x", "0178" EXAMPLE_COM, "x.example.com."},
    {"SOA", "a b. 1 1h 2m 1w 5",
     "0161" EXAMPLE_COM "016200 00000001 00000e10 00000078 00093a80 00000005",
     "a.example.com. b. 1 3600 120 604800 5"},
    {"MX", "10 @", "000a" EXAMPLE_COM, "10 example.com."},
    {"TXT", "a \"b c\" \"\\\"\\\\\" \\065 \"\"", "0161 03622063 02225c 0141 00",
     "\"a\" \"b c\" \"\\\"\\\\\" \"A\" \"\""},
    {"TXT", "\"\\000\\255\"", "0200ff", NULL},
    {"SPF", "\"v=spf1 -all\"", "0b763d73706631202d616c6c", NULL},
    {"HINFO", "\"PC\" Linux", "025043 054c696e7578", "\"PC\" \"Linux\""},
    {"RP", "a.b. .", "0161016200 00", NULL},
    {"MINFO", "a. b.", "016100 016200", NULL},
    {"AFSDB", "1 a.", "0001 016100", NULL},
    {"RT", "1 a.", "0001 016100", NULL},
    {"KX", "1 a.", "0001 016100", NULL},
    {"PX", "1 a. b.", "0001 016100 016200", NULL},
    {"X25", "\"311061700956\"", "0c333131303631373030393536", NULL},
    {"ISDN", "\"150862028003217\" \"004\"", "0f313530383632303238303033323137 03303034", NULL},
    {"GPOS", "\"-32.6882\" \"116.8652\" \"10.0\"",
     "082d33322e36383832 083131362e38363532 0431302e30", NULL},
    {"NSAP", "0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00",
     "47000580005a0000000001e133ffffff00016100", "0x47000580005a0000000001e133ffffff00016100"},
    {"LOC", "42 21 54 N 71 6 18 W -24m 30m", /* RFC 1876 appendix */
     "00 33 16 13 89172dd0 70be15f0 00988d20",
     "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"},
    {"LOC", "0 N 0 E 0", "00121613 80000000 80000000 00989680",
     "0 0 0.000 N 0 0 0.000 E 0.00m 1.00m 10000.00m 10.00m"},
    {"SRV", "0 5 5060 Sip", "0000 0005 13c4 03736970" EXAMPLE_COM, "0 5 5060 sip.example.com."},
    {"NAPTR", "100 50 \"s\" \"http+I2L\" \"\" _http._tcp.gatech.edu.",
     "0064 0032 0173 08687474702b49324c 00 055f68747470045f746370066761746563680365647500", NULL},
    {"CERT", "PGP 0 0 AQIDBA==", "0003 0000 00 01020304", "3 0 0 AQIDBA=="},
    {"APL", "1:192.168.32.0/21 !1:192.168.38.0/28", /* RFC 3123 6 */
     "0001 15 03 c0a820 0001 1c 83 c0a826", NULL},
    {"APL", "2:ff00::/8 1:0.0.0.0/0", "0002 08 01 ff 0001 00 00", NULL},
    {"APL", "", "", NULL},
    {"DS", "60485 5 1 ( 2BB183AF5F22588179A53B0A 98631FAD1A292118 )", /* RFC 4034 5.4 */
     "ec45 05 01 2bb183af5f22588179a53b0a98631fad1a292118",
     "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"},
    {"CDS", "0 0 0 00", "0000 00 00 00", NULL},
    {"CDNSKEY", "0 3 0 AA==", "0000 03 00 00", NULL},
    {"DNSKEY", "257 3 ECDSAP256SHA256 AQID BAU=", "0101 03 0d 0102030405", "257 3 13 AQIDBAU="},
    {"KEY", "256 3 5 AQI=", "0100 03 05 0102", NULL},
    {"RKEY", "0 1 0 AQ==", "0000 01 00 01", NULL},
    /* As others may send it: known by its bytes alone. */
    {"SSHFP", "\\# 3 040200", "04 02 00", NULL},
    {"DS", "\\# 5 00010d02ff", "0001 0d 02 ff", NULL},
    {"SSHFP", "2 1 123456789abcdef67890123456789abcdef67890",
     "02 01 123456789abcdef67890123456789abcdef67890", NULL},
    {"IPSECKEY", "10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
     "0a 01 02 c0000226 01035153 7986ed35533b6064478eeeb27b5bd74dae149b6e81ba3a0521af82ab7801",
     NULL},
    {"IPSECKEY", "10 0 2 . AQ==", "0a 00 02 01", NULL},
    {"IPSECKEY", "10 3 2 a. AQ==", "0a 03 02 016100 01", NULL},
    {"IPSECKEY", "10 2 2 2001:db8::1 AQ==", "0a 02 02 20010db8000000000000000000000001 01", NULL},
    {"AMTRELAY", "10 0 1 203.0.113.15", "0a 01 cb00710f", NULL},
    {"AMTRELAY", "10 1 3 a.", "0a 83 016100", NULL},
    {"AMTRELAY", "128 1 0 .", "80 80", NULL},
    {"RRSIG", "A 5 3 86400 20030322173103 20030220173103 2642 example.com. AQID", /* RFC 4034 3.3 */
     "0001 05 03 00015180 3e7c9dd7 3e5510d7 0a52" EXAMPLE_COM "010203", NULL},
    {"RRSIG",
     "TYPE65400 13 0 0 4294967295 0 1 . AQ==", "ff78 0d 00 00000000 ffffffff 00000000 0001 00 01",
     "TYPE65400 13 0 0 21060207062815 19700101000000 1 . AQ=="},
    {"RRSIG", "A 13 0 0 20240229120000 20000301000000 1 . AQ==",
     "0001 0d 00 00000000 65e071c0 38bc5d80 0001 00 01", NULL},
    {"NSEC", "host A MX RRSIG NSEC TYPE1234", /* RFC 4034 4.3 */
     "04686f7374" EXAMPLE_COM
     "0006400100000003 041b000000000000000000000000000000000000000000000000000020",
     "host.example.com. A MX RRSIG NSEC TYPE1234"},
    {"NSEC3", "1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG", /* RFC 5155 A */
     "01 01 000c 04 aabbccdd 14 17f3df17b2b2adaef615257de4d2020b80ac6c7c 0006400000000002", NULL},
    {"NSEC3", "1 0 0 - 2vptu5timamqttgl4luu9kg21e0aor3s",
     "01 00 0000 00 14 17f3df17b2b2adaef615257de4d2020b80ac6c7c", NULL},
    {"NSEC3PARAM", "1 0 0 -", "01 00 0000 00", NULL},
    {"NSEC3PARAM", "1 0 12 AABBCCDD", "01 00 000c 04 aabbccdd", "1 0 12 aabbccdd"},
    {"DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
     "0002 01 636fc0b8271c82825bb1ac5c41cf5351aa69b4febd94e8f17cdb95000da48c40", NULL},
    {"TLSA", "3 1 1 00ff", "03 01 01 00ff", NULL},
    {"SMIMEA", "3 1 1 00 ff", "03 01 01 00ff", "3 1 1 00ff"},
    {"OPENPGPKEY", "AQID", "010203", NULL},
    {"CSYNC", "66 3 A NS AAAA", "00000042 0003 0004 60000008", NULL},
    {"ZONEMD", "2018031500 1 240 000102030405060708090a0b",
     "7848b78c 01 f0 000102030405060708090a0b", NULL},
    {"TALINK", "a. b.", "016100 016200", NULL},
    {"NINFO", "\"x\"", "0178", NULL},
    {"NID", "10 0014:4fff:ff20:ee64", "000a 00144fffff20ee64", NULL},
    {"NID", "10 14:4fff:0:e", "000a 00144fff0000000e", "10 0014:4fff:0000:000e"},
    {"L32", "10 10.1.2.0", "000a 0a010200", NULL},
    {"L64", "10 2001:0db8:1140:1000", "000a 20010db811401000", NULL},
    {"LP", "10 a.", "000a 016100", NULL},
    {"EUI48", "00-00-5e-00-53-2a", "00005e00532a", NULL},
    {"EUI64", "00-00-5E-EF-10-00-00-2A", "00005eef1000002a", "00-00-5e-ef-10-00-00-2a"},
    {"URI", "10 1 \"ftp://ftp1.example.com/public\"",
     "000a 0001 6674703a2f2f667470312e6578616d706c652e636f6d2f7075626c6963", NULL},
    /* as it is written: who signed it elsewhere signed these bytes */
    {"CAA", "0 ISSUE \"ca.example.net; policy=ev\"",
     "00 05 4953535545 63612e6578616d706c652e6e65743b20706f6c6963793d6576", NULL},
    {"CAA", "128 issue \"\"", "80 05 6973737565", NULL},
    {"AVC", "\"app-name:WOLFGANG\"", "116170702d6e616d653a574f4c4647414e47", NULL},
    {"DSYNC", "CDS 1 5300 a.", "003b 01 14b4 016100", "CDS NOTIFY 5300 a."},
    {"DSYNC", "CSYNC 200 53 a.", "003e c8 0035 016100", NULL},
    {"WKS", "192.0.2.1 tcp smtp Domain 8", "c0000201 06 008000400000 04", "192.0.2.1 6 8 25 53"},
    {"WKS", "192.0.2.1 17", "c0000201 11", NULL},
    {"NXT", "a. A NS TXT NXT", "016100 60008002", NULL},
    {"EID", "e32c 6f78163a 9348", "e32c6f78163a9348", "e32c6f78163a9348"},
    {"NIMLOC", "3251", "3251", NULL},
    {"ATMA", "+61.200.0000", "01 363132303030303030", "+612000000"},
    {"ATMA", "39.246f", "00 39246f", "39246f"},
    {"A6", "0 2001:db8::1", "00 20010db8000000000000000000000001", NULL},
    {"A6", "60 ::f:1 sub.", "3c 0000000000000f0001 0373756200", "60 ::0.15.0.1 sub."},
    {"SINK", "8 0 2 l4ik", "08 00 02 9788a4", NULL},
    {"HIP", "2 200100107B1A AQID a. b.", "06 02 0003 200100107b1a 010203 016100 016200",
     "2 200100107b1a AQID a. b."},
    {"HIP", "2 20 AQ==", "01 02 0001 20 01", NULL},
    {"HHIT", "AQIDBA==", "01020304", NULL},
    {"BRID", "AQID BA==", "01020304", "AQIDBA=="},
    {"DOA", "1 2 3 \"image/gif\" AQID", "00000001 00000002 03 09696d6167652f676966 010203", NULL},
    {"DOA", "0 1 2 \"\" -", "00000000 00000001 02 00", NULL},
    {"IPN", "18446744073709551615", "ffffffffffffffff", NULL},
    {"IPN", "977", "00000000000003d1", NULL},
    {"DLV", "1 5 1 00", "0001 05 01 00", NULL},
    {"TA", "1 5 1 00", "0001 05 01 00", NULL},
    /* RFC 9460 2.1: behind the number of a key its value is in wire form. */
    {"SVCB", "1 . key1=\\002h2 key3=\\000\\053 key4=\"\\192\\000\\002\\001\"",
     "0001 00 0001 0003 026832 0003 0002 0035 0004 0004 c0000201",
     "1 . alpn=\"h2\" port=53 ipv4hint=192.0.2.1"},
    {"SVCB", "1 . key0=\\000\\003 key3=\\000\\053", "0001 00 0000 0002 0003 0003 0002 0035",
     "1 . mandatory=port port=53"},
    /* RFC 9460 appendix D */
    {"SVCB", "0 foo.example.com.", "0000 03666f6f" EXAMPLE_COM, NULL},
    {"SVCB", "1 .", "0001 00", NULL},
    {"SVCB", "16 foo.example.com. port=53", "0010 03666f6f" EXAMPLE_COM "0003 0002 0035", NULL},
    {"SVCB", "1 foo.example.com. key667=hello", "0001 03666f6f" EXAMPLE_COM "029b 0005 68656c6c6f",
     "1 foo.example.com. key667=\"hello\""},
    {"SVCB", "1 foo.example.com. key667=\"hello\\210qoo\"",
     "0001 03666f6f" EXAMPLE_COM "029b 0009 68656c6c6fd2716f6f", NULL},
    {"SVCB", "1 foo.example.com. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
     "0001 03666f6f" EXAMPLE_COM
     "0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001",
     "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1"},
    {"SVCB", "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
     "0010 03666f6f 076578616d706c65 036f7267 00 0000 0004 00010004 0001 0009 026832 0568332d3139"
     "0004 0004 c0000201",
     "16 foo.example.org. mandatory=alpn,ipv4hint alpn=\"h2,h3-19\" ipv4hint=192.0.2.1"},
    {"SVCB", "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
     "0010 03666f6f 076578616d706c65 036f7267 00 0001 000c 08665c6f6f2c626172 026832", NULL},
    {"HTTPS", "1 . alpn=h2 no-default-alpn ech=AQID key65280",
     "0001 00 0001 0003 026832 0002 0000 0005 0003 010203 ff00 0000",
     "1 . alpn=\"h2\" no-default-alpn ech=AQID key65280"},
    {"HTTPS", "1 . dohpath=\"/q{?dns}\" ohttp tls-supported-groups=29,23",
     "0001 00 0007 0008 2f717b3f646e737d 0008 0000 0009 0004 001d0017", NULL},
    /* RFC 3597 5 */
    {"TYPE731", "\\# 6 abcd ( ef 01 23 45 )", "abcdef012345", "\\# 6 abcdef012345"},
    {"TYPE731", "\\# 0", "", NULL},
    {"A", "\\# 4 0A000001", "0a000001", "10.0.0.1"},
    {"NS", "\\# 3 01 41 00", "016100", "a."},
    {"MX", "\\# 12 000a 044d41494c 03434f4d 00", "000a 046d61696c 03636f6d 00", "10 mail.com."},
    {"TXT", "\\# 4 03 414243", "03414243", "\"ABC\""},
    {"NULL", "\\# 2 0102", "0102", NULL},
    {"TYPE1", "10.0.0.1", "0a000001", NULL},
};

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t used = 0;

    while (*hex) {
        char pair[3] = {hex[0], hex[1]}, *end;
        if (*hex == ' ') {
            hex++;
            continue;
        }
        out[used++] = (uint8_t)strtoul(pair, &end, 16);
        ck_assert_ptr_eq(end, pair + 2);
        hex += 2;
    }
    return used;
}

static int parse(const char *type_text, const char *text, uint8_t *data, uint16_t *length,
                 uint16_t *type)
{
    ck_assert_int_eq(dns_type_parse(type_text, strlen(type_text), type), 0);
    return rdata_from_text(*type, text, strlen(text), origin, data, length);
}

START_TEST(test_examples)
{
    static uint8_t data[RDATA_MAX], wanted[RDATA_MAX], again[RDATA_MAX];
    uint16_t type, length, length_again;

    for (size_t i = 0; i < array_length(examples); i++) {
        const struct example *e = &examples[i];
        struct text out = text_init(1 << 20);
        ck_assert_msg(parse(e->type, e->text, data, &length, &type) == 0, "%s %s", e->type,
                      e->text);
        size_t size = unhex(e->hex, wanted);
        ck_assert_msg(length == size && memcmp(data, wanted, size) == 0, "%s %s: wrong bytes",
                      e->type, e->text);
        ck_assert_msg(rdata_check(type, data, length), "%s %s", e->type, e->text);
        rdata_format(type, data, length, &out);
        ck_assert_str_eq(text_string(&out), e->canonical ? e->canonical : e->text);
        ck_assert_int_eq(parse(e->type, text_string(&out), again, &length_again, &type), 0);
        ck_assert(length_again == length && memcmp(again, data, length) == 0);
        text_done(&out);
    }
}
END_TEST

/* Whatever is cut short or damaged is noticed, or is well-formed and survives the way to text and
 * back. */
START_TEST(test_damage)
{
    static uint8_t data[RDATA_MAX], again[RDATA_MAX];
    uint16_t type, length, length_again;

    for (size_t i = 0; i < array_length(examples); i++) {
        ck_assert_int_eq(parse(examples[i].type, examples[i].text, data, &length, &type), 0);
        for (unsigned cut = 0; cut <= length; cut++)
            for (unsigned flip = 0; flip <= cut; flip++) {
                if (flip < cut)
                    data[flip] ^= 0x41;
                struct text out = text_init(1 << 20);
                rdata_format(type, data, (uint16_t)cut, &out);
                if (rdata_check(type, data, (uint16_t)cut)) {
                    ck_assert_int_eq(
                        parse(examples[i].type, text_string(&out), again, &length_again, &type), 0);
                    ck_assert(length_again == cut && memcmp(again, data, cut) == 0);
                }
                text_done(&out);
                if (flip < cut)
                    data[flip] ^= 0x41;
            }
    }
}
END_TEST

static const struct {
    const char *type, *text;
} refused[] = {
    {"A", ""},
    {"A", "192.0.2"},
    {"A", "192.0.2.256"},
    {"A", "192.0.2.1.1"},
    {"A", "192.0.2.1 x"},
    {"A", "\"192.0.2.1\""},
    {"A", "1.2.3.4\n5.6.7.8"},
    {"A", "\\# 5 0102030405"},
    {"A", "\\# 4 010203"},
    {"A", "\\# 4 0102030"},
    {"A", "\\# 65536 00"},
    {"AAAA", "2001:db8::g"},
    {"AAAA", "1:2:3:4:5:6:7:8:9"},
    {"AAAA", "192.0.2.1"},
    {"MX", "65536 a."},
    {"MX", "-1 a."},
    {"MX", "a."},
    {"MX", "10 a..b"},
    {"NS", "\\# 2 0141"},
    {"TXT", ""},
    {"TXT", "\"abc"},
    {"TXT", "\"\\256\""},
    {"TXT", "(\"abc\""},
    {"TXT", "\"abc\")"},
    {"SOA", "a. b. 1 2 3 4"},
    {"SOA", "a. b. 1 2 3 4 5x"},
    {"SOA", "a. b. 1 2 3 4 4294967296"},
    {"SSHFP", "1 1 xx"},
    {"SSHFP", "1 1 123"},
    {"SSHFP", "1 1"},
    {"DS", "1 NOSUCH 1 00"},
    {"DNSKEY", "257 3 13 A"},
    {"DNSKEY", "257 3 13 AQ=A"},
    {"DNSKEY", "257 3 13 A==="},
    {"DNSKEY", "257 3 13 AQ==="},
    {"RRSIG", "A 5 3 86400 20030230000000 20030220173103 1 . AQID"},
    {"RRSIG", "A 5 3 86400 20031322000000 20030220173103 1 . AQID"},
    {"RRSIG", "A 5 3 86400 21060207062816 20030220173103 1 . AQID"},
    {"NSEC", "a. NOSUCH"},
    {"NSEC3", "1 1 1 - !!!!"},
    {"NSEC3", "1 1 1 abc 2vptu5timamqttgl4luu9kg21e0aor3s"},
    {"EUI48", "00-00-5e-00-53"},
    {"EUI48", "00:00:5e:00:53:2a"},
    {"NSAP", "0x123"},
    {"NSAP", "47"},
    {"LOC", "91 N 0 E 0"},
    {"LOC", "90 0 0.001 N 0 E 0"},
    {"LOC", "1 60 N 0 E 0"},
    {"LOC", "1 N 181 E 0"},
    {"LOC", "1 N 1 E -100001m"},
    {"LOC", "1 N 1 E"},
    {"CAA", "0 is-sue x"},
    {"CAA", "0 issue"},
    {"CAA", "256 issue x"},
    {"APL", "3:1.2.3.4/8"},
    {"APL", "1:1.2.3.4/33"},
    {"APL", "1:1.2.3.4"},
    {"IPSECKEY", "10 4 2 . AQ=="},
    {"IPSECKEY", "10 0 2 a. AQ=="},
    {"AMTRELAY", "10 2 0 ."},
    {"WKS", "192.0.2.1"},
    {"WKS", "192.0.2.1 256 1"},
    {"WKS", "192.0.2.1 tcp 65536"},
    {"WKS", "192.0.2.1 tcp nosuch"},
    {"NXT", "a. TYPE128"},
    {"ATMA", "+12a"},
    {"ATMA", "+"},
    {"ATMA", "123"},
    {"A6", "129 a."},
    {"A6", "64 ::1"},
    {"A6", "0 ::1 a."},
    {"A6", "64 192.0.2.1 a."},
    {"HIP", "2 2001 A"},
    {"HIP", "2 200 AQ=="},
    {"HIP", "2 2001"},
    {"DOA", "0 1 2 \"\""},
    {"IPN", "18446744073709551616"},
    {"IPN", "-1"},
    {"DSYNC", "CDS NOTIFIES 53 a."},
    {"SVCB", "1 . port=65536"},
    {"SVCB", "1 . key1=h2"},
    {"SVCB", "1 . key3=443"},
    {"SVCB", "1 . key01=\\002h2"},
    {"SVCB", "1 . mandatory=key03 port=1"},
    {"DS", "1 13 2 2BB183AF5F22588179A53B0A98631FAD1A292118"},
    {"CDS", "1 13 1 00"},
    {"SSHFP", "4 2 00"},
    {"SSHFP", "4 1 00"},
    {"ZONEMD", "1 1 240 000102030405060708090a"},
    {"NID", "10 14:4fff:0"},
    {"NID", "10 14:4fff:0:00014"},
    {"NID", "10 14:4fff::14"},
    {"NID", "10 14:4fff:0:1:2"},
    {"A", "192.0.02.1"},
    {"A", "192.00.2.1"},
    {"SVCB", "1 . port"},
    {"SVCB", "1 . port=1 port=2"},
    {"SVCB", "1 . key3=1 port=2"},
    {"SVCB", "1 . mandatory=port"},
    {"SVCB", "1 . mandatory=mandatory"},
    {"SVCB", "1 . mandatory=port,port port=1"},
    {"SVCB", "1 . alpn="},
    {"SVCB", "1 . alpn=h2,,h3"},
    {"SVCB", "1 . no-default-alpn"},
    {"SVCB", "1 . alpn=h2 no-default-alpn=x"},
    {"SVCB", "1 . ipv4hint=1.2.3"},
    {"SVCB", "1 . ipv6hint=1.2.3.4"},
    {"SVCB", "1 . ech=!"},
    {"SVCB", "1 . key5"},
    {"SVCB", "1 . key65535=x"},
    {"SVCB", "1 . key667=\"x"},
    {"SVCB", "1 . nosuch=1"},
    {"TYPE731", "abcd"},
    {"TYPE731", "\\#"},
};

START_TEST(test_refusals)
{
    static uint8_t data[RDATA_MAX];
    uint16_t type, length = 4711;

    for (size_t i = 0; i < array_length(refused); i++) {
        int err = parse(refused[i].type, refused[i].text, data, &length, &type);
        ck_assert_msg(err == ERR_SYNTAX, "%s %s: %d", refused[i].type, refused[i].text, err);
        ck_assert_uint_eq(length, 4711);
    }
}
END_TEST

START_TEST(test_length_limit)
{
    static char text[200000];
    static uint8_t data[RDATA_MAX];
    uint16_t length;
    size_t used = 0;

    for (int i = 0; i < 257; i++) /* 257 strings of 254 bytes: 65535 */
        used += (size_t)snprintf(text + used, sizeof text - used, "%0254d ", i);
    ck_assert_int_eq(rdata_from_text(DNS_TXT, text, used, origin, data, &length), 0);
    ck_assert_uint_eq(length, 65535);
    used += (size_t)snprintf(text + used, sizeof text - used, "\"\"");
    ck_assert_int_eq(rdata_from_text(DNS_TXT, text, used, origin, data, &length), ERR_SYNTAX);
    memset(text, 'a', 256);
    ck_assert_int_eq(rdata_from_text(DNS_TXT, text, 255, origin, data, &length), 0);
    ck_assert_int_eq(rdata_from_text(DNS_TXT, text, 256, origin, data, &length), ERR_SYNTAX);
}
END_TEST

START_TEST(test_type_names)
{
    char buffer[DNS_TYPE_TEXT_MAX], lower[DNS_TYPE_TEXT_MAX];
    uint16_t type;

    for (unsigned t = 0; t <= UINT16_MAX; t++) {
        dns_type_format((uint16_t)t, buffer);
        ck_assert_int_eq(dns_type_parse(buffer, strlen(buffer), &type), 0);
        ck_assert_uint_eq(type, t);
        for (size_t i = 0; i <= strlen(buffer); i++)
            lower[i] = (char)(buffer[i] >= 'A' && buffer[i] <= 'Z' ? buffer[i] | 0x20 : buffer[i]);
        ck_assert_int_eq(dns_type_parse(lower, strlen(lower), &type), 0);
        ck_assert_uint_eq(type, t);
    }
    const char *const bad[] = {"",   "TYPE",   "TYPE65536", "TYPE1x",
                               "AX", "TYPE-1", "NOSUCH",    "TYPE000001"};
    for (size_t i = 0; i < array_length(bad); i++)
        ck_assert_int_eq(dns_type_parse(bad[i], strlen(bad[i]), &type), ERR_SYNTAX);
    ck_assert(dns_type_is_meta(DNS_ANY) && dns_type_is_meta(DNS_OPT) && dns_type_is_meta(0));
    ck_assert(!dns_type_is_meta(DNS_A) && !dns_type_is_meta(DNS_CAA));
}
END_TEST

START_TEST(test_ttl)
{
    static const struct {
        const char *text;
        uint32_t seconds;
    } right[] = {{"0", 0},
                 {"3600", 3600},
                 {"1h30m", 5400},
                 {"1H30M5S", 5405},
                 {"2d", 172800},
                 {"1w", 604800},
                 {"4294967295", 4294967295},
                 {"90m", 5400}};
    const char *const wrong[] = {"", "h", "1h30", "1x", "-1", "1.5h", "h1"};
    uint32_t s = 0;

    for (size_t i = 0; i < array_length(right); i++) {
        ck_assert_int_eq(ttl_parse(right[i].text, strlen(right[i].text), &s), 0);
        ck_assert_uint_eq(s, right[i].seconds);
    }
    for (size_t i = 0; i < array_length(wrong); i++)
        ck_assert_int_eq(ttl_parse(wrong[i], strlen(wrong[i]), &s), ERR_SYNTAX);
    ck_assert_int_eq(ttl_parse("4294967296", 10, &s), ERR_LIMIT);
    ck_assert_int_eq(ttl_parse("99999999999999999999999w", 24, &s), ERR_LIMIT);
}
END_TEST

START_TEST(test_names_inside)
{
    uint8_t data[RDATA_MAX];
    uint16_t length, at[2];

    ck_assert_int_eq(rdata_from_text(DNS_SOA, "a b 1 2 3 4 5", 13, origin, data, &length), 0);
    ck_assert_uint_eq(rdata_compressible(DNS_SOA, data, at), 2);
    ck_assert(at[0] == 0 && at[1] == 15);
    ck_assert_uint_eq(rdata_compressible(DNS_MX, (const uint8_t *)"\0\1", at), 1);
    ck_assert_uint_eq(at[0], 2);
    ck_assert_uint_eq(rdata_compressible(DNS_NS, (const uint8_t *)"", at), 1);
    ck_assert_uint_eq(rdata_compressible(DNS_SRV, data, at), 0);
    ck_assert_uint_eq(rdata_compressible(DNS_DNAME, data, at), 0);
    ck_assert_uint_eq(rdata_compressible(65400, data, at), 0);
}
END_TEST

START_TEST(test_targets)
{
    struct rdata_target t;

    ck_assert(rdata_target(DNS_SRV, (const uint8_t *)"\0\0\0\0\0\0\1a", &t));
    ck_assert(t.offset == 6 && t.length == 3 && !t.alias);
    ck_assert_mem_eq(t.name, "\1a", 3);
    ck_assert(rdata_target(DNS_NS, (const uint8_t *)"\1b", &t) && t.offset == 0);
    /* RFC 9460 2.4.2, 2.5: ServiceMode, whose names keep their case; its owner; an alias; none */
    ck_assert(rdata_target(DNS_HTTPS, (const uint8_t *)"\0\1\2Ab\0\0\1\0\0", &t));
    ck_assert(t.offset == 2 && t.length == 4 && !t.alias);
    ck_assert_mem_eq(t.name, "\2ab", 4);
    ck_assert(rdata_target(DNS_SVCB, (const uint8_t *)"\1\0\0", &t));
    ck_assert(t.length == 0 && !t.alias);
    ck_assert(rdata_target(DNS_SVCB, (const uint8_t *)"\0\0\1a", &t) && t.alias);
    ck_assert(!rdata_target(DNS_HTTPS, (const uint8_t *)"\0\0\0", &t));
    ck_assert(!rdata_target(DNS_A, (const uint8_t *)"\0\0\0\0", &t));
    ck_assert(!rdata_has_target(DNS_A) && rdata_has_target(DNS_SVCB));
}
END_TEST

/* A parameter whose bytes are many times its text's, and that has to be moved. */
START_TEST(test_large_parameter)
{
    enum { HINTS = 4000, HEAD = 3, PARAM = 4, SIZE = HEAD + PARAM + 16 * HINTS + PARAM + 2 };
    static const uint8_t root[] = "";
    static uint8_t data[RDATA_MAX];
    struct text text = text_init(1 << 16);
    uint16_t length = 0;

    text_append(&text, "1 . ipv6hint=::1");
    for (unsigned i = 1; i < HINTS; i++)
        text_append(&text, ",::1");
    text_append(&text, " alpn=h");
    ck_assert_int_eq(
        rdata_from_text(DNS_SVCB, text_string(&text), text.length, root, data, &length), 0);
    ck_assert_uint_eq(length, SIZE);
    ck_assert_mem_eq(data + HEAD, "\0\1\0\2\1h\0\6\xfa\0", 2 * PARAM + 2);
    for (unsigned i = 0; i < 16 * HINTS; i++)
        ck_assert_uint_eq(data[SIZE - 16 * HINTS + i], i % 16 == 15);
    text_done(&text);
}
END_TEST

START_TEST(test_lower)
{
    uint8_t mx[] = "\0\12\4MaIl\0", txt[] = "\1A", srv[] = "\0\0\0\0\0\0\2Ab";
    ck_assert(!rdata_check(DNS_MX, mx, 8));
    ck_assert(rdata_lower(DNS_MX, mx, 8));
    ck_assert_mem_eq(mx, "\0\12\4mail\0", 8);
    ck_assert(rdata_check(DNS_MX, mx, 8));
    ck_assert(rdata_lower(DNS_TXT, txt, 2));
    ck_assert_uint_eq(txt[1], 'A');
    ck_assert(rdata_lower(65400, txt, 2));
    ck_assert(!rdata_lower(DNS_MX, mx, 7));
    ck_assert(!rdata_lower(DNS_MX, mx, 9));
    ck_assert(!rdata_lower(DNS_SRV, srv, 9)); /* the name does not end */
}
END_TEST

CHECK_MAIN("rdata", test_examples, test_damage, test_refusals, test_length_limit, test_type_names,
           test_ttl, test_names_inside, test_targets, test_large_parameter, test_lower)
