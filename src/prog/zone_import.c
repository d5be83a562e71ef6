#include "prog/zone_import.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/zone.h"
#include "model/zone_dump.h"
#include "model/zone_held_file.h"
#include "prog/key_file.h"
#include "prog/load.h"
#include "prog/load_held.h"
#include "prog/load_transfer.h"
#include "prog/order.h"
#include "seam/disk.h"
#include "seam/entropy.h"
#include "transfer/fetch_io.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PORT_DNS = 53, PORT_DOT = 853, TEXT_MAX = 1 << 30, OUT_MODE = 0644, NODE_WAIT_S = 300 };
#define IMPORT_BYTES_MAX   (UINT64_C(4) << 30)
#define IMPORT_RECORDS_MAX (UINT64_C(1) << 26)

struct import {
    const struct zone_import *said;
    uint8_t zone[DNAME_MAX];
    char name[DNAME_TEXT_MAX];
    char server[IP_PORT_TEXT_MAX];
    struct ip ip;
    uint16_t port;
    struct tsig_key key;
    struct fetch_result result;
    struct inbound *in;
};

static bool said_wrong(const char *what, const char *value, const char *why)
{
    fprintf(stderr, "holdfast: %s %s: %s\n", what, value, why);
    return false;
}

/* ---- what was said ---- */

static bool server_read(struct import *i)
{
    const char *from = i->said->from;
    i->port = i->said->tls ? PORT_DOT : PORT_DNS;
    if (ip_parse(from, &i->ip) && ip_port_parse(from, &i->ip, &i->port))
        return said_wrong("--from", from,
                          "an address is wanted, such as 192.0.2.1 or "
                          "\"[2001:db8::1]:53\"");
    ip_port_format(&i->ip, i->port, i->server);
    return true;
}

static bool key_of_config(struct import *i)
{
    struct config *config;
    int err = ERR_MISSING;
    if (load_config(i->said->config, stderr, &config))
        return false;
    for (uint32_t k = 0; k < config->key_count; k++)
        if (!strcmp(config->keys[k].name, i->said->key))
            err = load_key(&config->keys[k], &i->key);
    config_free(config);
    return !err || said_wrong("--key", i->said->key, err_text(err));
}

static bool key_read(struct import *i)
{
    const struct zone_import *o = i->said;
    if (!o->key)
        return true;
    if (o->config)
        return key_of_config(i);
    int err = key_file_read(o->key, &i->key);
    return !err || said_wrong("--key", o->key,
                              err == -ENOENT ? "there is no such file; a key of the configuration "
                                               "needs --config beside it"
                                             : err_text(err));
}

static bool out_free(const struct zone_import *o)
{
    struct disk_identity found;
    if (!o->out || !strcmp(o->out, "-") || o->overwrite || disk_identify(o->out, &found) == -ENOENT)
        return true;
    return said_wrong("--out", o->out, "the file is there already; --overwrite replaces it");
}

/* ---- fetching ---- */

static void fetched(void *context, const struct fetch_result *result, struct inbound *in)
{
    struct import *i = context;
    i->result = *result;
    i->in = in;
}

static void rcode_tell(unsigned rcode)
{
    if (rcode == DNS_REFUSED)
        fputs(" (REFUSED: it does not give the zone to this address, or with this key)\n", stderr);
    else if (rcode == DNS_NOTAUTH)
        fputs(" (NOTAUTH: it does not serve the zone, or the key or a clock is wrong)\n", stderr);
    else
        fprintf(stderr, rcode ? " (RCODE %u)\n" : "\n", rcode);
}

static bool zone_fetch(struct import *i)
{
    struct channel_peer tls = {.trust = CHANNEL_NAME, .name = i->said->tls, .ca = i->said->ca};
    struct fetch_peer peer = {.ip = i->ip,
                              .port = i->port,
                              .key = i->said->key ? &i->key : NULL,
                              .tls = i->said->tls ? &tls : NULL};
    struct inbound_request request = {
        .zone = i->zone, .records_max = IMPORT_RECORDS_MAX, .bytes_max = IMPORT_BYTES_MAX};
    uv_loop_t loop;
    int err = uv_loop_init(&loop);
    if (err)
        return said_wrong("--from", i->said->from, err_text(err));
    struct fetcher *fetcher = fetcher_new(&loop, entropy_u64());
    fetch_zone(fetcher, request, &peer, fetched, i);
    uv_run(&loop, UV_RUN_DEFAULT);
    fetcher_free(fetcher);
    uv_loop_close(&loop);
    if (!i->result.err)
        return true;
    fprintf(stderr, "holdfast: zone %s from %s: %s", i->name, i->server,
            i->result.reason ? i->result.reason : err_text(i->result.err));
    rcode_tell(inbound_rcode(i->in));
    return false;
}

