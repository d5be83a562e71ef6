/* For tests: an intent with a panel, controls, rules and users, and requests signed by one of them.
 */
#pragma once

#include "base/err.h"
#include "base/invariant.h"
#include "command/arc.h"
#include "command/command.h"
#include "wire/sigv4_canonical.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RIG_WALL = 1795320306 /* 2026-11-22T04:05:06Z */ };
#define RIG_KEY    "HFAK0000000000000001"
#define RIG_SECRET "abcdefghijklmnopqrstuvwxyz0123456789ABCD"

struct arc_rig {
    struct config *config;
    struct intent intent;
    struct arc_meter meters[ARC_SERVICES];
    struct arc_result result;
    usec_t now;
    char head[16384];
};

static inline void rig_change(struct arc_rig *rig, const char *proposal)
{
    struct text why = text_init(COMMAND_SENTENCE_MAX);
    struct intent next;
    int err = command_apply(&rig->intent, proposal, strlen(proposal), RIG_WALL * INT64_C(1000),
                            &next, &why);
    invariant(err == 0);
    intent_done(&rig->intent);
    rig->intent = next;
    rig->intent.config = rig->config;
    text_done(&why);
}

#define RIG_PROPOSAL(edits) "{\"op\":\"change\",\"author\":\"rig\",\"edits\":[" edits "]}"
#define RIG_USER(name, id, statements)                                                       \
    "{\"kind\":\"user\",\"name\":\"" name "\",\"value\":{\"keys\":[{\"id\":\"" id            \
    "\",\"secret\":\"" RIG_SECRET "\",\"status\":\"Active\",\"made_ms\":1}],\"statements\":" \
    "[" statements "]}}"

static inline void rig_open(struct arc_rig *rig)
{
    static const char file[] = "node: {name: n, site: s, network: AS64500}\n"
                               "zones: [{name: example.com, file: f}]\n"
                               "api: {listen: \"127.0.0.1:8090\"}\n";
    struct text problems = text_init(10000);
    memset(rig, 0, sizeof *rig);
    int err = config_parse("x", file, sizeof file - 1, NULL, &problems, &rig->config);
    invariant(err == 0);
    rig->intent.config = rig->config;
    rig->now = USEC_PER_HOUR;
    rig_change(rig,
               RIG_PROPOSAL("{\"kind\":\"panel\",\"name\":\"web\",\"value\":{}},"
                            "{\"kind\":\"control\",\"name\":\"web/"
                            "eu\",\"value\":{\"state\":\"On\"}},"
                            "{\"kind\":\"control\",\"name\":\"web/"
                            "us\",\"value\":{\"state\":\"On\"}},"
                            "{\"kind\":\"rule\",\"name\":\"web/"
                            "one\",\"value\":{\"type\":\"assertion\",\"controls\":["
                            "\"eu\",\"us\"],\"rule\":\"ATLEAST\",\"threshold\":1,\"wait_ms\":0}}"
                            "," RIG_USER("root", RIG_KEY,
                                         "{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*"
                                         "\"}") "," RIG_USER("reader", "HFAK0000000000000002",
                                                             "{\"Effect\":\"Allow\",\"Action\":"
                                                             "\"route53-recovery-cluster:G*State\","
                                                             "\"Resource\":"
                                                             "\"web/?s\"}")));
}

static inline void rig_close(struct arc_rig *rig)
{
    arc_result_done(&rig->result);
    intent_done(&rig->intent);
    config_free(rig->config);
}

