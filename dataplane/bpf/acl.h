// The ACL of a direction: the first rule that matches the packet as it arrived decides, else the default. Asked for the first packet of a flow, of a reply, and of
// each combination of addresses, protocol and ports that needs no flow; the verdict is kept with what it was asked for.
#pragma once
#include "policy.h"

/* Verdicts; RULE_DENY and RULE_FLOW as in the rule. */
#define ACL_ALLOWED 0
#define ACL_DEFAULT_DENY 8

struct acl_run {
  const struct flow_key *key;
  __u32 first;
  __u32 fragment;
  __u32 verdict;
};

static long match_rule(__u32 number, struct acl_run *run) {
  const struct acl_rule *rule = &acl_rules[(run->first + number) & (2 * MAX_RULES - 1)];
  const struct flow_key *key = run->key;
  if (((unmapped(key->source[1]) ^ rule->source) & rule->source_mask) | ((unmapped(key->destination[1]) ^ rule->destination) & rule->destination_mask))
    return 0;
  if (rule->protocol != 256 && rule->protocol != key->vni_protocol >> 24)
    return 0;
  if (rule->flags & RULE_PORTS) {
    __u16 source = bpf_ntohs(key->ports);
    __u16 destination = bpf_ntohs(key->ports >> 16);
    /* A fragment could be of any port: that is no reason to let it through, but one not to (RFC 1858). */
    if (run->fragment ? !(rule->flags & RULE_DENY) : source < rule->source_ports[0] || source > rule->source_ports[1] ||
                        destination < rule->destination_ports[0] || destination > rule->destination_ports[1])
      return 0;
  }
  run->verdict = rule->flags & (RULE_DENY | RULE_FLOW);
  return 1;
}

/* `source`: the entry of the direction. */
static __noinline __u32 ask_acl(const struct flow *flow, const struct policy_entry *source) {
  struct acl_run run = {
    .key = &flow->key,
    .first = source->rules,
    .fragment = flow->fragment,
    .verdict = source->rule_count & DEFAULT_DENY ? ACL_DEFAULT_DENY : ACL_ALLOWED,
  };
  bpf_loop(source->rule_count & ~DEFAULT_DENY, match_rule, &run, 0);
  return run.verdict;
}
