/* Links to the other nodes of the cluster. */
#include "model/config_link.h"
#include <string.h>

#define AT(type, field) offsetof(struct type, field)

static const struct key mesh_keys[] = {
    {"listen", &type_list, AT(draft_root, mesh.listen), .max = CONFIG_LISTENS_MAX,
     .detail = &listens, .standard = "[]",
     .help = "where the other nodes connect to, such as 0.0.0.0:7443; [] for a node that is alone"},
    {"address", &type_listen, AT(draft_root, mesh.address),
     .help = "the address and port at which the other nodes reach this one; default where it "
             "listens"},
    {"certificate", &type_path, AT(draft_root, mesh.certificate),
     .help = "instead of the cluster's own authority: file with this node's certificate and those "
             "that lead to it, in PEM; read again when it changes"},
    {"key", &type_path, AT(draft_root, mesh.key),
     .help = "file with its private key, in PEM; the roles' user has to be able to read it"},
    {"ca", &type_path, AT(draft_root, mesh.ca),
     .help = "file with the certificates of who may have signed those of the other nodes, in PEM"},
};

const struct shape shape_mesh = {"mesh", "mesh", mesh_keys, array_length(mesh_keys),
                                 .help = "The other nodes of the cluster, over TLS 1.3."};

static bool address_is_any(const struct ip *ip)
{
    static const uint8_t none[sizeof ip->bytes];
    return !memcmp(ip->bytes, none, sizeof none);
}

/* The others have to know where this node is. */
static void address_fill(struct linking *l)
{
    struct config_mesh *m = &l->config->mesh;
    const struct draft_listen *first = l->root->mesh.listen.items;
    m->address = l->root->mesh.address.port ? l->root->mesh.address : m->listen[0];
    if (address_is_any(&m->address.ip))
        problem_add(l->reading->problems, first->head.node->place,
                    "the other nodes cannot connect to \"any address\"; say at which one they "
                    "reach this node: address: 192.0.2.1:7443");
}

void link_mesh(struct linking *l)
{
    const struct draft_root *root = l->root;
    struct config_mesh *m = &l->config->mesh;
    m->listen = link_listens(l, &root->mesh.listen, &m->listen_count);
    m->certificate = root->mesh.certificate;
    m->key = root->mesh.key;
    m->ca = root->mesh.ca;
    if (!m->listen_count)
        return;
    const struct draft_listen *first = root->mesh.listen.items;
    address_fill(l);
    unsigned given = !!m->certificate + !!m->key + !!m->ca;
    if (given != 0 && given != 3)
        problem_add(l->reading->problems, first->head.node->place,
                    "certificates of your own are three files: certificate, key and ca; name all "
                    "of them, or none and the cluster makes them");
}
