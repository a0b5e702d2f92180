// Traffic sink on the last link: counts and drops the VXLAN frames that arrive with the VNI of the destination VPC. Anything else goes to the
// kernel (ARP, and packets that a gateway passed on wrongly, which then are not counted).
#include "traffic.h"

struct sink {
  __u32 vni; /* as in the VXLAN header: upper 24 bits, big endian */
  __u32 unused;
  __u64 received; /* one receive queue: never two CPUs at a time */
};

struct sink sink SEC(".data.sink");

SEC("xdp.frags")
int count(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data;
  struct ethhdr *ethernet = data;
  struct iphdr *outer = data + OUTER_IP;
  struct udphdr *udp = data + OUTER_UDP;
  if (data + INNER_IP > (void *)(long)ctx->data_end)
    return XDP_PASS;
  if (ethernet->h_proto != bpf_htons(ETH_P_IP) || outer->ihl != 5 || outer->protocol != IPPROTO_UDP ||
      udp->dest != bpf_htons(VXLAN_PORT))
    return XDP_PASS;
  if (*(__u32 *)(data + VXLAN_VNI) == sink.vni)
    sink.received++;
  return XDP_DROP;
}

char LICENSE[] SEC("license") = "Apache-2.0";
