// ICMP errors (RFC 792, RFC 5508 4): they belong to the packet whose header they quote, and go where an answer to it would go. The quoted
// header is translated back to what its sender sent. The host that reports the error keeps its address if it is exposed itself; else the error bears the
// address of the host that the quoted packet was for, so that no address leaves a VPC that is not exposed.
#pragma once
#include "flow.h"
#include "packet.h"
#include "resolve.h"
#include "translate.h"

/* Words of the longest ICMP error that is looked at: those of 1500-byte packets. */
#define ICMP_ERROR_WORDS 370

/* Ones' complement sum over `length` bytes at `from`; the checksum is right if it is 0xffff. */
static __noinline __u32 sum_bytes(struct xdp_md *ctx, __u32 from, __u32 length) {
  void *data = (void *)(long)ctx->data;
  void *end = (void *)(long)ctx->data_end;
  __u64 sum = 0;
  if (from > 256)
    return 0;
  __u8 *at = data + from;
  for (__u32 word = 0; word < ICMP_ERROR_WORDS; word++) {
    if (length < 4 || (void *)(at + 4) > end)
      break;
    sum += *(__u32 *)at;
    at += 4;
    length -= 4;
  }
  if (length >= 2 && (void *)(at + 2) <= end) {
    sum += *(__u16 *)at;
    at += 2;
    length -= 2;
  }
  if (length && (void *)(at + 1) <= end) {
    sum += *at;
    length--;
  }
  return length ? 0 : fold_checksum(sum);
}

/* Makes `flow` that of an answer to the packet that the error quotes. 0, or it is malformed. */
static __noinline int quoted_flow(struct xdp_md *ctx, struct flow *flow) {
  void *data = (void *)(long)ctx->data;
  void *end = (void *)(long)ctx->data_end;
  struct iphdr *ip = data + INNER_IP;
  if (data + INNER_PAYLOAD > end)
    return 1;
  __u32 header_length = ip->ihl * 4;
  __u32 length = bpf_ntohs(ip->tot_len) - header_length;
  struct icmp_header *icmp = (void *)ip + header_length;
  struct iphdr *quoted = (void *)(icmp + 1);
  if ((void *)(quoted + 1) > end || length < ICMP_HEADER + sizeof(*quoted) + 8)
    return 1;
  __u32 quoted_length = quoted->ihl * 4;
  if (quoted->version != 4 || quoted_length < sizeof(*quoted) || length < ICMP_HEADER + quoted_length + 8 || ip->daddr != quoted->saddr)
    return 1;
  if (sum_bytes(ctx, INNER_IP + header_length, length) != 0xffff ||
      sum_bytes(ctx, INNER_IP + header_length + ICMP_HEADER, quoted_length) != 0xffff)
    return 1;
  flow->key.source[1] = mapped(quoted->daddr);
  flow->key.destination[1] = mapped(quoted->saddr);
  flow->key.ports = exchange_ports(transport_ports(quoted, end));
  flow->key.vni_protocol = flow->vni | (__u32)quoted->protocol << 24;
  flow->fragment = (quoted->frag_off & bpf_htons(IP_FRAGMENT)) != 0;
  hash_flow(flow);
  return 0;
}

/* Rewrites the error for its receiver. */
static __noinline int translate_error(struct xdp_md *ctx, struct way *way) {
  void *data = (void *)(long)ctx->data;
  void *end = (void *)(long)ctx->data_end;
  struct iphdr *ip = data + INNER_IP;
  if (data + INNER_PAYLOAD > end)
    return 1;
  __u32 header_length = ip->ihl * 4;
  __u32 length = bpf_ntohs(ip->tot_len) - header_length;
  struct icmp_header *icmp = (void *)ip + header_length;
  struct iphdr *quoted = (void *)(icmp + 1);
  if ((void *)(quoted + 1) > end)
    return 1;
  __u32 quoted_length = quoted->ihl * 4;
  __u8 *transport = (void *)quoted + quoted_length;
  if ((void *)(transport + 8) > end)
    return 1;

  /* Who reports it? */
  __u32 reporter = ip->saddr;
  __u32 source = way->translation.source[1] >> 32;
  if (reporter != quoted->daddr) {
    __u32 zero = 0;
    void *trie = bpf_map_lookup_elem(&policy, &zero);
    struct prefix_key *key = &way->prefix;
    key->prefix_length = 160;
    key->table = SOURCE_TABLE | way->direction;
    key->address[0] = 0;
    key->address[1] = mapped(reporter);
    struct policy_entry *exposed = trie ? bpf_map_lookup_elem(trie, key) : 0;
    if (exposed && exposed->direction == way->direction && !exposed->nat)
      source = bpf_htonl(bpf_ntohl(reporter) + exposed->offset);
  }
  __u32 destination = way->translation.destination[1] >> 32;
  ip->check = update_checksum(ip->check, fold_checksum(word_delta(reporter, source) + word_delta(ip->daddr, destination)));
  ip->saddr = source;
  ip->daddr = destination;

  /* The quoted packet, backwards. Its transport checksum is kept in step where it is quoted, but not verified. */
  __u32 quoted_source = destination;
  __u32 quoted_destination = way->translation.source[1] >> 32;
  __u64 delta = word_delta(quoted->saddr, quoted_source) + word_delta(quoted->daddr, quoted_destination);
  __u16 old_check = quoted->check;
  quoted->check = update_checksum(old_check, fold_checksum(delta));
  delta += word_delta(old_check, quoted->check);
  quoted->saddr = quoted_source;
  quoted->daddr = quoted_destination;
  __u32 offset = checksum_offset(quoted->protocol);
  if (way->stateful && (quoted->protocol == IPPROTO_TCP || quoted->protocol == IPPROTO_UDP)) {
    __u32 *ports = (void *)transport;
    __u32 old = *ports;
    *ports = exchange_ports(way->translation.ports);
    delta += word_delta(old, *ports);
  } else if (way->stateful && quoted->protocol == IPPROTO_ICMP) {
    /* An error quotes a query, or an answer to one: seen from here, the other way round. */
    struct icmp_header *query = (void *)transport;
    __u32 old = *(__u32 *)&query->id;
    __u16 old_check = query->check;
    query->id = query->type == ICMP_ECHO || query->type == ICMP_TIMESTAMP ? way->translation.ports >> 16 : way->translation.ports;
    query->check = update_checksum(old_check, way->translation.transport_delta);
    delta += word_delta(old, *(__u32 *)&query->id) + word_delta(old_check, query->check);
  }
  if (offset && !(quoted->frag_off & bpf_htons(IP_FRAGMENT_OFFSET))) {
    __u16 *check = (void *)transport + offset;
    if ((void *)(check + 1) <= end && length >= ICMP_HEADER + quoted_length + offset + 2) {
      __u16 old = *check;
      *check = update_transport_checksum(quoted->protocol, old, way->translation.transport_delta);
      /* An odd place in the sum it cannot have: headers are multiples of four bytes. */
      delta += word_delta(old, *check);
    }
  }
  icmp->check = update_checksum(icmp->check, fold_checksum(delta));
  return 0;
}
