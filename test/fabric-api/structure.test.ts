// The stream and one object's fields: what is accepted, what is found, and where.

import { external, gateway, object, peering, stream, vpc } from "./streams.ts";
import { testTable } from "./table.ts";

const V1 = "gateway.githedgehog.com/v1alpha1";
const quiet = { groups: "[{name: default}]" };
const other = { protocolIP: "172.30.8.9/32", vtepIP: "172.30.12.9/32", vtepMAC: '"02:00:00:00:00:09"', ...quiet };
const SIDES = { "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}]", "vpc-2": "[{ips: [{cidr: 10.2.0.0/24}]}]" };

testTable("a stream of documents", [
  { is: "may be empty", yaml: "# nothing\n---\n---\n", finds: [] },
  {
    is: "may hold JSON",
    yaml: `{"apiVersion":"${V1}","kind":"VPCInfo",\n\t"metadata":{"name":"v"},\n\t"spec":{"vni":7}}`,
    finds: [],
  },
  { is: "may begin with a byte order mark", yaml: `\uFEFF${vpc("v", 7, {})}`, finds: [] },
  { is: "may have Windows line ends", yaml: vpc("v", 7, { a: "10.9.0.0/24" }).replaceAll("\n", "\r\n"), finds: [] },
  { is: "may have directives", yaml: `%YAML 1.2\n---\n${vpc("v", 7, {})}...\n---\n${vpc("w", 8, {})}`, finds: [] },
  {
    is: "may hold a List",
    yaml: `kind: List\napiVersion: v1\nmetadata: {resourceVersion: ""}\nitems:\n- {apiVersion: ${V1}, kind: VPCInfo, metadata: {name: v}, spec: {vni: 7}}\n`,
    finds: [],
  },
  {
    is: "may hold apiVersion and items without kind, items inheriting apiVersion",
    yaml: `apiVersion: ${V1}\nitems:\n- {kind: VPCInfo, metadata: {name: v}, spec: {vni: 7}}\n`,
    finds: [],
  },
  {
    is: "may use anchors and aliases",
    yaml: `apiVersion: ${V1}\nkind: VPCInfo\nmetadata: {name: v}\nspec: {vni: 7, subnets: {a: {cidr: &c 10.9.0.0/24}}}\n---\n${external("y", "static: {prefixes: [&p 10.0.0.0/8, *p]}", "vni: 9")}`,
    finds: [],
  },
  {
    is: "points into a List's item",
    yaml: `kind: List\nitems:\n- {apiVersion: ${V1}, kind: VPCInfo, metadata: {name: v}, spec: {vni: »zero}}\n`,
    finds: ["FG0203 spec.vni"],
  },
  { is: "is well-formed", yaml: "a: [1, 2\n»b: 3\n", finds: ["FG0101"] },
  {
    is: "shows what is wrong in later documents too",
    yaml: `a: »@x\n---\n${object("VPCInfo", "v", "vni: »x")}`,
    finds: ["FG0101", "FG0203 spec.vni"],
  },
  { is: "is not indented with tabs", yaml: `a:\n»\tb: 1\n`, finds: ["FG0101"], says: ["spaces"] },
  { is: "has no unknown tags", yaml: `a: »!secret x\n`, finds: ["FG0101"] },
  {
    is: "has no key twice",
    yaml: object("VPCInfo", "v", "vni: 7", "»vni: 8"),
    finds: ["FG0102"],
    says: ['"vni" is here twice'],
  },
  {
    is: "has keys that are text",
    yaml: object("VPCInfo", "v", "vni: 7", "subnets: {»1: {cidr: 10.9.0.0/24}}"),
    finds: ["FG0103"],
    says: ['write "1"'],
  },
  { is: "has no mappings as keys", yaml: object("VPCInfo", "v", "vni: 7", "? »{a: b}", ": c"), finds: ["FG0103"] },
  { is: "has no prototype tricks", yaml: object("VPCInfo", "v", "vni: 7", "»__proto__: {vni: 8}"), finds: ["FG0103"] },
  { is: "is not nested without end", yaml: `a: ${"[".repeat(63)}»[${"]".repeat(64)}\n`, finds: ["FG0104"] },
  { is: "is not nested without end in block style", yaml: `${"- ".repeat(64)}»- a\n`, finds: ["FG0104"] },
  { is: "has no bare texts", yaml: "»hello\n", finds: ["FG0105"] },
  { is: "has no bare lists", yaml: "»- a\n", finds: ["FG0105"] },
  { is: "has objects as items", yaml: "kind: List\nitems: [»1]\n", finds: ["FG0105"] },
  { is: "has a list as items", yaml: "kind: List\nitems: »none\n", finds: ["FG0105 items"] },
  { is: "has items in a List", yaml: "»kind: List\n", finds: ["FG0105 items"] },
  {
    is: "has nothing else in a List",
    yaml: `kind: List\nitems: []\n»item: []\n`,
    finds: ["FG0201 item"],
    says: ["did you mean items?"],
  },
  { is: "has a kind in each object", yaml: `»apiVersion: ${V1}\nspec: {}\n`, finds: ["FG0202 kind"] },
  { is: "has a kind that is text", yaml: `apiVersion: ${V1}\nkind: »7\n`, finds: ["FG0203 kind"] },
  {
    is: "has known kinds",
    yaml: `apiVersion: ${V1}\nkind: »GatewayPering\nmetadata: {name: x}\n`,
    finds: ["FG0106 kind"],
    says: ["did you mean GatewayPeering?"],
  },
  {
    is: "has the kind's apiVersion",
    yaml: `apiVersion: »v1\nkind: VPCInfo\nmetadata: {name: v}\nspec: {vni: 7}\n`,
    finds: ["FG0107 apiVersion"],
    says: [V1],
  },
  {
    is: "has an apiVersion",
    yaml: `»kind: VPCInfo\nmetadata: {name: v}\nspec: {vni: 7}\n`,
    finds: ["FG0202 apiVersion"],
  },
  {
    is: "has each object once",
    yaml: stream(vpc("v", 7, {}), vpc("v", 8, {}).replace("name: v", "name: »v")),
    finds: ["FG0108 metadata.name"],
    says: ["case.yaml:3:18"],
  },
  {
    is: "may have one name in two namespaces and two kinds",
    yaml: stream(vpc("v", 7, {}), vpc("v", 8, {}).replace("name: v", "name: v, namespace: b"), external("v", "vni: 9")),
    finds: [],
  },
]);

