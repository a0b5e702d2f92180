// Writing a translation into a packet: addresses, ports, and the checksums that cover them (RFC 3022 4.1, RFC 1624).
#pragma once
#include "flow.h"
#include "maps.h"
#include "packet.h"

/* Where the checksum lies in the headers of the transports whose checksum covers the addresses; 0: none does. */
static __always_inline __u32 checksum_offset(__u32 protocol) {
  switch (protocol) {
  case IPPROTO_TCP:
    return 16;
  case IPPROTO_UDP:
  case IPPROTO_UDPLITE:
  case IPPROTO_DCCP:
    return 6;
  default:
    return 0;
  }
}

/* UDP: 0 means that there is none, and what comes out as 0 is sent as its other form (RFC 768). */
static __always_inline __u16 update_transport_checksum(__u32 protocol, __u16 check, __u32 delta) {
  if (protocol != IPPROTO_UDP)
    return update_checksum(check, delta);
  if (check == 0)
    return 0;
  check = update_checksum(check, delta);
  return check ? check : 0xffff;
}

/* `bytes`: of the IP packet. `flow`: ports too. Nothing is changed when the result is a reason. */
static __always_inline __u32 translate(struct iphdr *ip, void *end, __u32 header_length, __u32 bytes, const struct translation *to, int flow) {
  __u32 protocol = ip->protocol;
  __u32 offset = checksum_offset(protocol);
  __u8 *transport = (void *)ip + header_length;
  if (offset && !(ip->frag_off & bpf_htons(IP_FRAGMENT_OFFSET))) {
    __u16 *check = (void *)transport + offset;
    if (header_length + offset + sizeof(*check) > bytes || (void *)(check + 1) > end)
      return DROP_TRANSPORT_HEADER;
    *check = update_transport_checksum(protocol, *check, to->transport_delta);
    if (flow && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP))
      *(__u32 *)transport = to->ports;
  } else if (flow && protocol == IPPROTO_ICMP) {
    struct icmp_header *icmp = (void *)transport;
    if (header_length + sizeof(*icmp) > bytes || (void *)(icmp + 1) > end)
      return DROP_TRANSPORT_HEADER;
    icmp->check = update_checksum(icmp->check, to->transport_delta);
    icmp->id = icmp->type == ICMP_ECHO || icmp->type == ICMP_TIMESTAMP ? to->ports : to->ports >> 16;
  }
  ip->check = update_checksum(ip->check, to->address_delta);
  ip->saddr = to->source[1] >> 32;
  ip->daddr = to->destination[1] >> 32;
  return 0;
}
