// Around the gateway's program when it is measured. bpf_prog_test_run hands the same frame to every repeat, with whatever the program wrote into
// it; so `vary` lays a fresh frame over it, with the addresses of a pair drawn at random, and tail-calls what is measured. The same with
// `nothing` in place of the gateway tells what `vary` costs itself.
#include "packet.h"
#include <bpf/bpf_helpers.h>

#define HEADERS 104 /* to the end of the TCP header's words that matter */

struct bench {
  __u64 headers[HEADERS / 8];
  __u32 pairs; /* a power of two */
  __u32 random;
  __u32 sequential; /* not at random: one after the other, from 0 */
  __u32 unused;
};

struct bench bench SEC(".data.bench");

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} measured SEC(".maps");

SEC("xdp.frags")
int vary(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data;
  if (data + HEADERS > (void *)(long)ctx->data_end)
    return XDP_ABORTED;
  __u64 *word = data;
#pragma unroll
  for (int i = 0; i < HEADERS / 8; i++)
    word[i] = bench.headers[i];
  /* xorshift32; source x.y.0.0–255, destination x.y.0–255.0, then source ports: the bits of the pair's number. */
  __u32 random = bench.random;
  __u32 pair;
  if (bench.sequential) {
    pair = random & (bench.pairs - 1);
    random++;
  } else {
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    pair = (random >> 8) & (bench.pairs - 1);
  }
  bench.random = random;
  struct iphdr *inner = data + INNER_IP;
  __u32 source = inner->saddr | (pair & 0xff) << 24;
  __u32 destination = inner->daddr | (pair >> 8 & 0xff) << 16;
  inner->saddr = source;
  inner->daddr = destination;
  __u16 *port = data + INNER_PAYLOAD;
  *port += pair >> 16;
  __u64 sum = sum_header(inner);
  inner->check = ~fold_checksum(sum);
  bpf_tail_call(ctx, &measured, 0);
  return XDP_ABORTED;
}

SEC("xdp.frags")
int nothing(struct xdp_md *ctx) {
  (void)ctx;
  return XDP_DROP;
}

char LICENSE[] SEC("license") = "Apache-2.0";
