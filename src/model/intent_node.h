/* Nodes of the cluster, invitations to it and its authorities, as objects of the intent:
 *
 *   node      "tokyo-1"  {"id": 1, "address": "192.0.2.1:7443", "key": "9f86...", "role": "voter",
 *                         "site": "tokyo", "network": "AS64500"}; "api", where clients reach
 *                         its API ("https://arc1.example.com"), if it has one; "next_key" while it
 * takes another into use, and "authority": who signed the certificate of the newest invite "7h2kq0"
 * {"key": "...", "expires_ms": 1767225600000, "role": "learner"} authority "ab12..."
 * {"certificate": "-----BEGIN CERTIFICATE-----..."}
 *
 * A key is the SHA-256 of a SubjectPublicKeyInfo in hexadecimal digits; that of an invitation is
 * the Ed25519 public key itself whose private key is the token's secret.
 *
 * Invariants: a number (id) and a key belong to one node, and a number is never used again; who is
 * expelled stays so; there is a voter wherever there are nodes. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "model/intent.h"

enum node_role { NODE_VOTER, NODE_LEARNER, NODE_EXPELLED };
enum {
    NODE_ROLES = 3,
    NODE_KEY_SIZE = 32,
    NODE_KEY_TEXT = 2 * NODE_KEY_SIZE + 1,
    NODE_TEXT_SIZE = 256, /* of a site or a network, with the NUL */
    AUTHORITY_TEXT_MAX = 8192,
    NODES_MAX = 64, /* that are not expelled */
};
const_function const char *node_role_name(enum node_role role);

/* What an object `node` says; of an invitation key and role alone. */
struct node {
    uint64_t id;
    struct ip ip;
    uint16_t port;
    bool has_next_key, has_authority;
    enum node_role role;
    uint8_t key[NODE_KEY_SIZE], next_key[NODE_KEY_SIZE], authority[NODE_KEY_SIZE];
    char site[NODE_TEXT_SIZE], network[NODE_TEXT_SIZE];
    char api[NODE_TEXT_SIZE]; /* "": none */
};

/* From and to hexadecimal digits: 0 or ERR_INVALID. */
must_check int node_key_parse(const char *text, uint8_t ret[static NODE_KEY_SIZE]);
char *node_key_format(const uint8_t key[static NODE_KEY_SIZE], char ret[static NODE_KEY_TEXT]);

/* The highest number that was ever given; 0: there was never a node. */
pure_function uint64_t intent_node_highest(const struct intent *i);
