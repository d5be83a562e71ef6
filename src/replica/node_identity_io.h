/* What a node is in its cluster, in DATA/mesh (0700, files 0600):
 *
 *   identity.json     {"format": 1, "cluster": "9f86...", "id": 1, "name": "tokyo-1",
 *                      "founder": true}; written last: without it there is no identity
 *   node.pem          its certificate and its key; not there with certificates of the operator's
 *   authorities.pem   who may have signed those of others, as of the newest look at the intent
 *   authority.pem     on voters: the authority's certificate and key (doc/internals/mesh.md) */
#pragma once

#include "base/attr.h"
#include "replica/link.h"
#include <stdbool.h>
#include <stdint.h>

enum { NODE_CLUSTER_TEXT = 2 * LINK_CLUSTER_SIZE + 1, NODE_NAME_MAX = 64 };

struct node_identity {
    uint64_t id;
    bool founder; /* it began the cluster */
    char name[NODE_NAME_MAX];
    char cluster[NODE_CLUSTER_TEXT];
    uint8_t cluster_bytes[LINK_CLUSTER_SIZE];
    /* PEM, owned; NULL: not there */
    char *pair;        /* certificate and key */
    char *authorities; /* certificates */
    char *authority;   /* certificate and key */
};

/* 0; -ENOENT: the node belongs to no cluster; ERR_SYNTAX: identity.json makes no sense; another
 * negated errno. */
must_check int node_identity_load(const char *data, struct node_identity *ret);
/* Writes all that is there; identity.json last. Makes the folder. */
must_check int node_identity_save(const char *data, const struct node_identity *identity);
/* The pair alone, or the authorities, or the authority with its key (name of the file). */
must_check int node_identity_replace(const char *data, const char *file, const char *text);
/* Wipes what is secret. */
void node_identity_done(struct node_identity *identity);
/* A name for a new cluster. */
void node_cluster_new(struct node_identity *identity);
/* Its text is taken over where it is one: 0 or ERR_SYNTAX. */
must_check int node_cluster_parse(const char *text, struct node_identity *identity);

/* PEM of both in one text; free() after wiping. */
char *node_pair_text(const char *certificate, const char *key) __attribute__((returns_nonnull));
