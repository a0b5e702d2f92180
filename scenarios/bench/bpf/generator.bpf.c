// Traffic source. bpf_prog_test_run with BPF_F_TEST_XDP_LIVE_FRAMES runs this over real frames, which then leave through a veth. Pages come
// back from there with whatever the receivers wrote into them, so all headers are laid down anew each time.
#include "traffic.h"

struct generator {
  __u64 headers[HEADERS / 8]; /* inner addresses with 0 in the bits that vary, inner checksum complemented and for those zeros */
  __u32 interface_index;
  __u32 flow_bits; /* 2^n address pairs, at most 2^16: the lower half of n in the source, the rest in the destination */
  __u64 generated;
};

struct generator generator SEC(".data.generator");

SEC("xdp")
int generate(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data;
  if (data + HEADERS > (void *)(long)ctx->data_end)
    return XDP_ABORTED;
  __u64 *word = data;
#pragma unroll
  for (int i = 0; i < HEADERS / 8; i++)
    word[i] = generator.headers[i];

  __u32 bits = generator.flow_bits & 31;
  __u32 half = bits / 2;
  __u32 flow = generator.generated++ & ((1u << bits) - 1);
  __u32 source = flow & ((1u << half) - 1);
  __u32 destination = flow >> half;
  struct udphdr *outer_udp = data + OUTER_UDP;
  struct iphdr *inner = data + INNER_IP;
  struct udphdr *inner_udp = data + INNER_UDP;
  /* As a VTEP does: the outer port carries the entropy of the inner flow (RFC 7348 5). */
  outer_udp->source = bpf_htons(0xc000 | (flow & 0x3fff));
  inner->saddr |= bpf_htonl(source);
  inner->daddr |= bpf_htonl(destination);
  inner_udp->source = bpf_htons(0x4000 | (flow & 0x3fff));
  __u32 sum = inner->check + (__u32)bpf_htons(source) + bpf_htons(destination);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  inner->check = ~sum;
  return bpf_redirect(generator.interface_index, 0);
}

char LICENSE[] SEC("license") = "Apache-2.0";
