// Every diagnostic this folder can report, in one table. A code never changes its meaning and is never reused, so scripts
// and documentation may rely on it. FG01xx reading a stream, FG02xx one object's fields, FG03xx gateways and groups,
// FG04xx VPCs and externals, FG05xx peerings, FG06xx what peerings expose, FG07xx NAT, FG08xx ACLs. (FG09xx are used up: parts of
// the API that could not be validated once.)

export type Severity = "error" | "warning";

interface CodeEntry {
  readonly severity: Severity;
  /** The rule, in one line. */
  readonly rule: string;
}

/** code → severity and the rule that was broken. */
export const CODES = {
  FG0101: { severity: "error", rule: "a source is well-formed YAML or JSON" },
  FG0102: { severity: "error", rule: "a mapping holds each key once" },
  FG0103: { severity: "error", rule: "a mapping's keys are plain strings" },
  FG0104: { severity: "error", rule: "sources stay within the size, nesting and alias limits" },
  FG0105: { severity: "error", rule: "a document is an object, a List with items, or apiVersion and items" },
  FG0106: { severity: "error", rule: "an object has a known kind" },
  FG0107: { severity: "error", rule: "an object has the apiVersion of its kind" },
  FG0108: { severity: "error", rule: "(kind, namespace, name) is unique in the stream" },
  FG0109: { severity: "error", rule: "gatewayGroup is written once: in spec, or (older) in spec.peering" },

  FG0201: { severity: "error", rule: "only the fields of the API are used" },
  FG0202: { severity: "error", rule: "required fields are present" },
  FG0203: { severity: "error", rule: "a field's value has the field's type" },
  FG0204: { severity: "error", rule: "a text value has the field's format" },
  FG0205: { severity: "error", rule: "a number, text length or list length is within its range" },
  FG0206: { severity: "error", rule: "a value is one of those that the field knows" },
  FG0207: { severity: "error", rule: "a number, boolean or date that is meant as text is quoted" },

  FG0301: { severity: "error", rule: "a gateway has at least one interface" },
  FG0302: { severity: "error", rule: "an interface sets at most one of kernel and pci" },
  FG0303: { severity: "error", rule: "a neighbor's source is one of the gateway's interfaces" },
  FG0304: { severity: "error", rule: "protocolIP is unique across gateways" },
  FG0305: { severity: "error", rule: "vtepIP is unique across gateways" },
  FG0306: { severity: "error", rule: "vtepMAC is unique across gateways" },
  FG0307: { severity: "error", rule: "a gateway is in a group once" },
  FG0308: { severity: "error", rule: "a gateway group that is referred to exists" },
  FG0309: { severity: "warning", rule: "workers has no effect here" },
  FG0310: { severity: "error", rule: "a neighbor address is listed once" },
  FG0311: { severity: "warning", rule: "a gateway group serves a peering" },
  FG0312: { severity: "warning", rule: "a gateway is in the group of some peering" },
  FG0313: { severity: "warning", rule: "a peering's group has a gateway that can serve it" },

  FG0401: { severity: "error", rule: "a VNI is unique among VPCs and externals" },
  FG0402: { severity: "error", rule: "subnets of one VPC do not overlap" },
  FG0403: { severity: "error", rule: "only an external may hold 0.0.0.0/0 or ::/0" },
  FG0404: { severity: "warning", rule: "an external has a VNI, else peerings with it are not served" },
  FG0405: { severity: "error", rule: "spec.vni of an External agrees with the VPCInfo of the same name" },
  FG0406: { severity: "warning", rule: "a prefix is written without host bits" },

  FG0501: { severity: "error", rule: "a peering has exactly two sides" },
  FG0502: { severity: "error", rule: "a side names a VPCInfo, or ext.NAME of an External" },
  FG0503: { severity: "error", rule: "two sides are peered at most once" },
  FG0504: { severity: "error", rule: "a side exposes something" },
  FG0505: {
    severity: "error",
    rule: "a name that several namespaces hold is not referred to from yet another namespace",
  },

  FG0601: { severity: "error", rule: "default: true stands alone in its expose block" },
  FG0602: { severity: "error", rule: "an expose block has ips, or default: true" },
  FG0603: { severity: "error", rule: "an entry has exactly one of cidr, not and (in ips) vpcSubnet" },
  FG0604: { severity: "error", rule: "a list of prefixes includes something, not only exclusions" },
  FG0605: { severity: "error", rule: "an exposed cidr lies within one subnet of its VPC" },
  FG0606: { severity: "error", rule: "vpcSubnet names a subnet of the VPC" },
  FG0607: { severity: "error", rule: "vpcSubnet is not used on externals" },
  FG0608: { severity: "error", rule: "exclusions leave something over" },
  FG0609: { severity: "error", rule: "exposed addresses are unicast and routable" },
  FG0610: { severity: "warning", rule: "default: true is preferred to exposing 0.0.0.0/0 or ::/0" },
  FG0611: { severity: "error", rule: "an expose block has one address family" },
  FG0612: { severity: "error", rule: "both sides of a peering expose the same address families" },
  FG0613: { severity: "error", rule: "expose blocks of one side do not overlap" },
  FG0614: { severity: "error", rule: "prefixes that different peers expose to one VPC do not overlap" },
  FG0615: { severity: "error", rule: "a VPC sees at most one default" },
  FG0616: { severity: "error", rule: "default does not face default" },
  FG0617: { severity: "error", rule: "as and nat come together" },
  FG0618: { severity: "error", rule: "nat has exactly one of static, masquerade and portForward" },

  FG0701: { severity: "error", rule: "the two lists of static NAT have equally many addresses" },
  FG0702: { severity: "error", rule: "port and as of a forwarded port have equally many ports" },
  FG0703: { severity: "error", rule: "portForward has one prefix in ips and one in as, without exclusions" },
  FG0704: { severity: "error", rule: "the two prefixes of portForward have equally many addresses" },
  FG0705: { severity: "error", rule: "forwarded ports do not overlap, privately or publicly" },
  FG0706: { severity: "warning", rule: "a masquerade pool has an address for every 1000 hosts" },

  FG0801: { severity: "error", rule: "an ACL rule's name is unique in its peering" },
  FG0802: { severity: "error", rule: "an ACL rule has from or to" },
  FG0803: { severity: "error", rule: "from and to of an ACL rule name sides of the peering" },
  FG0804: { severity: "error", rule: "from and to of an ACL rule are different sides" },
  FG0805: { severity: "error", rule: "ports of an ACL rule need the protocol tcp or udp" },
  FG0806: { severity: "error", rule: "src and dst entries of an ACL rule have at most one of cidr and vpcSubnet" },
  FG0807: { severity: "error", rule: "what an ACL rule matches is exposed, at least partly" },
  FG0808: { severity: "error", rule: "src and dst of an ACL rule share an address family" },
} as const satisfies Record<string, CodeEntry>;

/** Stable identifier of a diagnostic. */
export type Code = keyof typeof CODES;
