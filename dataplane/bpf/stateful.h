// Flows of peerings that keep state. A flow is two entries of one table, each found by what its packets look like when they arrive, each with everything that
// is needed to send them on. The forward entry is made together with the reply entry, the reply first: who makes that one owns the flow.
//
// An entry holds for a generation. After a change, its next packet asks the policy what a new flow like it would become: if that is what the flow is, it
// goes on under the new generation, with a new route; else both entries end.
#pragma once
#include "acl.h"
#include "masquerade.h"
#include "policy.h"
#include "track.h"

#define EEXIST 17

static __always_inline __u32 idle_timeout(const struct policy_entry *entry, __u32 protocol) {
  return protocol == IPPROTO_TCP ? entry->tcp_seconds : protocol == IPPROTO_UDP ? entry->udp_seconds : entry->icmp_seconds;
}

/* Destination and source of a flow as they will be, into way->translation; the route into way->entry. 0 or the reason. `claim`: as in masquerade.h. */
static __noinline __u32 compose(void *trie, const struct flow *flow, struct way *way, __u32 claim) {
  __u32 protocol = flow->key.vni_protocol >> 24;
  __u32 ports = flow->key.ports;
  __u32 source = unmapped(flow->key.source[1]);
  __u32 destination = unmapped(flow->key.destination[1]);
  __u32 new_source = shift(source, way->source.offset);
  __u32 new_destination = shift(destination, way->destination.offset);
  way->idle_timeout = idle_timeout(&way->source, protocol);

  if (way->destination.nat == NAT_MASQUERADE || way->source.nat == NAT_FORWARD)
    return DROP_NO_FLOW;
  if (way->source.nat && protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_ICMP)
    return DROP_NAT_PROTOCOL;
  /* ICMP that asks nothing; ports that are not there. */
  if (protocol == IPPROTO_ICMP && ports >> 16 != ICMP_ECHO && ports >> 16 != ICMP_TIMESTAMP)
    return DROP_NO_FLOW;
  if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && (!(ports & 0xffff) || !(ports >> 16)))
    return DROP_TRANSPORT_HEADER;
  if (way->destination.nat == NAT_FORWARD) {
    forward_key(&way->prefix, way->destination.table, protocol, ports >> 16);
    struct policy_entry *forward = bpf_map_lookup_elem(trie, &way->prefix);
    if (!forward)
      return DROP_PORT_NOT_FORWARDED;
    new_destination = shift(destination, forward->offset);
    ports = (ports & 0xffff) | (__u32)bpf_htons(bpf_ntohs(ports >> 16) + forward->count) << 16;
    way->idle_timeout = idle_timeout(forward, protocol);
  }

  struct translation *to = &way->translation;
  to->destination[0] = 0;
  to->destination[1] = mapped(new_destination);
  way->entry.direction = way->direction;
  __u32 reason = find_route(way, way->destination.vni, to->destination[1], flow->hash);
  if (reason)
    return reason;

  if (way->source.nat == NAT_MASQUERADE) {
    reason = masquerade(trie, flow, way, claim);
    if (reason)
      return reason;
    new_source = way->mapping.address[3];
    ports = (ports & 0xffff0000u) | way->mapping.port;
  }
  to->source[0] = 0;
  to->source[1] = mapped(new_source);
  to->ports = ports;
  to->address_delta = fold_checksum(word_delta(source, new_source) + word_delta(destination, new_destination));
  __u64 delta = word_delta(flow->key.ports, ports);
  to->transport_delta = fold_checksum(protocol == IPPROTO_ICMP ? delta : delta + to->address_delta);
  return 0;
}

/* What the packets of the other direction are found by. */
static __always_inline void other_key(struct flow_key *key, const struct translation *to, __u32 vni_protocol) {
  key->source[0] = to->destination[0];
  key->source[1] = to->destination[1];
  key->destination[0] = to->source[0];
  key->destination[1] = to->source[1];
  key->ports = exchange_ports(to->ports);
  key->vni_protocol = vni_protocol;
}

static __always_inline void release_flow(const struct flow_key *key, const struct flow_state *forward, struct mapping_key *mapping_key, __u32 now) {
  if (!forward->masqueraded)
    return;
  fill_mapping_key(mapping_key, key, forward->peer_vni_protocol);
  release_mapping(mapping_key, forward->to.source[1] >> 32, forward->to.ports & 0xffff, now);
}

