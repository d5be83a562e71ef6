#include "test/check_main.h"
#include "wire/sigv4.h"
#include <stdio.h>
#include <string.h>

/* A request as lines "Name:value\n"; the parts live as long as it does. */
struct rig {
    struct http1_header headers[16];
    struct sigv4_request request;
    struct sigv4_rules rules;
    struct text why;
    char lines[2048];
};

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void headers_add(struct rig *rig, char *lines)
{
    for (char *end; (end = strchr(lines, '\n')); lines = end + 1) {
        char *colon = strchr(lines, ':');
        *colon = *end = 0;
        colon += 1 + strspn(colon + 1, " ");
        rig->headers[rig->request.header_count++] =
            (struct http1_header){bytes_of(lines), bytes_of(colon)};
        *strchr(lines, 0) = 0;
    }
}

/* target: path?query; headers: lines. */
static void rig_make(struct rig *rig, const char *method, const char *target, const char *headers,
                     const char *body)
{
    const char *mark = strchr(target, '?');
    memset(rig, 0, sizeof *rig);
    snprintf(rig->lines, sizeof rig->lines, "%s", headers);
    rig->request = (struct sigv4_request){
        .method = method,
        .path = {(const uint8_t *)target, mark ? (size_t)(mark - target) : strlen(target)},
        .query = bytes_of(mark ? mark + 1 : ""),
        .headers = rig->headers,
        .body = bytes_of(body),
    };
    headers_add(rig, rig->lines);
    rig->why = text_init(SIGV4_WHY_MAX);
}

static enum sigv4_outcome rig_run(struct rig *rig)
{
    struct sigv4 s;
    text_reset(&rig->why);
    enum sigv4_outcome outcome = sigv4_find(&rig->request, &s, &rig->why);
    if (!outcome)
        outcome = sigv4_verify(&rig->request, &s, &rig->rules, &rig->why);
    ck_assert_int_eq(outcome == SIGV4_GOOD, rig->why.length == 0);
    return outcome;
}

/* ---- AWS's published suite ---- */

enum { SUITE_WALL = 1440938160 }; /* 2015-08-30T12:36:00Z */
static const char suite_secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