testTable("metadata", [
  {
    is: "may hold what a cluster adds",
    yaml: `apiVersion: ${V1}\nkind: VPCInfo\nmetadata:\n  name: v\n  uid: a\n  generation: 3\n  resourceVersion: "7"\n  creationTimestamp: null\n  managedFields: [{}]\n  labels: {a: b}\n  annotations: {a: b}\nspec: {vni: 7}\nstatus: {internalID: abc}\n`,
    finds: [],
  },
  {
    is: "has a name",
    yaml: `apiVersion: ${V1}\nkind: VPCInfo\n»metadata: {}\nspec: {vni: 7}\n`.replace("»metadata: ", "metadata: »"),
    finds: ["FG0202 metadata.name"],
  },
  { is: "has a lower-case name", yaml: vpc("»V", 7, {}), finds: ["FG0204 metadata.name"] },
  { is: "has no dash at a name's end", yaml: vpc("»v-", 7, {}), finds: ["FG0204 metadata.name"] },
  {
    is: "has a name of at most 253 characters",
    yaml: vpc(`»${"a".repeat(254)}`, 7, {}),
    finds: ["FG0205 metadata.name"],
  },
  { is: "has a quoted name", yaml: vpc("»12", 7, {}), finds: ["FG0207 metadata.name"], says: ['"12"'] },
  { is: "has labels that are text", yaml: vpc("v, labels: {a: »true}", 7, {}), finds: ["FG0207 metadata.labels.a"] },
  {
    is: "has known fields",
    yaml: vpc("v, »lables: {}", 7, {}),
    finds: ["FG0201 metadata.lables"],
    says: ["did you mean labels?"],
  },
]);

