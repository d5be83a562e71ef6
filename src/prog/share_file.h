/* A file that says what nodes are to share: `zones`, `checks` and `services`, as a configuration
 * has them. A zone has its records in a master file (`file`), or here:
 *
 *   zones:
 *     - name: example.com
 *       records:
 *         "www.example.com A": {ttl: 300, values: [192.0.2.1]} */
#pragma once

#include <jansson.h>

/* Objects of the intent: {"check": {NAME: VALUE}, "service": ..., "zone": ..., "records": ...}.
 * json_decref; NULL: the problems were printed to stderr. */
json_t *share_file_read(const char *path);
/* The same the other way round: a text of JSON, which is YAML as well; free(). */
char *share_file_format(const json_t *shared);
