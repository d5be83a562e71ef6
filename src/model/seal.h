/* Secrets that nodes share without showing them to their log: pure computation on OpenSSL.
 *
 * A wrap is the shared secret for one node: X25519 (RFC 7748) with a key made for this one wrap,
 * then AES-256-GCM under a hash of what both agree on and of both public keys. A box has bytes
 * under the shared secret: AES-256-GCM, bound to what they are for.
 *
 * Whoever calls brings the random bytes. */
#pragma once

#include "base/attr.h"
#include "model/shared_keys.h"
#include <stddef.h>

enum { SEAL_NONCE_SIZE = 12, SEAL_TAG_SIZE = 16, SEAL_BOX_MORE = SEAL_NONCE_SIZE + SEAL_TAG_SIZE };

/* The public key that goes with a private one. */
void seal_public(const uint8_t private[static SEAL_KEY_SIZE], uint8_t ret[static SEAL_KEY_SIZE]);
/* once: random bytes, used for nothing else. ERR_INVALID: `public` is no key. */
must_check int seal_wrap(const uint8_t public[static SEAL_KEY_SIZE],
                         const uint8_t once[static SEAL_KEY_SIZE],
                         const uint8_t secret[static SEAL_KEY_SIZE],
                         uint8_t ret[static SEAL_WRAP_SIZE]);
/* ERR_CHECKSUM: it was not made for this key. */
must_check int seal_unwrap(const uint8_t private[static SEAL_KEY_SIZE],
                           const uint8_t wrap[static SEAL_WRAP_SIZE],
                           uint8_t ret[static SEAL_KEY_SIZE]);

/* Bytes to size + SEAL_BOX_MORE bytes. nonce: random. `purpose` has to be said again to open it. */
void seal_box(const uint8_t secret[static SEAL_KEY_SIZE],
              const uint8_t nonce[static SEAL_NONCE_SIZE], const char *purpose, const void *data,
              size_t size, uint8_t *ret);
/* And back, to size - SEAL_BOX_MORE bytes. ERR_TRUNCATED; ERR_CHECKSUM: of another secret or for
 * another purpose, or changed. */
must_check int seal_open(const uint8_t secret[static SEAL_KEY_SIZE], const char *purpose,
                         const uint8_t *box, size_t size, uint8_t *ret);