testTable("Gateway.spec", [
  { is: "may be minimal", yaml: gateway("g", other), finds: [] },
  {
    is: "may hold everything",
    yaml: gateway("g", {
      ...other,
      vtepMTU: "9000",
      interfaces:
        '{e1: {ips: [172.30.1.1/31, "2001:db8::1/64"], kernel: enp1s0, mtu: 9100}, e2: {ips: [172.30.1.3/31], pci: "0000:02:00.1"}}',
      neighbors: '[{ip: 172.30.1.0, asn: 1, source: e1}, {ip: "2001:db8::2", asn: 4294967295}]',
      flowTableCapacity: "1000",
      logs: "{default: info, tags: {bgp: debug}, rateLimit: {burst: 1}}",
      profiling: "{enabled: true}",
    }),
    finds: [],
  },
  {
    is: "has an asn",
    yaml: gateway("g", { ...other, asn: undefined }).replace("spec:", "»spec:"),
    finds: ["FG0202 spec.asn"],
  },
  { is: "has an asn above 0", yaml: gateway("g", { ...other, asn: "»0" }), finds: ["FG0205 spec.asn"] },
  { is: "has an asn of 32 bits", yaml: gateway("g", { ...other, asn: "»4294967296" }), finds: ["FG0205 spec.asn"] },
  {
    is: "has an integer asn",
    yaml: gateway("g", { ...other, asn: '»"65534"' }),
    finds: ["FG0203 spec.asn"],
    says: ["remove the quotes: 65534"],
  },
  {
    is: "has a protocolIP with /32",
    yaml: gateway("g", { ...other, protocolIP: "»172.30.8.9" }),
    finds: ["FG0204 spec.protocolIP"],
  },
  {
    is: "has an IPv4 protocolIP",
    yaml: gateway("g", { ...other, protocolIP: "»2001:db8::1/128" }),
    finds: ["FG0204 spec.protocolIP"],
  },
  {
    is: "has one address as protocolIP",
    yaml: gateway("g", { ...other, protocolIP: "»172.30.8.0/24" }),
    finds: ["FG0204 spec.protocolIP"],
  },
  {
    is: "has a protocolIP of its own",
    yaml: gateway("g", { ...other, protocolIP: "»172.30.8.1/32" }),
    finds: ["FG0304 spec.protocolIP"],
    says: ["gw-base"],
  },
  {
    is: "has a vtepIP that is not loopback",
    yaml: gateway("g", { ...other, vtepIP: "»127.0.0.1/32" }),
    finds: ["FG0204 spec.vtepIP"],
  },
  {
    is: "has a vtepIP that is not multicast",
    yaml: gateway("g", { ...other, vtepIP: "»239.0.0.1/32" }),
    finds: ["FG0204 spec.vtepIP"],
  },
  {
    is: "has a vtepIP that is not unspecified",
    yaml: gateway("g", { ...other, vtepIP: "»0.0.0.0/32" }),
    finds: ["FG0204 spec.vtepIP"],
  },
  {
    is: "may have an IPv6 vtepIP",
    yaml: gateway("g", { ...other, vtepIP: "2001:db8::1/128" }),
    finds: [],
  },
  {
    is: "has a vtepIP of its own",
    yaml: gateway("g", { ...other, vtepIP: "»172.30.12.1/32" }),
    finds: ["FG0305 spec.vtepIP"],
  },
  {
    is: "has a vtepMAC that is not a group",
    yaml: gateway("g", { ...other, vtepMAC: '»"03:00:00:00:00:01"' }),
    finds: ["FG0204 spec.vtepMAC"],
  },
  {
    is: "has a vtepMAC that is not zero",
    yaml: gateway("g", { ...other, vtepMAC: '»"00:00:00:00:00:00"' }),
    finds: ["FG0204 spec.vtepMAC"],
  },
  {
    is: "has a vtepMAC of six octets",
    yaml: gateway("g", { ...other, vtepMAC: '»"02:00:00:00:01"' }),
    finds: ["FG0204 spec.vtepMAC"],
  },
  {
    is: "has a vtepMAC of its own, whatever its spelling",
    yaml: gateway("g", { ...other, vtepMAC: "»CA-FE-BA-BE-00-01" }),
    finds: ["FG0306 spec.vtepMAC"],
  },
  {
    is: "has interfaces",
    yaml: gateway("g", { ...other, interfaces: "»{}" }).replace("interfaces: »", "»interfaces: "),
    finds: ["FG0301 spec.interfaces"],
  },
  {
    is: "has an address on each interface",
    yaml: gateway("g", { ...other, interfaces: "{e: {ips: »[]}}" }),
    finds: ["FG0205 spec.interfaces.e.ips"],
  },
  {
    is: "has prefix lengths on interfaces",
    yaml: gateway("g", { ...other, interfaces: "{e: {ips: [»172.30.1.1]}}" }),
    finds: ["FG0204 spec.interfaces.e.ips[0]"],
  },
  {
    is: "has interface names of 15 characters",
    yaml: gateway("g", { ...other, interfaces: `{»${"e".repeat(16)}: {ips: [172.30.1.1/31]}}` }),
    finds: [`FG0204 spec.interfaces.${"e".repeat(16)}`],
  },
  {
    is: "has kernel or pci",
    yaml: gateway("g", { ...other, interfaces: '{e: {ips: [172.30.1.1/31], kernel: e0, »pci: "02:00.1"}}' }),
    finds: ["FG0302 spec.interfaces.e.pci"],
  },
  { is: "has neighbors", yaml: gateway("g", { ...other, neighbors: "»[]" }), finds: ["FG0205 spec.neighbors"] },
  {
    is: "has bare neighbor addresses",
    yaml: gateway("g", { ...other, neighbors: "[{ip: »172.30.1.0/31, asn: 1}]" }),
    finds: ["FG0204 spec.neighbors[0].ip"],
  },
  {
    is: "has unicast neighbor addresses",
    yaml: gateway("g", { ...other, neighbors: "[{ip: »224.0.0.1, asn: 1}]" }),
    finds: ["FG0204 spec.neighbors[0].ip"],
  },
  {
    is: "has neighbors with an asn above 0",
    yaml: gateway("g", { ...other, neighbors: "[{ip: 172.30.1.0, asn: »0}]" }),
    finds: ["FG0205 spec.neighbors[0].asn"],
  },
  {
    is: "has each neighbor once",
    yaml: gateway("g", { ...other, neighbors: '[{ip: "2001:db8::1", asn: 1}, {ip: »"2001:DB8:0::1", asn: 1}]' }),
    finds: ["FG0310 spec.neighbors[1].ip"],
  },
  {
    is: "has its own interfaces as sources",
    yaml: gateway("g", { ...other, neighbors: "[{ip: 172.30.1.0, asn: 1, source: »eth2}]" }),
    finds: ["FG0303 spec.neighbors[0].source"],
    says: ["did you mean eth1?"],
  },
  {
    is: "is in a group once",
    yaml: gateway("g", { ...other, groups: "[{name: default}, {name: »default, priority: 2}]" }),
    finds: ["FG0307 spec.groups[1].name"],
  },
  {
    is: "is in groups that exist",
    yaml: gateway("g", { ...other, groups: "[{name: default}, {name: »defualt}]" }),
    finds: ["FG0308 spec.groups[1].name"],
    says: ["did you mean default?"],
  },
  {
    is: "has priorities of 32 bits",
    yaml: gateway("g", { ...other, groups: "[{name: default, priority: »4294967296}]" }),
    finds: ["FG0205 spec.groups[0].priority"],
  },
  {
    is: "has no negative priorities",
    yaml: gateway("g", { ...other, groups: "[{name: default, priority: »-1}]" }),
    finds: ["FG0205 spec.groups[0].priority"],
  },
  {
    is: "has workers without effect",
    yaml: gateway("g", { ...other, workers: "4" }).replace("workers", "»workers"),
    finds: ["FG0309 spec.workers"],
  },
  { is: "has 1…64 workers", yaml: gateway("g", { ...other, workers: "»65" }), finds: ["FG0205 spec.workers"] },
  {
    is: "has a positive flow table",
    yaml: gateway("g", { ...other, flowTableCapacity: "»1.5" }),
    finds: ["FG0203 spec.flowTableCapacity"],
  },
  {
    is: "has known log levels",
    yaml: gateway("g", { ...other, logs: "{default: »warn}" }),
    finds: ["FG0206 spec.logs.default"],
    says: ["did you mean warning?"],
  },
  {
    is: "has booleans that are booleans",
    yaml: gateway("g", { ...other, profiling: "{enabled: »yes}" }),
    finds: ["FG0203 spec.profiling.enabled"],
  },
  {
    is: "has known fields at every depth",
    yaml: gateway("g", { ...other, logs: "{rateLimit: {»bursts: 1}}" }),
    finds: ["FG0201 spec.logs.rateLimit.bursts"],
    says: ["did you mean burst?"],
  },
  {
    is: "has values behind its keys",
    yaml: gateway("g", { ...other, groups: "" }).replace("groups", "»groups"),
    finds: ["FG0203 spec.groups"],
    says: ["has no value"],
  },
]);

