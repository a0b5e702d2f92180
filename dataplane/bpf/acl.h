// The ACL of a direction: the first rule that matches the packet as it arrived decides, else the default. Asked for the first packet of a flow, of a reply, and of
// each combination of addresses, protocol and ports that needs no flow; the verdict is kept with what it was asked for.
#pragma once
#include "policy.h"

/* Verdicts; RULE_DENY and RULE_FLOW as in the rule. */
#define ACL_ALLOWED 0
#define ACL_DEFAULT_DENY 8

/* What rules are compared with, once for all of them. */
struct acl_run {
  __u32 source;
  __u32 destination;
  __u32 protocol;
  __u32 source_port;
  __u32 destination_port;
  __u32 first;
  __u32 count;
  __u32 fragment;
  __u32 verdict;
};

static __always_inline int matches_rule(const struct acl_rule *rule, const struct acl_run *run) {
  if (((run->source ^ rule->source) & rule->source_mask) | ((run->destination ^ rule->destination) & rule->destination_mask))
    return 0;
  if (rule->protocol != run->protocol && rule->protocol != 256)
    return 0;
  if (!(rule->flags & RULE_PORTS))
    return 1;
  /* A fragment could be of any port: that is no reason to let it through, but one not to (RFC 1858). */
  if (run->fragment)
    return rule->flags & RULE_DENY;
  return run->destination_port >= rule->destination_ports[0] && run->destination_port <= rule->destination_ports[1] &&
         run->source_port >= rule->source_ports[0] && run->source_port <= rule->source_ports[1];
}

/* Some rules at a time: the call costs as much as the comparison. */
#define RULES_A_STEP 4

static long match_rules(__u32 step, struct acl_run *run) {
#pragma unroll
  for (__u32 i = 0; i < RULES_A_STEP; i++) {
    __u32 number = step * RULES_A_STEP + i;
    if (number >= run->count)
      return 1;
    const struct acl_rule *rule = &acl_rules[(run->first + number) & (2 * MAX_RULES - 1)];
    if (matches_rule(rule, run)) {
      run->verdict = rule->flags & (RULE_DENY | RULE_FLOW);
      return 1;
    }
  }
  return 0;
}

/* `source`: the entry of the direction. */
static __noinline __u32 ask_acl(const struct flow *flow, const struct policy_entry *source) {
  struct acl_run run = {
    .source = unmapped(flow->key.source[1]),
    .destination = unmapped(flow->key.destination[1]),
    .protocol = flow->key.vni_protocol >> 24,
    .source_port = bpf_ntohs(flow->key.ports),
    .destination_port = bpf_ntohs(flow->key.ports >> 16),
    .first = source->rules,
    .count = source->rule_count & ~DEFAULT_DENY,
    .fragment = flow->fragment,
    .verdict = source->rule_count & DEFAULT_DENY ? ACL_DEFAULT_DENY : ACL_ALLOWED,
  };
  bpf_loop((run.count + RULES_A_STEP - 1) / RULES_A_STEP, match_rules, &run, 0);
  return run.verdict;
}
