// The gateway's XDP program, one on every uplink: VXLAN in from a leaf in the source VPC, VXLAN out to a leaf in the destination VPC.
// Both sides have the same headers (RFC 7348 over IPv4), so a packet is rewritten where it lies. What is not VXLAN to our VTEP goes to
// the kernel untouched. The functions below come in the order a packet meets them.
#include "age.h"
#include "count.h"
#include "flow.h"
#include "icmp.h"
#include "maps.h"
#include "packet.h"
#include "resolve.h"
#include "translate.h"

/* UDP to our VTEP that is fragmented or has IP options: the port, if it is there at all, lies elsewhere. */
static __noinline int odd_outer_header(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data;
  void *end = (void *)(long)ctx->data_end;
  struct iphdr *ip = data + OUTER_IP;
  if ((void *)(ip + 1) > end)
    return pass();
  if (ip->frag_off & bpf_htons(IP_FRAGMENT))
    return drop_unattributed(DROP_OUTER_FRAGMENT);
  struct udphdr *udp = (void *)ip + ip->ihl * 4;
  if (ip->ihl < 5 || (void *)(udp + 1) > end || udp->dest != bpf_htons(VXLAN_PORT))
    return pass();
  return drop_unattributed(DROP_OUTER_OPTIONS);
}

/* An IPv4 header with options: its checksum runs over them too. 0 when it is right. */
static __noinline int long_header_checksum(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data;
  void *end = (void *)(long)ctx->data_end;
  if (data + INNER_PAYLOAD > end)
    return 1;
  struct iphdr *ip = data + INNER_IP;
  __u64 sum = sum_header(ip);
  __u32 options[10] = {};
  __u32 length = ip->ihl * 4 - sizeof(*ip);
  /* The verifier wants to see the bounds that the compiler knows. */
  asm volatile("" : "+r"(length));
  if (length < 4 || length > sizeof(options) || bpf_xdp_load_bytes(ctx, INNER_PAYLOAD, options, length))
    return 1;
#pragma unroll
  for (int i = 0; i < 10; i++)
    sum += options[i];
  return fold_checksum(sum) != 0xffff;
}

/* RFC 6040 4.2, the part of the table in which the outer header (ECT(1) or CE) changes the inner one. Non-zero: drop. */
static __noinline int combine_ecn(struct iphdr *inner, __u32 outer_ecn) {
  __u32 ecn = inner->tos & ECN_MASK;
  __u32 combined = ecn;
  if (ecn == 0)
    return outer_ecn == ECN_CE;
  if (outer_ecn == ECN_CE)
    combined = ECN_CE;
  else if (ecn == ECN_ECT_0)
    combined = ECN_ECT_1;
  /* RFC 1624 equation 3; the octet is the lower one of its 16-bit word. */
  __u32 old_word = bpf_htons(inner->tos);
  inner->tos = (inner->tos & ~ECN_MASK) | combined;
  __u32 sum = (__u16)~inner->check + (__u16)~old_word + bpf_htons(inner->tos);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  inner->check = ~sum;
  return 0;
}

/* A hint: 0 only means that flows are not looked up first. */
static __always_inline int keeps_state(__u32 vni) {
  __u32 bit = (vni >> 8) & 0xffff;
  return (stateful_vnis[bit / 64] >> (bit % 64)) & 1;
}

static __noinline int translate_found(struct xdp_md *ctx, const struct translation *to, int flow) {
  void *data = (void *)(long)ctx->data;
  void *end = (void *)(long)ctx->data_end;
  struct iphdr *inner = data + INNER_IP;
  if (data + INNER_PAYLOAD > end)
    return 1;
  return translate(inner, end, inner->ihl * 4, bpf_ntohs(inner->tot_len), to, flow);
}

static __always_inline int drop_found(const struct way *way, __u32 bytes) {
  if (way->direction == NO_DIRECTION)
    return drop_unattributed(way->reason);
  return drop(way->direction, way->reason, bytes);
}

