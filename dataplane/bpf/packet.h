// Headers as they lie on the wire, and Internet checksums.
#pragma once
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are composed from little-endian words");

#define VXLAN_PORT 4789
#define VXLAN_VNI_VALID 0x08u /* first byte of the header: RFC 7348 5 */
#define IP_FRAGMENT 0x3fff    /* more fragments, or an offset */
#define IP_FRAGMENT_OFFSET 0x1fff
#define IP_DONT_FRAGMENT 0x4000
#define IP_LONGEST_HEADER 60
#define OUTER_TTL 64
#define ECN_MASK 0x03
#define ECN_ECT_1 0x01
#define ECN_ECT_0 0x02
#define ECN_CE 0x03

/* Offsets of an encapsulated frame without outer IP options. Nothing is packed: the machine loads unaligned words as they are, while a packed
   struct makes the compiler load byte by byte. */
#define OUTER_IP 14
#define OUTER_UDP 34
#define VXLAN 42
#define INNER_ETHERNET 50
#define INNER_IP 64
#define INNER_PAYLOAD 84
#define ENCAPSULATION (INNER_IP - OUTER_IP) /* outer IP bytes that are not inner IP */

#define TCP_FLAGS 13 /* offset of the octet */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* ICMP: RFC 792. */
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define ICMP_TIMESTAMP 13
#define ICMP_TIMESTAMP_REPLY 14
#define ICMP_HEADER 8
#define ICMP_UNREACHABLE 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12

struct icmp_header {
  __u8 type;
  __u8 code;
  __u16 check;
  __u16 id;
  __u16 sequence;
};

struct vxlan_header {
  __u32 flags; /* first byte counts, the rest is ignored on receipt */
  __u32 vni;   /* upper 24 bits, big endian */
};

#define VNI_MASK bpf_htonl(0xffffff00u)
/* The byte of a VNI word that is reserved on the wire. */
#define VNI_LOW_BYTE(value) ((__u32)(value) << 24)

static __always_inline __u32 fold_checksum(__u64 sum) {
  sum = (sum >> 32) + (__u32)sum;
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  return sum;
}

/* Sum of the 20 bytes of an IPv4 header without options. */
static __always_inline __u64 sum_header(const void *header) {
  const __u32 *word = header;
  return (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
}

/* RFC 1624 equation 3; `delta` is the sum of ~m + m'. */
static __always_inline __u16 update_checksum(__u16 check, __u32 delta) {
  __u32 sum = (__u16)~check + delta;
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  return ~sum;
}

/* ~m + m' of a 32-bit word, not folded. */
static __always_inline __u64 word_delta(__u32 old, __u32 new) {
  return (__u64)(__u32)~old + new;
}

static __always_inline int is_icmp_error(__u32 type) {
  return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM || type == ICMP_SOURCE_QUENCH;
}
