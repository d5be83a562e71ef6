#include "model/catalog_list.h"
#include "wire/dname.h"
#include "wire/nsec3.h"
#include <string.h>

/* TTLs mean nothing here, nobody resolves these names (4.1, 7); SOA and NS are what 4.1 asks for.
 */
static const char head[] = "$TTL 0\n"
                           "@ SOA invalid. invalid. 1 3600 600 2147483646 0\n"
                           "@ NS invalid.\n"
                           "version TXT \"2\"\n";

/* The first label of an NSEC3 record's owner would do for the same reasons: letters and digits, and
 * no two names have the same. */
static void id_make(const char *name, char ret[static NSEC3_LABEL_SIZE])
{
    uint8_t wire[DNAME_MAX], hash[NSEC3_HASH_SIZE], label[NSEC3_LABEL_SIZE];
    int length = dname_parse(name, strlen(name), NULL, wire);
    nsec3_hash(wire, length > 0 ? (size_t)length : 0, hash);
    nsec3_label(hash, label);
    memcpy(ret, label + 1, NSEC3_LABEL_SIZE - 1);
    ret[NSEC3_LABEL_SIZE - 1] = 0;
}

/* coo: the catalog that takes it over (4.3.1), or NULL. */
static void member_append(const struct config_zone *z, const char *coo, struct text *out)
{
    char id[NSEC3_LABEL_SIZE];
    id_make(z->name, id);
    text_appendf(out, "%s.zones PTR %s%s\n", id, z->name, strcmp(z->name, ".") ? "." : "");
    if (coo)
        text_appendf(out, "coo.%s.zones PTR %s.\n", id, coo);
    if (z->catalog_group)
        text_appendf(out, "group.%s.zones TXT \"%s\"\n", id, z->catalog_group);
}

void catalog_text(const struct config *config, uint32_t zone, struct text *out)
{
    text_append(out, head);
    for (uint32_t i = 0; i < config->zone_count; i++) {
        const struct config_zone *z = &config->zones[i];
        int coo = z->catalog_zone == (int)zone ? z->catalog_next : z->catalog_zone;
        if (z->catalog_zone == (int)zone || z->catalog_before == (int)zone)
            member_append(z, coo == CONFIG_NONE ? NULL : config->zones[coo].name, out);
    }
}
