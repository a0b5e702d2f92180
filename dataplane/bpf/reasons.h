// Why a packet was dropped. Every drop has exactly one of these. The names reach TypeScript through BTF, lower case with
// dashes (DROP_TTL_EXPIRED → "ttl-expired"), and from there the metrics: renaming one renames a metric.
#pragma once

enum drop_reason {
  /* Not a drop: not VXLAN to our VTEP, goes on to the kernel. */
  PASSED = 0,

  /* Before a peering is known: counted by reason alone. */
  DROP_OUTER_FRAGMENT,      /* RFC 7348 4.3: VTEPs do not fragment */
  DROP_OUTER_OPTIONS,       /* outer IP header longer than 20 bytes */
  DROP_OUTER_LENGTH,        /* outer IP and UDP lengths disagree, or with what is there */
  DROP_OUTER_CHECKSUM,
  DROP_SOURCE_VTEP,         /* outer source is not a VTEP of the fabric */
  DROP_VXLAN_FLAGS,         /* no valid VNI flag */
  DROP_UNKNOWN_VNI,
  DROP_INNER_MAC,           /* inner destination is not our router MAC */
  DROP_INNER_ETHERTYPE,
  DROP_INNER_HEADER,        /* IP version or header length */
  DROP_INNER_LENGTH,        /* IP total length against the header and what is there */
  DROP_INNER_CHECKSUM,
  DROP_NO_DESTINATION,      /* nothing that is exposed to this VPC has this address */
  DROP_ICMP_MALFORMED,      /* an ICMP error, its checksum, or the header that it quotes: RFC 5508 REQ-3 */

  /* Of one direction of a peering. */
  DROP_SOURCE_NOT_EXPOSED,
  DROP_NO_ROUTE,            /* the destination VPC has no route to it */
  DROP_NO_TUNNEL,           /* the route's VTEP cannot be reached */
  DROP_TTL_EXPIRED,
  DROP_TOO_BIG,             /* longer than the underlay's MTU */
  DROP_ECN_CONFLICT,        /* congestion marked outside on a packet that is not ECN-capable: RFC 6040 4.2 */
  DROP_UPLINK_GONE,
  DROP_TRANSPORT_HEADER,    /* to be translated, but cut off before its checksum */

  /* Of peerings that keep state. */
  DROP_NO_FLOW,             /* belongs to no flow, and none may begin this way */
  DROP_PORT_NOT_FORWARDED,  /* to an address of which other ports are forwarded */
  DROP_NAT_PROTOCOL,        /* masquerade and port forwarding know TCP, UDP and ICMP queries */
  DROP_NAT_EXHAUSTED,       /* no port is free */
  DROP_FLOW_TABLE_FULL,
  DROP_FLOW_CONFLICT,       /* its reply could not be told from another flow */
  DROP_FRAGMENT,            /* has no ports to be found by */

  DROP_DENIED,              /* by the peering's ACL: a rule, or its default */

  DROP_REASON_COUNT,
};