testTable("GatewayGroup.spec", [
  {
    is: "may be left out",
    yaml: `apiVersion: ${V1}\nkind: GatewayGroup\nmetadata: {name: »g}\n`,
    finds: ["FG0311 metadata.name"],
  },
  { is: "may declare the default group", yaml: object("GatewayGroup", "default"), finds: [] },
  { is: "is empty", yaml: object("GatewayGroup", "default", "»members: []"), finds: ["FG0201 spec.members"] },
]);

testTable("GatewayPeering.spec, its fields", [
  {
    is: "has known fields in expose",
    yaml: object(
      "GatewayPeering",
      "p",
      "peering:",
      "  vpc-1:",
      "    »exposes: []",
      "  vpc-2:",
      "    expose: [{default: true}]",
    ),
    finds: ["FG0201 spec.peering.vpc-1.exposes"],
    says: ["did you mean expose?"],
  },
  {
    is: "has quoted ports",
    yaml: peering("p", {
      ...SIDES,
      "vpc-1":
        "[{ips: [{cidr: 10.1.0.0/24}], as: [{cidr: 192.168.0.1/32}], nat: {portForward: {ports: [{proto: tcp, port: »22, as: »2222}]}}}]",
    }),
    finds: [
      "FG0207 spec.peering.vpc-1.expose[0].nat.portForward.ports[0].port",
      "FG0207 spec.peering.vpc-1.expose[0].nat.portForward.ports[0].as",
    ],
    says: ['quote it: "22"'],
  },
  {
    is: "has ports in range and order",
    yaml: peering("p", {
      ...SIDES,
      "vpc-1":
        '[{ips: [{cidr: 10.1.0.0/24}], as: [{cidr: 192.168.0.1/32}], nat: {portForward: {ports: [{port: »"0", as: »"65536"}, {port: »"9-8", as: »"1, 2"}]}}}]',
    }),
    finds: [
      "FG0204 spec.peering.vpc-1.expose[0].nat.portForward.ports[0].port",
      "FG0204 spec.peering.vpc-1.expose[0].nat.portForward.ports[0].as",
      "FG0204 spec.peering.vpc-1.expose[0].nat.portForward.ports[1].port",
      "FG0204 spec.peering.vpc-1.expose[0].nat.portForward.ports[1].as",
    ],
  },
  {
    is: "has known protocols to forward",
    yaml: peering("p", {
      ...SIDES,
      "vpc-1":
        '[{ips: [{cidr: 10.1.0.0/24}], as: [{cidr: 192.168.0.1/32}], nat: {portForward: {ports: [{proto: »icmp, port: "1", as: "1"}]}}}]',
    }),
    finds: ["FG0206 spec.peering.vpc-1.expose[0].nat.portForward.ports[0].proto"],
  },
  {
    is: "has durations above zero",
    yaml: peering("p", {
      ...SIDES,
      "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}], as: [{cidr: 192.168.0.1/32}], nat: {masquerade: {idleTimeout: »0s}}}]",
    }),
    finds: ["FG0204 spec.peering.vpc-1.expose[0].nat.masquerade.idleTimeout"],
    says: ["1h30m"],
  },
  {
    is: "has durations with units",
    yaml: peering("p", {
      ...SIDES,
      "vpc-1": '[{ips: [{cidr: 10.1.0.0/24}], as: [{cidr: 192.168.0.1/32}], nat: {masquerade: {idleTimeout: »"90"}}}]',
    }),
    finds: ["FG0204 spec.peering.vpc-1.expose[0].nat.masquerade.idleTimeout"],
  },
  {
    is: "has ACL rules with an action",
    yaml: peering("p", SIDES, "acl: {rules: [»{from: vpc-1}]}"),
    finds: ["FG0202 spec.acl.rules[0].action"],
  },
  {
    is: "has known ACL fields",
    yaml: peering("p", SIDES, "acl: {rules: [{from: vpc-1, action: allow, match: {»source: []}}]}"),
    finds: ["FG0201 spec.acl.rules[0].match.source"],
  },
  {
    is: "has quoted protocol numbers",
    yaml: peering("p", SIDES, "acl: {rules: [{from: vpc-1, action: allow, match: {proto: »6}}]}"),
    finds: ["FG0207 spec.acl.rules[0].match.proto"],
  },
  {
    is: "has protocol numbers of 8 bits",
    yaml: peering("p", SIDES, 'acl: {rules: [{from: vpc-1, action: allow, match: {proto: »"256"}}]}'),
    finds: ["FG0204 spec.acl.rules[0].match.proto"],
  },
  {
    is: "has rule names of 64 characters",
    yaml: peering("p", SIDES, `acl: {rules: [{name: »${"r".repeat(65)}, from: vpc-1, action: deny}]}`),
    finds: ["FG0205 spec.acl.rules[0].name"],
  },
  {
    is: "has known ACL defaults and scopes",
    yaml: peering("p", SIDES, "acl: {default: »allow, rules: [{from: vpc-1, action: deny, scope: »flows}]}"),
    finds: ["FG0206 spec.acl.default", "FG0206 spec.acl.rules[0].scope"],
  },
  {
    is: "has prefixes with a length",
    yaml: peering("p", {
      ...SIDES,
      "vpc-1": "[{ips: [{cidr: »10.1.0.0}, {not: »10.1.0.0/33}, {cidr: »10.1.0.0/08}]}]",
    }),
    finds: [
      "FG0204 spec.peering.vpc-1.expose[0].ips[0].cidr",
      "FG0204 spec.peering.vpc-1.expose[0].ips[1].not",
      "FG0204 spec.peering.vpc-1.expose[0].ips[2].cidr",
    ],
  },
]);
