/* A node's identity and certificates from disk, for control and for the commands that make them. */
#pragma once

#include "base/text.h"
#include "model/config.h"
#include "replica/node_identity_io.h"
#include "replica/secure_io.h"

/* May this node begin or join a cluster? 0, or why not was printed. *ret is filled with nothing. */
must_check int mesh_files_free(const struct config *c, struct node_identity *ret);

/* What a node shows and trusts, read anew. */
struct mesh_credentials {
    struct secure_context *secure;
    uint8_t key[SECURE_HASH_SIZE];       /* SHA-256 of its SubjectPublicKeyInfo */
    uint8_t authority[SECURE_HASH_SIZE]; /* the same of who signed; else of the first authority */
    int64_t begin, end;                  /* of the certificate; seconds since 1970 */
};
/* From the operator's own files, or from the identity with these authorities (PEM). 0, or an error
 * and a sentence in `why`. */
must_check int mesh_credentials_read(const struct config *c, const struct node_identity *identity,
                                     const char *authorities, struct mesh_credentials *ret,
                                     struct text *why);
