#include "model/config.h"

#include "base/err.h"
#include "base/invariant.h"
#include "model/config_link.h"
#include <stdlib.h>
#include <string.h>

const char *policy_name(enum policy policy)
{
    static const char *const names[POLICIES] = {"simple",      "failover", "weighted",  "latency",
                                                "geolocation", "ip_based", "multivalue"};
    invariant((unsigned)policy < POLICIES);
    return names[policy];
}

const char *check_kind_name(enum check_kind kind)
{
    static const char *const names[CHECK_KINDS] = {"tcp", "tls", "http", "https", "icmp", "dns"};
    invariant((unsigned)kind < CHECK_KINDS);
    return names[kind];
}

const char *when_all_down_name(enum when_all_down w)
{
    static const char *const names[] = {"preferred", "last_good", "nodata", "fallback"};
    invariant((unsigned)w < array_length(names));
    return names[w];
}

static void root_link(struct reading *r, struct draft_root *root, struct config *config)
{
    struct linking l = {.reading = r,
                        .root = root,
                        .config = config,
                        .checks = map_init(),
                        .collections = map_init(),
                        .services = map_init()};
    link_networks(&l);
    link_checks(&l);
    link_services(&l);
    link_nesting(&l);
    map_done(&l.checks);
    map_done(&l.collections);
    map_done(&l.services);
}

static int root_read(struct reading *r, const char *data, size_t length,
                     const struct config_parts *parts, struct config *config)
{
    struct draft_root root = {0};
    if (length > CONFIG_FILE_MAX) {
        problem_add(r->problems, (struct config_place){1, 1},
                    "the file is larger than %d MiB; make it smaller", CONFIG_FILE_MAX >> 20);
        return ERR_LIMIT;
    }
    int err = tree_parse(data, length, 0, r->scratch, r->problems, &r->root);
    if (err < 0)
        return err;
    if (r->root->kind != TREE_MAPPING) {
        problem_add(r->problems, r->root->place,
                    "the file is not a mapping; it wants keys such as node, zones and services");
        return ERR_INVALID;
    }
    if (parts && parts->count)
        r->root = parts_merge(r, r->root, parts);
    shape_read(r, r->root, &shape_root, &root);
    root_link(r, &root, config);
    return r->problems->total ? ERR_INVALID : 0;
}

int config_parse(const char *path, const char *data, size_t length,
                 const struct config_parts *parts, struct text *problems,
                 struct config **ret_config)
{
    struct config *config = mem_new(1, sizeof *config);
    struct arena scratch = arena_init();
    struct problems found = problems_init(path, parts);
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash + 1 - path) : 0;
    config->arena = arena_init();
    config->path = arena_string(&config->arena, path, strlen(path));
    config->fingerprint = config_fingerprint(data, length, parts);
    struct reading r = {.keep = &config->arena,
                        .scratch = &scratch,
                        .problems = &found,
                        .folder = arena_string(&scratch, path, folder)};
    int err = root_read(&r, data, length, parts, config);
    invariant(!err == !found.total);
    problems_write(&found, problems);
    problems_done(&found);
    arena_done(&scratch);
    if (err) {
        config_free(config);
        return err == ERR_SYNTAX ? ERR_SYNTAX : ERR_INVALID;
    }
    *ret_config = config;
    return 0;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    struct arena arena = config->arena;
    arena_done(&arena);
    free(config);
}

int config_zone_find(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->zone_count; i++)
        if (!strcmp(config->zones[i].name, name))
            return (int)i;
    return CONFIG_NONE;
}
