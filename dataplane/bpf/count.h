// Counters. Each CPU writes its own, and a program runs to its end on one CPU without another run of it in between: no atomics.
#pragma once
#include "maps.h"

static __always_inline void count_unattributed(__u32 reason) {
  __u64 *count = bpf_map_lookup_elem(&unattributed, &reason);
  if (count)
    (*count)++;
}

static __noinline int pass(void) {
  count_unattributed(PASSED);
  return XDP_PASS;
}

static __noinline int drop_unattributed(__u32 reason) {
  count_unattributed(reason);
  return XDP_DROP;
}

static __noinline int drop(__u32 direction, __u32 reason, __u32 bytes) {
  struct drop_key key = { .direction = direction, .cpu = bpf_get_smp_processor_id(), .reason = reason };
  struct packet_count *count = bpf_map_lookup_elem(&drops, &key);
  if (count) {
    count->packets++;
    count->bytes += bytes;
    return XDP_DROP;
  }
  struct packet_count first = { .packets = 1, .bytes = bytes };
  /* No memory: the drop is still counted, but no longer by peering. */
  if (bpf_map_update_elem(&drops, &key, &first, BPF_ANY))
    count_unattributed(reason);
  return XDP_DROP;
}

static __always_inline void count_sent(__u32 direction, __u32 bytes) {
  __u32 index = bpf_get_smp_processor_id() * MAX_DIRECTIONS + direction;
  struct packet_count *count = bpf_map_lookup_elem(&sent, &index);
  if (count) {
    count->packets++;
    count->bytes += bytes;
  }
}
