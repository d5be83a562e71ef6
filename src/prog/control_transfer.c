#include "prog/control_transfer.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "prog/control.h"
#include "seam/entropy.h"
#include "transfer/notify_io.h"
#include <stdlib.h>
#include <string.h>

/* One a process, like struct control itself. */
static struct {
    struct notifier *notifier;
    uint32_t epoch; /* of the configuration that the publication under way belongs to */
    struct notify_zone *zones;
    uint32_t count;
} transfers;

void control_transfer_begin(struct control *c)
{
    const struct config *config = c->loaded->config;
    transfers.epoch = c->epoch;
    transfers.count = 0;
    transfers.zones =
        mem_resize(transfers.zones, config->zone_count + (size_t)1, sizeof *transfers.zones);
    for (uint32_t i = 0; i < config->zone_count && i < c->plan.file_count; i++) {
        const struct config_zone *z = &config->zones[i];
        if (z->transfer.notify_count && c->plan.files[i].kind == PLAN_FILE_ZONE &&
            c->plan.files[i].state != PLAN_ZONE_DARK)
            transfers.zones[transfers.count++] = (struct notify_zone){z, c->plan.files[i].serial};
    }
}

/* Keys are not kept in memory between: they are where the name server finds them too. */
struct access *control_transfer_keys(const struct control *c)
{
    struct access *keys = NULL;
    for (uint32_t i = 0; i < c->loaded->file_count; i++) {
        const struct plan_file *f = &c->loaded->files[i];
        struct mapped file;
        if (f->kind != PLAN_FILE_ACCESS ||
            store_map(c->options->data, PLAN_FILE_ACCESS, f->hash, &file))
            continue;
        int err = access_decode(file.data, file.size, &keys);
        if (err)
            log_event(LOG_ERROR, "notify.keys", {"reason", LOG_S(err_text(err))});
        mapped_close(&file);
    }
    return keys;
}

const struct tsig_key *control_transfer_key(const struct config *config, int key,
                                            const struct access *keys)
{
    uint8_t name[DNAME_MAX];
    uint32_t index;
    const char *text = config->keys[key].name;
    return dname_parse(text, strlen(text), NULL, name) < 0 ? NULL
                                                           : access_key_find(keys, name, &index);
}

void control_transfer_published(struct control *c)
{
    if (transfers.epoch != c->epoch)
        return; /* a newer configuration is on its way out: then */
    if (!transfers.notifier) {
        if (!transfers.count)
            return;
        int err = notifier_new(&c->loop, entropy_u64(), &transfers.notifier);
        if (err) {
            log_event(LOG_ERROR, "notify.start", {"reason", LOG_S(err_text(err))});
            return;
        }
    }
    struct access *keys = control_transfer_keys(c);
    notifier_update(transfers.notifier, c->loaded->config, transfers.zones, transfers.count, keys);
    access_free(keys);
}