static const struct vector {
    const char *method, *target, *headers, *names, *signature, *body;
} vectors[] = {
    {"GET", "/",
     "My-Header1:value2\n"
     "My-Header1:value2\n"
     "My-Header1:value1\n",
     "host;my-header1;x-amz-date",
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea", ""},
    {"GET", "/",
     "My-Header1:value4\n"
     "My-Header1:value1\n"
     "My-Header1:value3\n"
     "My-Header1:value2\n",
     "host;my-header1;x-amz-date",
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01", ""},
    {"GET", "/",
     "My-Header1: value1\n"
     "My-Header2: \"a   b   c\"\n",
     "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736", ""},
    {"GET", "/example/..", "", "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", ""},
    {"GET", "/example1/example2/../..", "", "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", ""},
    {"GET", "/./", "", "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", ""},
    {"GET", "//", "", "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", ""},
    {"GET", "/./example", "", "host;x-amz-date",
     "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5", ""},
    {"GET", "//example//", "", "host;x-amz-date",
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84", ""},
    {"GET", "/example space/", "", "host;x-amz-date",
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741", ""},
    {"GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "",
     "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f", ""},
    {"GET", "/\341\210\264", "", "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85", ""},
    {"GET", "/", "", "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", ""},
    {"GET", "/?Param1=value1", "", "host;x-amz-date",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb", ""},
    {"GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "", "host;x-amz-date",
     "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac", ""},
    {"GET", "/?Param2=value2&Param1=value1", "", "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", ""},
    {"GET",
     "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGH"
     "IJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     "", "host;x-amz-date", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197", ""},
    {"GET", "/?\341\210\264=bar", "", "host;x-amz-date",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04", ""},
    {"GET", "/",
     "X-Amz-Security-Token:6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267\n",
     "host;x-amz-date;x-amz-security-token",
     "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8", ""},
    {"POST", "/", "", "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", ""},
    {"POST", "/", "My-Header1:value1\n", "host;my-header1;x-amz-date",
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c", ""},
    {"POST", "/", "My-Header1:VALUE1\n", "host;my-header1;x-amz-date",
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d", ""},
    {"POST", "/",
     "X-Amz-Security-Token:AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWs"
     "KWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8ph"
     "UZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0"
     "iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==\n",
     "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", ""},
    {"POST", "/",
     "X-Amz-Security-Token:AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWs"
     "KWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8ph"
     "UZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0"
     "iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==\n",
     "host;x-amz-date;x-amz-security-token",
     "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead", ""},
    {"POST", "/?Param1=value1", "", "host;x-amz-date",
     "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11", ""},
    {"POST", "/",
     "Content-Type:application/x-www-form-urlencoded\n"
     "Content-Length:13\n"
     "x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e\n",
     "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
     "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b", "Param1=value1"},
    {"POST", "/",
     "Content-Type:application/x-www-form-urlencoded; charset=utf-8\n"
     "Content-Length:13\n"
     "x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e\n",
     "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
     "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422", "Param1=value1"},
};

static void vector_make(struct rig *rig, const struct vector *v, const char *body)
{
    char headers[2048];
    snprintf(headers, sizeof headers,
             "Host:example.amazonaws.com\nX-Amz-Date:20150830T123600Z\n%sAuthorization:"
             "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
             "SignedHeaders=%s, Signature=%s\n",
             v->headers, v->names, v->signature);
    rig_make(rig, v->method, v->target, headers, body);
    rig->rules =
        (struct sigv4_rules){.secret = suite_secret, .service = "service", .wall = SUITE_WALL + 1};
}

START_TEST(test_suite)
{
    struct rig rig;
    for (size_t i = 0; i < array_length(vectors); i++) {
        vector_make(&rig, &vectors[i], vectors[i].body);
        enum sigv4_outcome outcome = rig_run(&rig);
        ck_assert_msg(outcome == SIGV4_GOOD, "vector %zu: %s", i, text_string(&rig.why));
        rig.rules.secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEZ";
        ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
        text_done(&rig.why);
        vector_make(&rig, &vectors[i], "another body");
        ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
        text_done(&rig.why);
    }
}
END_TEST

#define PRESIGNED                                                                            \
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2" \
    "Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders="

START_TEST(test_suite_presigned)
{
    static const struct {
        const char *method, *target, *headers, *body;
    } list[] = {
        {"GET",
         "/?" PRESIGNED "host&X-Amz-Expires=3600&X-Amz-Signature="
         "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
         "", ""},
        {"GET",
         "/?" PRESIGNED "host&X-Amz-Expires=3600&X-Amz-Security-Token="
         "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267&X-Amz-Signature="
         "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c",
         "", ""},
        {"POST",
         "/?" PRESIGNED "content-length%3Bcontent-type%3Bhost&X-Amz-Expires=3600&X-Amz-Signature="
         "89a40deed0f26f9461242825a082d2222717248abc7ab41f552ad84a94ad46e9",
         "Content-Type:application/x-www-form-urlencoded\nContent-Length:13\n", "Param1=value1"},
    };
    for (size_t i = 0; i < array_length(list); i++) {
        char headers[256];
        struct rig rig;
        snprintf(headers, sizeof headers, "Host:example.amazonaws.com\n%s", list[i].headers);
        rig_make(&rig, list[i].method, list[i].target, headers, list[i].body);
        rig.rules = (struct sigv4_rules){
            .secret = suite_secret, .service = "service", .wall = SUITE_WALL + 3600};
        ck_assert_msg(rig_run(&rig) == SIGV4_GOOD, "%zu: %s", i, text_string(&rig.why));
        rig.rules.wall++;
        ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
        ck_assert_ptr_nonnull(strstr(text_string(&rig.why), "Signature expired: "));
        rig.rules.wall = SUITE_WALL - SIGV4_SKEW_S - 1;
        ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
        ck_assert_ptr_nonnull(strstr(text_string(&rig.why), "not yet current"));
        text_done(&rig.why);
    }
}
END_TEST

/* ---- what botocore 1.29 signs for the two services of Route 53 ARC ---- */

enum { BOTO_WALL = 1795320306 }; /* 2026-11-22T04:05:06Z */
static const char boto_secret[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCD";

static void boto_data_plane(struct rig *rig, const char *target, const char *body)
{
    char headers[1024];
    snprintf(headers, sizeof headers,
             "Host:127.0.0.1:8090\nX-Amz-Target:%s\nContent-Type:application/x-amz-json-1.0\n"
             "User-Agent:Boto3/1.26\nX-Amz-Date:20261122T040506Z\nAuthorization:AWS4-HMAC-SHA256 "
             "Credential=AKIAHOLDFAST00000001/20261122/us-west-2/route53-recovery-cluster/"
             "aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="
             "cc4d4afd459d2ae5f8d7fb43967b6de6df353b1bfd6ec0ecd62aab0a3f402ec2\n",
             target);
    rig_make(rig, "POST", "/", headers, body);
    rig->rules = (struct sigv4_rules){
        .secret = boto_secret, .service = "route53-recovery-cluster", .wall = BOTO_WALL};
}

static const char get_state[] = "ToggleCustomerAPI.GetRoutingControlState";
static const char get_state_body[] =
    "{\"RoutingControlArn\": \"arn:aws:route53-recovery-control::000000000000:controlpanel/a/"
    "routingcontrol/b\"}";

START_TEST(test_botocore)
{
    struct rig rig;
    boto_data_plane(&rig, get_state, get_state_body);
    ck_assert_msg(rig_run(&rig) == SIGV4_GOOD, "%s", text_string(&rig.why));
    text_done(&rig.why);
    rig_make(&rig, "GET",
             "/controlpanel/arn%3Aaws%3Aroute53-recovery-control%3A%3A1%3Acontrolpanel%2Fab/"
             "routingcontrols?MaxResults=2&NextToken=a%2Bb%3D%3D",
             "Host:127.0.0.1:8090\nX-Amz-Date:20261122T040506Z\nAuthorization:AWS4-HMAC-SHA256 "
             "Credential=AKIAHOLDFAST00000001/20261122/us-west-2/route53-recovery-control-config/"
             "aws4_request, SignedHeaders=host;x-amz-date, "
             "Signature=d1a8d4b7b7d751a72fd5237681044341244929a1794913b58a0b5defa83dd5f5\n",
             "");
    rig.rules = (struct sigv4_rules){
        .secret = boto_secret, .service = "route53-recovery-control-config", .wall = BOTO_WALL};
    ck_assert_msg(rig_run(&rig) == SIGV4_GOOD, "%s", text_string(&rig.why));
    text_done(&rig.why);
    rig_make(&rig, "GET",
             "/tags/arn%3Aaws?TagKeys=b&X-Amz-Algorithm=AWS4-HMAC-SHA256&"
             "X-Amz-Credential=AKIAHOLDFAST00000001%2F20261122%2Fus-west-2%2F"
             "route53-recovery-control-config%2Faws4_request&X-Amz-Date=20261122T040506Z&"
             "X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="
             "46ed412a76ac3d2be18a05c39c89c44abb0cac5c3ea13bd7fc2f630f06abc65a",
             "Host:127.0.0.1:8090\n", "");
    rig.rules = (struct sigv4_rules){
        .secret = boto_secret, .service = "route53-recovery-control-config", .wall = BOTO_WALL};
    ck_assert_msg(rig_run(&rig) == SIGV4_GOOD, "%s", text_string(&rig.why));
    text_done(&rig.why);
}
END_TEST

/* Whatever somebody on the way changes shows. */
START_TEST(test_tampered)
{
    struct rig rig;
    boto_data_plane(&rig, "ToggleCustomerAPI.ListRoutingControls", get_state_body);
    ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
    text_done(&rig.why);
    boto_data_plane(&rig, get_state, "{}");
    ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
    ck_assert_ptr_nonnull(strstr(text_string(&rig.why), "does not match the signature you"));
    text_done(&rig.why);
    boto_data_plane(&rig, get_state, get_state_body);
    rig.request.method = "PUT";
    ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
    rig.request.method = "POST";
    rig.request.query = bytes_of("a");
    ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
    rig.request.query = bytes_of("");
    rig.request.path = bytes_of("/x");
    ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
    rig.request.path = bytes_of("/");
    ck_assert_int_eq(rig_run(&rig), SIGV4_GOOD);
    /* a header that was not there, and would say something else */
    rig.headers[rig.request.header_count++] =
        (struct http1_header){bytes_of("X-Amz-More"), bytes_of("1")};
    ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
    ck_assert_str_eq(text_string(&rig.why),
                     "'X-Amz-More' must be a 'SignedHeader' in the AWS Authorization.");
    rig.headers[rig.request.header_count - 1].name = bytes_of("X-Amz-Target");
    ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
    /* one that nobody signs may come on the way */
    rig.headers[rig.request.header_count - 1].name = bytes_of("Via");
    ck_assert_int_eq(rig_run(&rig), SIGV4_GOOD);
    /* the hash of the body, when it is told as well */
    rig.headers[rig.request.header_count - 1] =
        (struct http1_header){bytes_of("x-amz-content-sha256"), bytes_of("UNSIGNED-PAYLOAD")};
    rig.rules.unsigned_payload = true;
    ck_assert_int_eq(rig_run(&rig), SIGV4_INVALID);
    text_done(&rig.why);
}
END_TEST

START_TEST(test_clock)
{
    static const struct {
        int offset;
        const char *why;
    } list[] = {
        {SIGV4_SKEW_S, NULL},
        {SIGV4_SKEW_S + 1,
         "Signature expired: 20261122T040506Z is now earlier than 20261122T040507Z "
         "(20261122T042007Z - 15 min.)"},
        {-SIGV4_SKEW_S, NULL},
        {-SIGV4_SKEW_S - 1,
         "Signature not yet current: 20261122T040506Z is still later than 20261122T040505Z "
         "(20261122T035005Z + 15 min.)"},
    };
    struct rig rig;
    boto_data_plane(&rig, get_state, get_state_body);
    for (size_t i = 0; i < array_length(list); i++) {
        rig.rules.wall = BOTO_WALL + list[i].offset;
        ck_assert_int_eq(rig_run(&rig), list[i].why ? SIGV4_INVALID : SIGV4_GOOD);
        ck_assert_str_eq(text_string(&rig.why), list[i].why ? list[i].why : "");
    }
    text_done(&rig.why);
}
END_TEST

#define SCOPE     "Credential=AKID/20150830/us-east-1/service/aws4_request"
#define NAMES     ", SignedHeaders=host;x-amz-date"
#define SIGNATURE ", Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

START_TEST(test_incomplete)
{
    static const struct {
        const char *headers, *query;
        enum sigv4_outcome outcome;
        const char *why;
    } list[] = {
        {"", "", SIGV4_MISSING, "Missing Authentication Token"},
        {"Authorization:Bearer x\n", "", SIGV4_INCOMPLETE, "algorithm"},
        {"Authorization:AWS4-HMAC-SHA256" NAMES SIGNATURE "\n", "", SIGV4_INCOMPLETE,
         "Authorization header requires 'Credential' parameter."},
        {"Authorization:AWS4-HMAC-SHA256 " SCOPE NAMES "\n", "", SIGV4_INCOMPLETE,
         "'Signature' parameter"},
        {"Authorization:AWS4-HMAC-SHA256 " SCOPE SIGNATURE "\n", "", SIGV4_INCOMPLETE,
         "'SignedHeaders' parameter"},
        {"Authorization:AWS4-HMAC-SHA256 " SCOPE NAMES SIGNATURE "\n", "", SIGV4_INCOMPLETE,
         "'X-Amz-Date' or a 'Date' header"},
        {"X-Amz-Date:20150230\nAuthorization:AWS4-HMAC-SHA256 " SCOPE NAMES SIGNATURE "\n", "",
         SIGV4_INCOMPLETE, "Date must be in ISO-8601 'basic format'. Got '20150230'"},
        {"X-Amz-Date:20150830T123600Z\nAuthorization:AWS4-HMAC-SHA256 Credential=AKID/20150830/"
         "us-east-1/aws4_request" NAMES SIGNATURE "\n",
         "", SIGV4_INCOMPLETE, "exactly 5 slash-delimited elements"},
        {"X-Amz-Date:20150830T123600Z\nAuthorization:AWS4-HMAC-SHA256 " SCOPE NAMES SIGNATURE "\n",
         "X-Amz-Signature=0", SIGV4_INCOMPLETE, "only one is allowed"},
        {"X-Amz-Date:20150831T003600Z\nAuthorization:AWS4-HMAC-SHA256 " SCOPE NAMES SIGNATURE "\n",
         "", SIGV4_INVALID, "'20150830' != '20150831', from '20150831T003600Z'."},
        {"X-Amz-Date:20150830T123600Z\nAuthorization:AWS4-HMAC-SHA256 " SCOPE
         ", SignedHeaders=x-amz-date" SIGNATURE "\n",
         "", SIGV4_INVALID, "'Host' must be a 'SignedHeader'"},
        {"X-Amz-Date:20150830T123600Z\nAuthorization:AWS4-HMAC-SHA256 Credential=AKID/20150830/"
         "us-east-1/dynamodb/aws4_request" NAMES SIGNATURE "\n",
         "", SIGV4_INVALID, "Credential should be scoped to correct service: 'service'."},
        {"", "X-Amz-Signature=0", SIGV4_INCOMPLETE, "'X-Amz-Algorithm'"},
        {"", PRESIGNED "host&X-Amz-Expires=604801&X-Amz-Signature=0", SIGV4_INCOMPLETE,
         "'X-Amz-Expires' to be 1 to 604800 seconds"},
        {"", PRESIGNED "&X-Amz-Expires=1&X-Amz-Signature=0", SIGV4_INCOMPLETE,
         "'X-Amz-SignedHeaders'"},
    };
    for (size_t i = 0; i < array_length(list); i++) {
        struct rig rig;
        rig_make(&rig, "GET", "/", list[i].headers, "");
        rig.request.query = bytes_of(list[i].query);
        rig.rules =
            (struct sigv4_rules){.secret = suite_secret, .service = "service", .wall = SUITE_WALL};
        ck_assert_msg(rig_run(&rig) == list[i].outcome, "%zu: %s", i, text_string(&rig.why));
        ck_assert_msg(strstr(text_string(&rig.why), list[i].why) != NULL, "%zu: %s", i,
                      text_string(&rig.why));
        text_done(&rig.why);
    }
}
END_TEST

/* The Date header will do where there is no other. */
START_TEST(test_date_header)
{
    struct rig rig;
    struct sigv4 s;
    rig_make(&rig, "GET", "/",
             "Date:Sun, 30 Aug 2015 12:36:00 GMT\nAuthorization:AWS4-HMAC-SHA256 " SCOPE
             ",SignedHeaders=date;host" SIGNATURE "\n",
             "");
    ck_assert_int_eq(sigv4_find(&rig.request, &s, &rig.why), SIGV4_GOOD);
    ck_assert_int_eq(s.wall, SUITE_WALL);
    ck_assert_str_eq(s.signed_headers, "date;host");
    text_done(&rig.why);
}
END_TEST

CHECK_MAIN("sigv4", test_suite, test_suite_presigned, test_botocore, test_tampered, test_clock,
           test_incomplete, test_date_header)