/* Begins the flow that was composed. 0 or the reason. */
static __noinline __u32 begin_flow(const struct flow *flow, struct way *way) {
  __u32 protocol = flow->key.vni_protocol >> 24;
  __u32 now = seconds_now();
  const struct translation *to = &way->translation;
  struct flow_state *state = &way->state;
  __u32 peer = way->destination.vni | protocol << 24;
  __u32 masqueraded = way->source.nat == NAT_MASQUERADE;
  __u32 reason = 0;

  /* The reply's route is found with the first reply: generation 0 is never the current one. */
  *state = (struct flow_state){
    .to = {
      .source = { flow->key.destination[0], flow->key.destination[1] },
      .destination = { flow->key.source[0], flow->key.source[1] },
      .address_delta = ~to->address_delta,
      .transport_delta = ~to->transport_delta,
      .ports = exchange_ports(flow->key.ports),
    },
    .direction = way->source.back,
    .peer_vni_protocol = flow->key.vni_protocol,
    .last_seen = now,
    .idle_timeout = way->idle_timeout,
    .role = ROLE_REPLY,
  };
  other_key(&way->key, to, peer);
  long result = bpf_map_update_elem(&flows, &way->key, state, BPF_NOEXIST);
  if (result == -EEXIST) {
    /* Another CPU is at it; or the reply belongs to somebody else. */
    struct flow_state *other = bpf_map_lookup_elem(&flows, &way->key);
    if (!other || other->to.destination[1] != flow->key.source[1] || other->to.source[1] != flow->key.destination[1] ||
        other->to.ports != exchange_ports(flow->key.ports) || other->peer_vni_protocol != flow->key.vni_protocol)
      reason = DROP_FLOW_CONFLICT;
  } else if (result) {
    reason = DROP_FLOW_TABLE_FULL;
  }
  __u32 owner = !result;

  if (!reason) {
    *state = (struct flow_state){
      .to = *to,
      .tunnel_mac = way->entry.tunnel_mac,
      .destination_vni = way->entry.destination_vni,
      .generation = flow->generation,
      .direction = way->direction,
      .peer_vni_protocol = peer,
      .last_seen = now,
      .idle_timeout = way->idle_timeout,
      .role = ROLE_FORWARD,
      .masqueraded = masqueraded,
      .seen = track(0, flow->tcp_flags),
    };
    result = bpf_map_update_elem(&flows, &flow->key, state, BPF_NOEXIST);
    if (!result)
      return 0;
    if (result != -EEXIST) {
      reason = DROP_FLOW_TABLE_FULL;
      if (owner)
        bpf_map_delete_elem(&flows, &way->key);
    }
  }
  /* The mapping was counted for a flow that did not come to be. */
  if (masqueraded)
    release_mapping(&way->mapping_key, way->mapping.address[3], way->mapping.port, now);
  return reason;
}

/* Whether the policy would make the flow what it is. Leaves its way as compose() does. */
static __always_inline int still_allowed(void *trie, const struct flow *original, const struct flow_state *forward, struct way *way) {
  if (decide(trie, original, way) || !way->stateful || way->direction != forward->direction)
    return 0;
  if (way->source.rule_count && (ask_acl(original, &way->source) & (RULE_DENY | ACL_DEFAULT_DENY)))
    return 0;
  if (compose(trie, original, way, 0))
    return 0;
  const struct translation *to = &way->translation;
  return to->source[1] == forward->to.source[1] && to->destination[1] == forward->to.destination[1] && to->ports == forward->to.ports &&
         (way->destination.vni | (original->key.vni_protocol & ~VNI_MASK)) == forward->peer_vni_protocol;
}

/* An entry of an older generation: 0 if it goes on, a reason if it does but this packet does not, RENEW_ENDED. decide() has been asked about the packet. */
#define RENEW_ENDED 0xffffu
static __always_inline __u32 renew_flow(void *trie, const struct flow *flow, struct flow_state *state, struct way *way) {
  struct flow *original = &way->original;
  *original = *flow;
  struct flow_state *forward = state;
  /* A reply is let through by its flow, whatever the default is, but not past a rule that denies it. */
  __u32 denied = state->role == ROLE_REPLY && way->source.rule_count && ask_acl(flow, &way->source) == RULE_DENY;
  if (state->role == ROLE_REPLY) {
    other_key(&original->key, &state->to, state->peer_vni_protocol);
    original->vni = original->key.vni_protocol & VNI_MASK;
    forward = bpf_map_lookup_elem(&flows, &original->key);
  }
  if (forward && still_allowed(trie, original, forward, way)) {
    if (state->role == ROLE_REPLY) {
      way->direction = state->direction;
      if (denied)
        return DROP_DENIED;
      __u32 reason = find_route(way, original->vni, state->to.destination[1], flow->hash);
      if (reason)
        return reason;
    }
    state->tunnel_mac = way->entry.tunnel_mac;
    state->destination_vni = way->entry.destination_vni;
    state->idle_timeout = way->idle_timeout;
    /* Last: who reads it on another CPU and finds it old does all this again. */
    *(volatile __u32 *)&state->generation = flow->generation;
    return 0;
  }
  __u32 now = seconds_now();
  if (forward) {
    way->state = *forward;
    if (!bpf_map_delete_elem(&flows, &original->key))
      release_flow(&original->key, &way->state, &way->mapping_key, now);
    other_key(&way->key, &way->state.to, way->state.peer_vni_protocol);
    bpf_map_delete_elem(&flows, &way->key);
  } else {
    bpf_map_delete_elem(&flows, &flow->key);
  }
  return RENEW_ENDED;
}

/* decide() has said that this peering keeps state. `refresh`: the packet is one of the flow. 0: found, or the reason; NOT_FOUND. */
#define NOT_FOUND 0xffffu
static __always_inline __u32 find_flow(void *trie, struct flow *flow, struct way *way, __u32 refresh) {
  struct flow_state *state = bpf_map_lookup_elem(&flows, &flow->key);
  if (state && state->generation != flow->generation) {
    __u32 reason = renew_flow(trie, flow, state, way);
    if (reason == RENEW_ENDED) {
      reason = decide(trie, flow, way);
      return reason ? reason : NOT_FOUND;
    }
    if (reason)
      return reason;
  }
  if (!state)
    return NOT_FOUND;
  way->direction = state->direction;
  way->translation = state->to;
  way->entry.direction = state->direction;
  way->entry.tunnel_mac = state->tunnel_mac;
  way->entry.destination_vni = state->destination_vni;
  way->stateful = 1;
  if (refresh)
    touch(state, flow->tcp_flags);
  return 0;
}