static inline void rig_hex(const uint8_t *hash, char hex[static 65])
{
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

/* The signature of what the head says and this body. */
static inline void rig_sign(const struct sigv4_request *r, const char *service, char hex[static 65])
{
    struct sigv4 s = {.signed_headers = "host;x-amz-date;x-amz-target"};
    struct text text = text_init(SIGV4_CANONICAL_MAX);
    uint8_t hash[32], key[32];
    unsigned length;
    EVP_Digest(r->body.data ? r->body.data : (const uint8_t *)"", r->body.length, hash, NULL,
               EVP_sha256(), NULL);
    rig_hex(hash, hex);
    if (!sigv4_canonical(r, &s, sigv4_bytes(hex), &text))
        text_reset(&text);
    EVP_Digest(text_string(&text), text.length, hash, NULL, EVP_sha256(), NULL);
    rig_hex(hash, hex);
    text_reset(&text);
    text_appendf(&text, "AWS4-HMAC-SHA256\n20261122T040506Z\n20261122/r/%s/aws4_request\n%s",
                 service, hex);
    const char *const parts[] = {"20261122", "r", service, "aws4_request", text_string(&text)};
    HMAC(EVP_sha256(), "AWS4" RIG_SECRET, 44, (const uint8_t *)parts[0], strlen(parts[0]), key,
         &length);
    for (int i = 1; i < 5; i++)
        HMAC(EVP_sha256(), key, 32, (const uint8_t *)parts[i], strlen(parts[i]), key, &length);
    rig_hex(key, hex);
    text_done(&text);
}

/* Runs a request; false: it is no HTTP. target NULL: the configuration API. */
static inline bool rig_run(struct arc_rig *rig, const char *key, const char *method,
                           const char *path, const char *target, struct bytes body)
{
    const char *service = target ? "route53-recovery-cluster" : "route53-recovery-control-config";
    struct http1_parser parser = {0}, again = {0};
    struct http1_request head;
    char signature[65] = "";
    size_t used;
    for (int round = 0; round < 2; round++) {
        int n = snprintf(rig->head, sizeof rig->head,
                         "%s %s HTTP/1.1\r\nHost: x\r\nX-Amz-Date: 20261122T040506Z\r\n%s%s%s"
                         "Authorization: AWS4-HMAC-SHA256 Credential=%s/20261122/r/%s/"
                         "aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, "
                         "Signature=%s\r\n\r\n",
                         method, path, target ? "X-Amz-Target: " : "", target ? target : "",
                         target ? "\r\n" : "", key, service, signature);
        if (n < 0 || (size_t)n >= sizeof rig->head ||
            http1_parse(round ? &again : &parser, rig->head, (size_t)n, &head, &used))
            return false;
        if (round)
            break;
        struct sigv4_request r = {http1_method_name(head.method),
                                  head.path,
                                  head.query,
                                  head.headers,
                                  head.header_count,
                                  body};
        rig_sign(&r, service, signature);
    }
    arc_result_done(&rig->result);
    arc_run(&(struct arc_input){.request = &head,
                                .body = body,
                                .intent = &rig->intent,
                                .wall_ms = RIG_WALL * INT64_C(1000),
                                .now = rig->now,
                                .request_id = "00000000-0000-4000-8000-000000000000",
                                .meters = rig->meters},
            &rig->result);
    return true;
}

/* Does what the door does with a change; the result is then a reply. */
static inline void rig_finish(struct arc_rig *rig)
{
    struct command_result proposed;
    struct text why = text_init(COMMAND_SENTENCE_MAX);
    struct intent next;
    if (!rig->result.change)
        return;
    command_run(&(struct command_input){.line = rig->result.change,
                                        .length = strlen(rig->result.change),
                                        .author = rig->result.author,
                                        .intent = &rig->intent,
                                        .wall_ms = RIG_WALL * INT64_C(1000)},
                &proposed);
    int err = proposed.err;
    if (proposed.effect == COMMAND_INTENT)
        err = command_apply(&rig->intent, proposed.proposal, strlen(proposed.proposal),
                            RIG_WALL * INT64_C(1000), &next, &why);
    else
        text_append(&why, proposed.message ? proposed.message : "");
    if (!err) {
        intent_done(&rig->intent);
        rig->intent = next;
        rig->intent.config = rig->config;
    }
    arc_finish(&rig->result, &rig->intent, err, text_string(&why));
    command_result_done(&proposed);
    text_done(&why);
}
