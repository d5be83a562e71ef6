/* bpf(2) itself: three calls, whose shape the kernel keeps for ever. */
#include "serve/dns/xdp_link_io.h"
#include "base/err.h"
#include "serve/dns/xdp_socket_io.h"
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf_call(enum bpf_cmd command, union bpf_attr *attr)
{
    long result = syscall(SYS_bpf, command, attr, sizeof *attr);
    return result < 0 ? -errno : (int)result;
}

static int map_create(unsigned queues)
{
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_XSKMAP,
                           .key_size = sizeof(uint32_t),
                           .value_size = sizeof(int),
                           .max_entries = queues};
    return bpf_call(BPF_MAP_CREATE, &attr);
}

static int program_load(const struct xdp_address *addresses, unsigned count, const uint8_t *mac,
                        int map_fd)
{
    struct bpf_insn code[XDP_PROGRAM_MAX];
    union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_XDP,
                           .expected_attach_type = BPF_XDP,
                           .prog_name = "holdfast_dns"};
    attr.insn_cnt = xdp_program_make(addresses, count, mac, map_fd, code);
    attr.insns = (uintptr_t)code;
    attr.license = (uintptr_t) "Apache-2.0"; /* no helper here is for GPL programs only */
    return bpf_call(BPF_PROG_LOAD, &attr);
}

static int link_create(int program_fd, int index, uint32_t mode)
{
    union bpf_attr attr = {0};
    attr.link_create.prog_fd = (uint32_t)program_fd;
    attr.link_create.target_ifindex = (uint32_t)index;
    attr.link_create.attach_type = BPF_XDP;
    attr.link_create.flags = mode;
    return bpf_call(BPF_LINK_CREATE, &attr);
}

/* ---- the interface ---- */

/* Drivers that cannot say how many queues they receive by have one. */
static unsigned queues_ask(int fd, struct ifreq *request)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    request->ifr_data = (void *)&channels;
    if (ioctl(fd, SIOCETHTOOL, request))
        return 1;
    unsigned queues = channels.combined_count + channels.rx_count;
    return queues < 1 ? 1 : queues > XDP_QUEUES_MAX ? XDP_QUEUES_MAX : queues;
}

static int interface_ask(int fd, const char *name, struct xdp_interface *x, uint8_t mac[static 6])
{
    struct ifreq request = {0};
    if (strlen(name) >= sizeof request.ifr_name)
        return ERR_MISSING;
    memcpy(request.ifr_name, name, strlen(name));
    memcpy(x->name, name, strlen(name));
    if (ioctl(fd, SIOCGIFINDEX, &request))
        return errno == ENODEV ? ERR_MISSING : -errno;
    x->index = request.ifr_ifindex;
    if (ioctl(fd, SIOCGIFHWADDR, &request))
        return -errno;
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return ERR_INVALID;
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    if (ioctl(fd, SIOCGIFMTU, &request))
        return -errno;
    if (request.ifr_mtu < XDP_MTU_MIN || request.ifr_mtu > XDP_MTU_MAX)
        return ERR_INVALID;
    x->mtu = (unsigned)request.ifr_mtu;
    x->queues = queues_ask(fd, &request);
    return 0;
}

/* ---- addresses ---- */

static bool is_any(const struct ip *ip)
{
    static const uint8_t none[16];
    return memcmp(ip->bytes, none, sizeof none) == 0;
}

static struct ip ip_of(const struct sockaddr *from)
{
    struct ip ip = {.family = from->sa_family == AF_INET6 ? IP_V6 : IP_V4};
    if (from->sa_family == AF_INET6)
        memcpy(ip.bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
    else
        memcpy(ip.bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    return ip;
}

/* A link-local address means something on its own interface only. */
static bool is_usable(const struct ifaddrs *at, const struct ip *ip, const char *name)
{
    bool local = ip->family == IP_V6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
    return !(at->ifa_flags & IFF_LOOPBACK) && (!local || !strcmp(at->ifa_name, name));
}

/* An address that is not on this host is answered by nobody, raw packets included: the kernel would
 * hand none of its packets to a socket either. */
static int addresses_find(const char *name, const struct xdp_address *listens, unsigned count,
                          struct xdp_address ret[static XDP_ADDRESSES_MAX], unsigned *ret_count)
{
    struct ifaddrs *list;
    unsigned found = 0;
    int err = getifaddrs(&list) ? -errno : 0;
    for (const struct ifaddrs *at = err ? NULL : list; at; at = at->ifa_next) {
        if (!at->ifa_addr ||
            (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6))
            continue;
        struct ip ip = ip_of(at->ifa_addr);
        for (unsigned i = 0; i < count && is_usable(at, &ip, name); i++) {
            if (listens[i].ip.family != ip.family ||
                (!is_any(&listens[i].ip) && !ip_equal(&listens[i].ip, &ip)))
                continue;
            if (found < XDP_ADDRESSES_MAX)
                ret[found++] = (struct xdp_address){ip, listens[i].port};
            else
                err = ERR_LIMIT;
        }
    }
    if (!err || err == ERR_LIMIT)
        freeifaddrs(list);
    if (!err && !found)
        err = -EADDRNOTAVAIL;
    *ret_count = found;
    return err;
}

/* ---- all of it ---- */

static int filter_start(struct xdp_interface *x, const struct xdp_address *addresses,
                        unsigned count, const uint8_t *mac)
{
    x->map_fd = map_create(x->queues);
    if (x->map_fd < 0)
        return x->map_fd;
    int program = program_load(addresses, count, mac, x->map_fd);
    if (program < 0)
        return program;
    x->native = true;
    x->link_fd = link_create(program, x->index, XDP_FLAGS_DRV_MODE);
    if (x->link_fd < 0 && x->link_fd != -EBUSY && x->link_fd != -EEXIST) {
        x->native = false;
        x->link_fd = link_create(program, x->index, XDP_FLAGS_SKB_MODE);
    }
    close(program); /* the link holds it */
    return x->link_fd < 0 ? x->link_fd : 0;
}

int xdp_attach(const char *name, const struct xdp_address *listens, unsigned count,
               struct xdp_interface *ret)
{
    struct xdp_interface x = {.map_fd = -1, .link_fd = -1};
    struct xdp_address addresses[XDP_ADDRESSES_MAX];
    unsigned found;
    uint8_t mac[6];
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int err = interface_ask(fd, name, &x, mac);
    close(fd);
    if (!err)
        err = addresses_find(name, listens, count, addresses, &found);
    if (!err)
        err = filter_start(&x, addresses, found, mac);
    if (err) {
        if (x.map_fd >= 0)
            close(x.map_fd);
        return err;
    }
    *ret = x;
    return 0;
}
