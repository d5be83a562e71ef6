#include "model/zone_compile.h"
#include "base/err.h"

struct compile {
    struct zone_builder *builder;
    zonefile_include *include;
    void *context;
};

static const char *compile_record(void *context, const uint8_t *owner, uint16_t type,
                                  uint16_t class, uint32_t ttl, const uint8_t *rdata,
                                  uint16_t rdata_length, uint32_t line)
{
    struct compile *c = context;

    (void)class;
    switch (zone_builder_add(c->builder, owner, type, ttl, rdata, rdata_length, line)) {
    case 0:
        return NULL;
    case ERR_LIMIT:
        return "the zone has too many records";
    default:
        return "this name is outside the zone";
    }
}

static int compile_include(void *context, const char *path, const char **ret_data,
                           size_t *ret_length)
{
    struct compile *c = context;
    return c->include(c->context, path, ret_data, ret_length);
}

static void compile_file(void *context, const char *path)
{
    struct compile *c = context;
    zone_builder_file(c->builder, path);
}

static int compile_steer(struct compile *c, const char *path, const char *origin_text,
                         const uint8_t *const *names, unsigned count, struct text *problems)
{
    char text[DNAME_TEXT_MAX];

    for (unsigned i = 0; i < count; i++)
        if (zone_builder_steer(c->builder, names[i]) < 0) {
            text_appendf(problems, "%s:1:1: the service %s is outside the zone %s\n", path,
                         dname_format(names[i], text), origin_text);
            return ERR_INVALID;
        }
    return 0;
}

int zone_compile_sealed(const char *origin_text, const char *path, const char *data, size_t length,
                        const uint8_t *const *steered_names, unsigned steered_count,
                        zonefile_include *include, void *context, const struct zone_seal *seal,
                        struct zone_alias_source *aliases, struct text *problems,
                        uint8_t **ret_data, size_t *ret_size)
{
    uint8_t origin[DNAME_MAX];

    if (dname_parse(origin_text, strlen(origin_text), NULL, origin) < 0) {
        text_appendf(problems, "%s:1:1: \"%s\" is no name for a zone\n", path, origin_text);
        return ERR_INVALID;
    }
    struct compile c = {zone_builder_new(origin), include, context};
    struct zonefile z = {.path = path,
                         .origin = origin,
                         .record = compile_record,
                         .include = include ? compile_include : NULL,
                         .file = compile_file,
                         .context = &c};
    zone_builder_seal(c.builder, seal);
    if (aliases)
        zone_builder_aliases(c.builder, aliases);
    int err = compile_steer(&c, path, origin_text, steered_names, steered_count, problems);
    if (err == 0)
        err = zonefile_parse(&z, data, length, problems);
    /* A zone that was read in parts would only complain of what is missing. */
    if (err == 0)
        err = zone_builder_finish(c.builder, path, problems, ret_data, ret_size);
    zone_builder_free(c.builder);
    return err;
}

int zone_compile(const char *origin_text, const char *path, const char *data, size_t length,
                 const uint8_t *const *steered_names, unsigned steered_count,
                 zonefile_include *include, void *context, struct text *problems,
                 uint8_t **ret_data, size_t *ret_size)
{
    return zone_compile_sealed(origin_text, path, data, length, steered_names, steered_count,
                               include, context, NULL, NULL, problems, ret_data, ret_size);
}
