// How long a flow without packets lives (RFC 5382 5, RFC 4787 4.3, RFC 5508 3.2, RFC 7857 2). Each direction's entry notes what it has seen itself, so that
// no packet writes to two cache lines; both together tell the state of a TCP connection:
//
//   established   both have sent ACK, none a RST, and not both FIN: covers the handshake, simultaneous open, half-closed connections and
//                 connections that were there before the gateway
//   transitory    everything else
//
// A SYN starts the direction anew (a pair of ports used again). A RST does not end the flow; it makes it transitory until that side sends something
// else, and neither refreshes it.
#pragma once
#include "maps.h"
#include "packet.h"

#define TCP_ESTABLISHED_SECONDS 7440
#define TCP_TRANSITORY_SECONDS 240
#define UDP_SECONDS 300
#define ICMP_SECONDS 60
#define OTHER_SECONDS 300
/* No flow ends earlier by the protocol's own time. */
#define SHORTEST_SECONDS ICMP_SECONDS

static __always_inline __u32 seconds_now(void) {
  return bpf_ktime_get_coarse_ns() / 1000000000ull;
}

static __always_inline __u8 track(__u8 seen, __u32 flags) {
  flags &= TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK;
  return flags & TCP_SYN ? flags : (seen & ~TCP_RST) | flags;
}

/* A packet goes this way. Writes only what changes: the line stays shared between CPUs. */
static __always_inline void touch(struct flow_state *state, __u32 flags) {
  __u8 seen = track(state->seen, flags);
  if (seen != state->seen)
    state->seen = seen;
  __u32 now = seconds_now();
  if (state->last_seen != now && !(flags & TCP_RST))
    state->last_seen = now;
}

static __always_inline __u32 idle_limit(__u32 protocol, __u32 configured, __u32 seen, __u32 seen_back) {
  if (protocol == IPPROTO_TCP) {
    __u32 both = seen & seen_back;
    if (!(both & TCP_ACK) || (both & TCP_FIN) || ((seen | seen_back) & TCP_RST))
      return TCP_TRANSITORY_SECONDS;
    return configured ? configured : TCP_ESTABLISHED_SECONDS;
  }
  if (configured)
    return configured;
  if (protocol == IPPROTO_UDP)
    return UDP_SECONDS;
  return protocol == IPPROTO_ICMP ? ICMP_SECONDS : OTHER_SECONDS;
}