/* ---- writing ---- */

static int zone_build(const struct import *i, struct text *problems, uint8_t **ret_data,
                      size_t *ret_size)
{
    struct zone_builder *b = zone_builder_new(i->zone);
    struct inbound_record r;
    size_t position = 0;
    uint32_t number = 0;
    int err = 0;
    while (!err && inbound_next(i->in, &position, &r))
        err = zone_builder_add(b, r.owner, r.type, r.ttl, r.rdata, r.rdata_length, ++number);
    if (!err)
        err = zone_builder_finish(b, i->server, problems, ret_data, ret_size);
    zone_builder_free(b);
    return err;
}

static int zone_write(const struct import *i, const struct zone *zone)
{
    struct text out = text_init(TEXT_MAX);
    text_appendf(&out, "; %s, serial %u, from %s\n", i->name, zone->header->serial, i->server);
    zone_dump(zone, &out);
    int err = out.failed ? ERR_LIMIT : 0;
    if (!err && strcmp(i->said->out, "-") != 0)
        err = disk_write_atomic(i->said->out, text_string(&out), out.length, OUT_MODE);
    else if (!err && fwrite(text_string(&out), 1, out.length, stdout) != out.length)
        err = -EIO;
    text_done(&out);
    return err;
}

static int fetched_write(const struct import *i)
{
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    struct zone zone;
    uint8_t *data = NULL;
    size_t size;
    int err = zone_build(i, &problems, &data, &size);
    fputs(text_string(&problems), stderr);
    text_done(&problems);
    if (!err)
        err = zone_open(data, size, &zone);
    if (!err)
        err = zone_write(i, &zone);
    if (err)
        fprintf(stderr, "holdfast: zone %s was not written: %s\n", i->name, err_text(err));
    else if (strcmp(i->said->out, "-") != 0)
        printf("%s: zone %s, serial %u, %u records, from %s\n", i->said->out, i->name,
               zone.header->serial, zone.header->record_count, i->server);
    free(data);
    return err ? 1 : 0;
}

/* ---- into the node ---- */

static int fetched_list(const struct import *i, struct held_list *ret)
{
    struct inbound_record r;
    size_t position = 0;
    int err = 0;
    while (!err && inbound_next(i->in, &position, &r))
        err = held_list_add(ret, r.owner, r.type, r.ttl, r.rdata, r.rdata_length);
    if (err)
        fprintf(stderr, "holdfast: zone %s: %s\n", i->name, err_text(err));
    return err;
}

static int file_list(const struct import *i, struct held_list *ret)
{
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    struct config_zone z = {.name = i->name, .file = i->said->file};
    uint64_t source;
    int err = load_text_read(&z, NULL, &problems, ret, &source);
    fputs(text_string(&problems), stderr);
    text_done(&problems);
    return err;
}

/* The node looks at the zone as a whole: it knows which names are services. */
static int node_give(const struct import *i)
{
    struct held_list list = {0};
    int err = i->said->file ? file_list(i, &list) : fetched_list(i, &list);
    json_t *request =
        json_pack("{s:s,s:s,s:i,s:b,s:b}", "op", "import", "zone", i->name, "format", HELD_VERSION,
                  "accept_shrink", i->said->accept_shrink, "dry_run", i->said->dry_run);
    int status = 1;
    if (err)
        json_decref(request);
    else
        status = order_send_body(i->said->data, request, list.data, list.length, NODE_WAIT_S);
    held_list_done(&list);
    return status;
}

int zone_import(const char *name, const struct zone_import *o)
{
    struct import *i = mem_new(1, sizeof *i);
    i->said = o;
    int status = 1;
    if (dname_parse(name, strlen(name), NULL, i->zone) < 0) {
        said_wrong("zone", name, "this is no name");
    } else if (o->file) {
        dname_format(i->zone, i->name);
        status = node_give(i);
    } else if (server_read(i) && key_read(i) && out_free(o)) {
        dname_format(i->zone, i->name);
        bool came = zone_fetch(i);
        status = !came ? 1 : o->out ? fetched_write(i) : node_give(i);
    }
    inbound_free(i->in);
    explicit_bzero(&i->key, sizeof i->key);
    free(i);
    return status;
}