SEC("xdp.frags")
int gateway(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data;
  void *end = (void *)(long)ctx->data_end;
  struct iphdr *outer = data + OUTER_IP;
  struct udphdr *udp = data + OUTER_UDP;
  struct vxlan_header *vxlan = data + VXLAN;
  struct iphdr *inner = data + INNER_IP;

  /* Ours? */
  if (data + VXLAN > end)
    return pass();
  __u64 vtep_generation = *(volatile __u64 *)&config.vtep_generation;
  __u32 vtep = vtep_generation;
  if (*(__u16 *)(data + OUTER_IP - 2) != bpf_htons(ETH_P_IP) || outer->daddr != vtep || outer->protocol != IPPROTO_UDP || outer->version != 4)
    return pass();
  if (outer->ihl != 5 || (outer->frag_off & bpf_htons(IP_FRAGMENT)))
    return odd_outer_header(ctx);
  if (udp->dest != bpf_htons(VXLAN_PORT))
    return pass();

  /* Well-formed? */
  __u32 outer_length = bpf_ntohs(outer->tot_len);
  if (data + INNER_PAYLOAD > end || bpf_ntohs(udp->len) + OUTER_UDP - OUTER_IP != outer_length)
    return drop_unattributed(DROP_OUTER_LENGTH);
  /* Longer than the first buffer of a large frame, or than the frame. */
  if (data + OUTER_IP + outer_length > end && OUTER_IP + outer_length > bpf_xdp_get_buff_len(ctx))
    return drop_unattributed(DROP_OUTER_LENGTH);
  if (fold_checksum(sum_header(outer)) != 0xffff)
    return drop_unattributed(DROP_OUTER_CHECKSUM);
  if (!(vxlan->flags & VXLAN_VNI_VALID))
    return drop_unattributed(DROP_VXLAN_FLAGS);
  __u64 mac = config.mac;
  if ((*(__u64 *)(data + INNER_ETHERNET) ^ mac) << 16)
    return drop_unattributed(DROP_INNER_MAC);
  if (*(__u16 *)(data + INNER_IP - 2) != bpf_htons(ETH_P_IP))
    return drop_unattributed(DROP_INNER_ETHERTYPE);
  __u32 header_length = inner->ihl * 4;
  __u32 bytes = bpf_ntohs(inner->tot_len);
  if (inner->version != 4 || header_length < sizeof(*inner))
    return drop_unattributed(DROP_INNER_HEADER);
  if (bytes < header_length || bytes + ENCAPSULATION > outer_length)
    return drop_unattributed(DROP_INNER_LENGTH);
  if (header_length == sizeof(*inner) ? fold_checksum(sum_header(inner)) != 0xffff : long_header_checksum(ctx))
    return drop_unattributed(DROP_INNER_CHECKSUM);

  /* Where to? */
  struct flow flow = {
    .key = {
      .source = { 0, mapped(inner->saddr) },
      .destination = { 0, mapped(inner->daddr) },
    },
    .outer_source = outer->saddr,
    .vni = vxlan->vni & VNI_MASK,
    .generation = vtep_generation >> 32,
  };
  flow.key.vni_protocol = flow.vni | (__u32)inner->protocol << 24;
  __u32 direction;
  __u32 destination_vni;
  __u64 tunnel_mac;
  const struct translation *translation = 0;
  struct flow_state *state = 0;
  struct flow_entry *entry = 0;
  struct way *way = 0;
  __u32 zero = 0;
  __u32 stale = 0;
  struct icmp_header *icmp = (void *)inner + header_length;
  __u32 error = inner->protocol == IPPROTO_ICMP && !(inner->frag_off & bpf_htons(IP_FRAGMENT)) && (void *)(icmp + 1) <= end &&
                is_icmp_error(icmp->type);
  if (error) {
    if (quoted_flow(ctx, &flow))
      return drop_unattributed(DROP_ICMP_MALFORMED);
  } else {
    flow.key.ports = transport_ports(inner, end);
    hash_flow(&flow);
    __u8 *flags = (void *)inner + header_length + TCP_FLAGS;
    if (inner->protocol == IPPROTO_TCP && (void *)(flags + 1) <= end)
      flow.tcp_flags = *flags;
    flow.fragment = (inner->frag_off & bpf_htons(IP_FRAGMENT)) != 0;
    if (keeps_state(flow.vni)) {
      state = bpf_map_lookup_elem(&flows, &flow.key);
      /* What the cache says about a packet without a flow does not hold for one whose flow has to be looked at again. */
      if (state && state->generation != flow.generation) {
        state = 0;
        stale = 1;
      }
    }
    if (!state && !stale) {
      __u32 index = index_of_set(&flow, 0);
      __u32 vni = flow.vni;
      struct flow_set *set = bpf_map_lookup_elem(&flow_cache, &index);
      if (set)
        entry = find_in(set, &flow, vni);
      if (entry && entry->by_ports) {
        entry = 0;
        vni |= VNI_LOW_BYTE(BY_PORTS);
        index = index_by_ports(&flow);
        set = bpf_map_lookup_elem(&flow_cache, &index);
        struct translation_set *translations = bpf_map_lookup_elem(&flow_translations, &index);
        if (set && translations && !flow.fragment) {
          __u32 protocol = inner->protocol;
          if (matches(&set->ways[0], &flow, vni) && translations->ways[0].to.ports == flow.key.ports && translations->ways[0].protocol == protocol)
            entry = &set->ways[0];
          else if (matches(&set->ways[1], &flow, vni) && translations->ways[1].to.ports == flow.key.ports &&
                   translations->ways[1].protocol == protocol)
            entry = &set->ways[1];
        }
        if (entry && entry->reason)
          return drop(entry->direction, entry->reason, bytes);
      } else if (entry && entry->path_count > 1) {
        __u32 selector = choose(flow.hash, 32, entry->path_count) + 1;
        entry = 0;
        vni |= VNI_LOW_BYTE(selector);
        index = index_of_set(&flow, selector);
        set = bpf_map_lookup_elem(&flow_cache, &index);
        if (set)
          entry = find_in(set, &flow, vni);
      }
      if (entry && entry->translated) {
        struct translation_set *translations = bpf_map_lookup_elem(&flow_translations, &index);
        if (!translations)
          return XDP_ABORTED;
        translation = &translations->ways[0].to;
        if (entry != &set->ways[0])
          translation = &translations->ways[1].to;
      }
    }
  }
  if (!state && !entry) {
    way = bpf_map_lookup_elem(&scratch, &zero);
    if (!way)
      return XDP_ABORTED;
    if (resolve(&flow, way, !error))
      return drop_found(way, bytes);
    entry = &way->entry;
    if (error)
      translate_error(ctx, way);
    else if (way->stateful | entry->translated)
      translation = &way->translation;
  }
  if (state) {
    direction = state->direction;
    destination_vni = state->destination_vni;
    tunnel_mac = state->tunnel_mac;
  } else {
    if (!entry)
      return XDP_ABORTED;
    direction = entry->direction;
    destination_vni = entry->destination_vni;
    tunnel_mac = entry->tunnel_mac;
  }

  /* May it go? */
  struct tunnel *tunnel = &tunnels[(tunnel_mac >> 48) & (MAX_TUNNELS - 1)];
  if (inner->ttl <= 1)
    return drop(direction, DROP_TTL_EXPIRED, bytes);
  if (outer_length > tunnel->mtu)
    return drop(direction, DROP_TOO_BIG, bytes);
  if ((outer->tos & 1) && combine_ecn(inner, outer->tos & ECN_MASK))
    return drop(direction, DROP_ECN_CONFLICT, bytes);
  if (state) {
    if (translate(inner, end, header_length, bytes, &state->to, 1))
      return drop(direction, DROP_TRANSPORT_HEADER, bytes);
    touch(state, flow.tcp_flags);
  } else if (translation && translate_found(ctx, translation, way && way->stateful)) {
    return drop(direction, DROP_TRANSPORT_HEADER, bytes);
  }
  struct tunnel_path *path = &tunnel->paths[choose(flow.hash, 16, tunnel->path_count) & (MAX_TUNNEL_PATHS - 1)];
  /* Nothing is sent before the program returns. */
  if (bpf_redirect_map(&uplinks, path->uplink, XDP_DROP) != XDP_REDIRECT)
    return drop(direction, DROP_UPLINK_GONE, bytes);

  /* Rewrite, word by word. Inner: TTL with its checksum (RFC 1141), Ethernet addresses, VNI. */
  __u32 *ttl_word = (__u32 *)(data + INNER_IP + 8);
  __u32 check = (*ttl_word >> 16) + 1;
  check += check >= 0xffff;
  *ttl_word = ((*ttl_word - 1) & 0xffff) | check << 16;
  *(__u64 *)(data + INNER_ETHERNET) = (tunnel_mac & 0xffffffffffffull) | mac << 48;
  *(__u32 *)(data + INNER_ETHERNET + 8) = mac >> 16;
  *(__u64 *)vxlan = VXLAN_VNI_VALID | (__u64)destination_vni << 32;
  /* Outer: UDP without checksum and with the flow's entropy as source port (49152–65535). */
  *(__u32 *)udp = bpf_htons(0xc000 | (flow.hash & 0x3fff)) | (__u32)bpf_htons(VXLAN_PORT) << 16;
  udp->check = 0;
  /* IP: the inner packet's DSCP and ECN, no identification but "do not fragment" (RFC 6864), checksum from the sum of the words. */
  __u32 *word = (__u32 *)outer;
  __u32 first = (word[0] & 0xffff00ff) | (__u32)inner->tos << 8;
  __u32 third = OUTER_TTL | IPPROTO_UDP << 8;
  __u32 remote = tunnel->vtep;
  __u64 sum = (__u64)first + ((__u32)bpf_htons(IP_DONT_FRAGMENT) << 16) + third + vtep + remote;
  word[0] = first;
  word[1] = (__u32)bpf_htons(IP_DONT_FRAGMENT) << 16;
  word[2] = third | (__u32)(__u16)~fold_checksum(sum) << 16;
  word[3] = vtep;
  word[4] = remote;
  __builtin_memcpy(data, path->macs, 8);
  __builtin_memcpy(data + 8, path->macs + 8, 4);

  count_sent(direction, bytes);
  return XDP_REDIRECT;
}

char LICENSE[] SEC("license") = "Apache-2.0";
