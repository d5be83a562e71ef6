/* What the name server says of itself, and what it grants to whom. */
#include "model/config_link.h"
#include <string.h>

#define AT(type, field) offsetof(struct type, field)

enum { HEX_SECRET = 32, NSID_MAX = 128 };

static bool is_hex(const char *text)
{
    return text[strspn(text, "0123456789abcdefABCDEF")] == 0;
}

static bool cookie_secret_read(struct reading *r, const struct tree *node, const struct key *key,
                               void *slot)
{
    const char *text = node->kind == TREE_SCALAR ? node->text : "";
    if (strlen(text) == HEX_SECRET && is_hex(text)) {
        *(const char **)slot = arena_string(r->keep, text, HEX_SECRET);
        return true;
    }
    /* not repeated: a secret with a slip is still a secret */
    problem_add(r->problems, node->place, "%s is not a secret; it wants %s", key->name,
                type_cookie_secret.wanted);
    return false;
}

static void cookie_secret_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^[0-9A-Fa-f]{32}$");
}

const struct type type_cookie_secret = {"16 bytes as 32 hexadecimal digits in quotes",
                                        cookie_secret_read, cookie_secret_schema};

static bool nsid_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    const char *text = reading_scalar(r, node, key, type_nsid.wanted);
    if (!text)
        return false;
    size_t length = strlen(text);
    bool hex = strncmp(text, "0x", 2) == 0;
    if (hex ? length < 4 || length % 2 || length > 2 + 2 * NSID_MAX || !is_hex(text + 2)
            : !length || length > NSID_MAX)
        return reading_refuse(r, node, key, type_nsid.wanted);
    *(const char **)slot = arena_string(r->keep, text, length);
    return true;
}

static void nsid_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^(0x([0-9A-Fa-f]{2}){1,128}|(?!0x).{1,128})$");
}

const struct type type_nsid = {"text, or 0x and an even number of hexadecimal digits; up to 128 "
                               "bytes",
                               nsid_read, nsid_schema};

static const struct key chaos_keys[] = {
    {"version", &type_text, AT(draft_root, dns.answers.version),
     .help = "text for version.bind and version.server; refused without"},
    {"id", &type_text, AT(draft_root, dns.answers.id),
     .help = "text for id.server and hostname.bind (RFC 4892); refused without"},
};

const struct shape shape_chaos = {
    "dns_chaos", "chaos", chaos_keys, array_length(chaos_keys),
    .help = "What is answered in the class CHAOS, to `dig CH TXT id.server` and its like."};

static const struct key cookie_keys[] = {
    {"enabled", &type_bool, AT(draft_root, dns.answers.cookies), .standard = "true",
     .help = "give cookies to clients that ask for them"},
    {"secret", &type_cookie_secret, AT(draft_root, dns.answers.cookie_secret),
     .help = "what they are made with; the same on all nodes that share an address"},
    {"previous", &type_cookie_secret, AT(draft_root, dns.answers.cookie_previous),
     .help = "the secret before, accepted while clients learn the new one (an hour)"},
    {"file", &type_path, AT(draft_root, dns.answers.cookie_file),
     .help = "instead of these a file with up to three secrets, one a line: cookies are made with "
             "the first and accepted with each; read again when it changes"},
    {"rotate", &type_duration, AT(draft_root, dns.answers.cookie_rotate), .min = USEC_PER_HOUR,
     .max = 365 * USEC_PER_DAY, .standard = "1d",
     .help = "without secret and file each node makes secrets of its own, and a new one this "
             "often; cookies made with the two before are accepted"},
    {"required", &type_bool, AT(draft_root, dns.answers.cookies_required), .standard = "false",
     .help = "answer BADCOOKIE over UDP to who sends a cookie that is not good; clients without "
             "any are served"},
};

const struct shape shape_cookies = {"dns_cookies", "cookies", cookie_keys,
                                    array_length(cookie_keys),
                                    .help = "DNS cookies (RFC 7873, RFC 9018): proof that a client "
                                            "is where it says it is."};

static const struct key rrl_keys[] = {
    {"rate", &type_integer, AT(draft_root, dns.answers.rrl_rate), .min = 0, .max = 1000000,
     .standard = "0",
     .help = "responses a second to one network (/24 or /56) for one name, for all names that are "
             "not in a zone, or for one kind of error; 0 is no limit"},
    {"all", &type_integer, AT(draft_root, dns.answers.rrl_all), .min = 0, .max = 1000000,
     .standard = "0",
     .help = "responses a second to one network for everything together, since a flood may ask for "
             "many names: some times the rate; 0 is no limit"},
    {"slip", &type_integer, AT(draft_root, dns.answers.rrl_slip), .min = 0, .max = 100,
     .standard = "2",
     .help = "one in so many of those held back is sent empty and truncated, so that a real client "
             "asks again over TCP; 0 is none"},
    {"table", &type_integer, AT(draft_root, dns.answers.rrl_table), .min = 64, .max = 1 << 24,
     .standard = "65536",
     .help = "networks and names known at once, for each thread; 16 bytes each, and as many again "
             "for networks alone where `all` is set"},
};

const struct shape shape_rrl = {
    "dns_rrl", "rrl", rrl_keys, array_length(rrl_keys),
    .help = "Response rate limiting over UDP: a bound on what a flood under a false address gives "
            "its victim. Clients with a good cookie are not limited."};
