// The rules across fields and objects: what is accepted, what is found, and where.

import { external, gateway, object, peering, stream, vpc } from "./streams.ts";
import { testTable } from "./table.ts";

const other = { protocolIP: "172.30.8.9/32", vtepIP: "172.30.12.9/32", vtepMAC: '"02:00:00:00:00:09"' };
const ONE = "[{ips: [{cidr: 10.1.0.0/24}]}]";
const TWO = "[{ips: [{cidr: 10.2.0.0/24}]}]";

/** A peering of vpc-1, whose exposes the case is about, with vpc-2. */
function exposing(expose: string, ...spec: string[]): string {
  return peering("p", { "vpc-1": expose, "vpc-2": TWO }, ...spec);
}

const AT = "spec.peering.vpc-1.expose[0]";

testTable("groups", [
  { is: "need no manifest to be the default", yaml: exposing(ONE, "gatewayGroup: default"), finds: [] },
  {
    is: "are found in another namespace",
    yaml: stream(
      object("GatewayGroup", "g, namespace: fab"),
      gateway("gw, namespace: fab", { ...other, groups: "[{name: g, priority: 1}]" }),
      exposing(ONE, "gatewayGroup: g"),
    ),
    finds: [],
  },
  {
    is: "exist when a peering names them",
    yaml: stream(object("GatewayGroup", "group-1"), exposing(ONE, "gatewayGroup: »grup-1")).replace(
      "name: group-1",
      "name: »group-1",
    ),
    finds: ["FG0311 metadata.name", "FG0308 spec.gatewayGroup"],
  },
  {
    is: "exist when an older peering names them inside the map",
    yaml: object(
      "Peering",
      "p",
      "peering:",
      "  vpc-1: {expose: [{ips: [{cidr: 10.1.0.0/24}]}]}",
      "  vpc-2: {expose: [{ips: [{cidr: 10.2.0.0/24}]}]}",
      "  gatewayGroup: »defualt",
    ),
    finds: ["FG0308 spec.gatewayGroup"],
    says: ["did you mean default?"],
  },
  {
    is: "are named once in a peering",
    yaml: object(
      "GatewayPeering",
      "p",
      "gatewayGroup: default",
      "peering:",
      "  vpc-1: {expose: [{ips: [{cidr: 10.1.0.0/24}]}]}",
      "  vpc-2: {expose: [{ips: [{cidr: 10.2.0.0/24}]}]}",
      "  »gatewayGroup: default",
    ),
    finds: ["FG0109 spec.peering.gatewayGroup"],
  },
  {
    is: "are not two of one name elsewhere",
    yaml: stream(
      object("GatewayGroup", "»g, namespace: a"),
      object("GatewayGroup", "»g, namespace: b"),
      exposing(ONE, "gatewayGroup: »g"),
    ),
    finds: ["FG0311 metadata.name", "FG0311 metadata.name", "FG0505 spec.gatewayGroup"],
  },
  {
    is: "without members serve nothing",
    yaml: stream(object("GatewayGroup", "g"), exposing(ONE, "gatewayGroup: »g")),
    finds: ["FG0313 spec.gatewayGroup"],
  },
  {
    is: "without peerings keep their gateways idle",
    yaml: stream(object("GatewayGroup", "»g"), gateway("»gw", { ...other, groups: "[{name: g}]" })),
    finds: ["FG0311 metadata.name", "FG0312 metadata.name"],
  },
  { is: "are the default if the list is empty", yaml: gateway("gw", { ...other, groups: "[]" }), finds: [] },
]);

testTable("VPCs and externals", [
  { is: "may overlap each other", yaml: vpc("v", 7, { a: "10.1.0.0/24" }), finds: [] },
  {
    is: "may be an external described by a VPCInfo",
    yaml: stream(external("x"), vpc("ext.x", 7, { all: "0.0.0.0/0" })),
    finds: [],
  },
  { is: "may say an external's VNI twice", yaml: stream(external("x", "vni: 7"), vpc("ext.x", 7, {})), finds: [] },
  {
    is: "may hold all fields of an external",
    yaml: external(
      "x",
      "ipv4Namespace: default",
      "inboundCommunity: 65102:5000",
      "outboundCommunity: 50000:50001",
      "static: {prefixes: [0.0.0.0/0]}",
      "vni: 7",
    ),
    finds: [],
  },
  { is: "have a VNI", yaml: object("VPCInfo", "v").replace("spec: ", "spec: »"), finds: ["FG0202 spec.vni"] },
  { is: "have a VNI above 0", yaml: vpc("v", 0, {}).replace("vni: ", "vni: »"), finds: ["FG0205 spec.vni"] },
  { is: "have a VNI of 24 bits", yaml: vpc("v", 16777216, {}).replace("vni: ", "vni: »"), finds: ["FG0205 spec.vni"] },
  { is: "have a VNI that is a number", yaml: object("VPCInfo", "v", 'vni: »"7"'), finds: ["FG0203 spec.vni"] },
  {
    is: "have a VNI of their own",
    yaml: vpc("v", 100, {}).replace("vni: ", "vni: »"),
    finds: ["FG0401 spec.vni"],
    says: ["vpc-1", "base.yaml:5:8"],
  },
  { is: "have a VNI that no external has", yaml: external("x", "vni: »100"), finds: ["FG0401 spec.vni"] },
  {
    is: "have disjoint subnets",
    yaml: vpc("v", 7, { a: "10.9.0.0/16", b: "»10.9.3.0/24" }),
    finds: ["FG0402 spec.subnets.b.cidr"],
    says: ["case.yaml:7:15"],
  },
  {
    is: "have no default route as subnet",
    yaml: vpc("v", 7, { a: "»0.0.0.0/0" }),
    finds: ["FG0403 spec.subnets.a.cidr"],
  },
  {
    is: "have prefixes without host bits",
    yaml: vpc("v", 7, { a: "»10.9.0.1/24" }),
    finds: ["FG0406 spec.subnets.a.cidr"],
    says: ["write 10.9.0.0/24"],
  },
  {
    is: "have static prefixes without host bits",
    yaml: external("x", "vni: 7", "static: {prefixes: [»10.9.0.1/24]}"),
    finds: ["FG0406 spec.static.prefixes[0]"],
  },
  {
    is: "have subnets with a cidr",
    yaml: object("VPCInfo", "v", "vni: 7", "subnets: {a: »{}}"),
    finds: ["FG0202 spec.subnets.a.cidr"],
  },
  {
    is: "may lack an external's VNI for now",
    yaml: stream(external("x").replace("{}", "»{}"), peering("p", { "ext.x": "[{default: true}]", "vpc-1": ONE })),
    finds: ["FG0404 spec.vni"],
    says: ["VPCInfo named ext.x"],
  },
  {
    is: "agree on an external's VNI",
    yaml: stream(external("x", "vni: »8"), vpc("ext.x", 7, {})),
    finds: ["FG0405 spec.vni"],
  },
]);

testTable("the sides of a peering", [
  {
    is: "are two",
    yaml: peering("p", { "vpc-1": ONE }).replace("peering:\n", "»peering:\n"),
    finds: ["FG0501 spec.peering"],
  },
  {
    is: "are not three",
    yaml: peering("p", { "vpc-1": ONE, "vpc-2": TWO, "ext.inet": "[{default: true}]" }).replace(
      "peering:\n",
      "»peering:\n",
    ),
    finds: ["FG0501 spec.peering"],
  },
  {
    is: "are present",
    yaml: object("GatewayPeering", "p").replace("spec: ", "spec: »"),
    finds: ["FG0202 spec.peering"],
  },
  {
    is: "are VPCs that exist",
    yaml: peering("p", { "»vcp-1": ONE, "vpc-2": TWO }),
    finds: ["FG0502 spec.peering.vcp-1"],
    says: ["did you mean vpc-1?"],
  },
  {
    is: "are externals that exist",
    yaml: peering("p", { "vpc-1": ONE, "»ext.intet": "[{default: true}]" }),
    finds: ['FG0502 spec.peering["ext.intet"]'],
    says: ["did you mean ext.inet?"],
  },
  {
    is: "name an external with ext.",
    yaml: peering("p", { "vpc-1": ONE, "»inet": "[{default: true}]" }),
    finds: ["FG0502 spec.peering.inet"],
  },
  {
    is: "are peered once",
    yaml: stream(
      peering("p", { "vpc-1": ONE, "vpc-2": TWO }),
      peering("q", { "vpc-2": "[{ips: [{cidr: 10.2.1.0/24}]}]", "vpc-1": "[{ips: [{cidr: 10.1.1.0/24}]}]" }).replace(
        "peering:\n",
        "»peering:\n",
      ),
    ),
    finds: ["FG0503 spec.peering"],
    says: ["case.yaml:5:3"],
  },
  { is: "expose something", yaml: exposing("[]").replace("vpc-1", "»vpc-1"), finds: ["FG0504 spec.peering.vpc-1"] },
  {
    is: "do not follow errors of a broken VPC",
    yaml: stream(object("VPCInfo", "v", "vni: »no"), peering("p", { v: ONE, "vpc-2": TWO })),
    finds: ["FG0203 spec.vni"],
  },
]);

testTable("an expose block", [
  {
    is: "may hold a prefix within a subnet",
    yaml: exposing("[{ips: [{cidr: 10.1.0.128/25}, {cidr: 10.1.1.4/32}]}]"),
    finds: [],
  },
  {
    is: "may hold a subnet by name with exclusions",
    yaml: exposing("[{ips: [{vpcSubnet: default}, {not: 10.1.0.0/28}]}]"),
    finds: [],
  },
  {
    is: "may exclude what is not there",
    yaml: exposing("[{ips: [{cidr: 10.1.0.0/24}, {not: 172.16.0.0/12}]}]"),
    finds: [],
  },
  { is: "may say default: false", yaml: exposing("[{default: false, ips: [{cidr: 10.1.0.0/24}]}]"), finds: [] },
  {
    is: "may expose anything of an external",
    yaml: peering("p", { "ext.inet": "[{ips: [{cidr: 8.8.0.0/16}]}]", "vpc-1": ONE }),
    finds: [],
  },
  {
    is: "has default: true alone",
    yaml: exposing("[{default: true, »ips: [{cidr: 10.1.0.0/24}]}]"),
    finds: [`FG0601 ${AT}.ips`],
  },
  { is: "has ips or default", yaml: exposing("[»{}]"), finds: [`FG0602 ${AT}`] },
  {
    is: "has one meaning an entry",
    yaml: exposing("[{ips: [{cidr: 10.1.0.0/24}, »{cidr: 10.1.1.0/24, not: 10.1.1.0/28}, »{}]}]"),
    finds: [`FG0603 ${AT}.ips[1]`, `FG0603 ${AT}.ips[2]`],
    says: ["has cidr and not"],
  },
  {
    is: "has one meaning an entry in block style too",
    yaml: object(
      "GatewayPeering",
      "p",
      "peering:",
      "  vpc-1:",
      "    expose:",
      "      - ips:",
      "          - cidr: 10.1.0.0/24",
      "          - »cidr: 10.1.1.0/24",
      "            not: 10.1.1.0/28",
      "  vpc-2: {expose: [{ips: [{cidr: 10.2.0.0/24}]}]}",
    ),
    finds: [`FG0603 ${AT}.ips[1]`],
  },
  { is: "includes something", yaml: exposing("[{»ips: [{not: 10.1.0.0/24}]}]"), finds: [`FG0604 ${AT}.ips`] },
  {
    is: "lies within one subnet",
    yaml: exposing("[{ips: [{cidr: »10.1.0.0/23}]}]"),
    finds: [`FG0605 ${AT}.ips[0].cidr`],
    says: ["default 10.1.0.0/24, db 10.1.1.0/24"],
  },
  {
    is: "lies within the VPC",
    yaml: exposing("[{ips: [{cidr: »»0.0.0.0/0}]}]"),
    finds: [`FG0605 ${AT}.ips[0].cidr`, `FG0609 ${AT}.ips[0].cidr`],
  },
  {
    is: "names subnets that exist",
    yaml: exposing("[{ips: [{vpcSubnet: »defualt}]}]"),
    finds: [`FG0606 ${AT}.ips[0].vpcSubnet`],
    says: ["did you mean default?"],
  },
  {
    is: "names no subnet of an external",
    yaml: peering("p", { "ext.inet": "[{ips: [{vpcSubnet: »default}]}]", "vpc-1": ONE }),
    finds: ['FG0607 spec.peering["ext.inet"].expose[0].ips[0].vpcSubnet'],
  },
  {
    is: "is not excluded whole",
    yaml: exposing("[{ips: »[{cidr: 10.1.0.0/25}, {not: 10.1.0.0/26}, {not: 10.1.0.64/26}]}]"),
    finds: [`FG0608 ${AT}.ips`],
  },
  {
    is: "is routable",
    yaml: peering("p", {
      "ext.inet":
        "[{ips: [{cidr: »0.1.0.0/16}, {cidr: »127.0.0.0/8}, {cidr: »169.254.1.0/24}, {cidr: »224.0.0.5/32}, {cidr: »192.0.0.0/2}]}]",
      "vpc-1": ONE,
    }),
    finds: [0, 1, 2, 3, 4].map((n) => `FG0609 spec.peering["ext.inet"].expose[0].ips[${n}].cidr` as const),
    says: ["0.0.0.0/8"],
  },
  {
    is: "is routable after exclusions",
    yaml: peering("p", { "ext.inet": "[{ips: [{cidr: 192.0.0.0/2}, {not: 224.0.0.0/3}]}]", "vpc-1": ONE }),
    finds: [],
  },
  {
    is: "prefers default to everything",
    yaml: peering("p", { "ext.inet": "[{ips: [{cidr: »0.0.0.0/0}]}]", "vpc-1": ONE }),
    finds: ['FG0610 spec.peering["ext.inet"].expose[0].ips[0].cidr'],
    says: ["default: true"],
  },
  {
    is: "has no host bits",
    yaml: exposing("[{ips: [{cidr: »10.1.0.1/24}, {not: »10.1.0.3/31}]}]"),
    finds: [`FG0406 ${AT}.ips[0].cidr`, `FG0406 ${AT}.ips[1].not`],
  },
  {
    is: "has one family",
    yaml: exposing('[{ips: [{cidr: 10.1.0.0/24}, {not: »"2001:db8::/32"}]}]'),
    finds: [`FG0611 ${AT}.ips[1].not`],
  },
  {
    is: "has as with nat",
    yaml: exposing("[{ips: [{cidr: 10.1.0.0/24}], »as: [{cidr: 192.168.0.0/24}]}]"),
    finds: [`FG0617 ${AT}.as`],
  },
  {
    is: "has nat with as",
    yaml: exposing("[{ips: [{cidr: 10.1.0.0/24}], »nat: {static: {}}}]"),
    finds: [`FG0617 ${AT}.nat`],
  },
  {
    is: "has one nat",
    yaml: exposing("[{ips: [{cidr: 10.1.0.0/24}], as: [{cidr: 192.168.0.0/24}], »nat: {}}]"),
    finds: [`FG0618 ${AT}.nat`],
  },
  {
    is: "has one meaning an entry of as",
    yaml: exposing("[{ips: [{cidr: 10.1.0.0/24}], as: [{cidr: 192.168.0.0/24}, »{}], nat: {static: {}}}]"),
    finds: [`FG0603 ${AT}.as[1]`],
  },
]);

testTable("both sides of a peering", [
  {
    is: "need not match a default's family",
    yaml: peering("p", {
      "ext.inet": "[{default: true}, {ips: [{cidr: 8.0.0.0/8}]}]",
      "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}, {ips: [{vpcSubnet: six}]}]",
    }),
    finds: [],
  },
  { is: "may be neutral by default", yaml: peering("p", { "ext.inet": "[{default: true}]", "vpc-1": ONE }), finds: [] },
  {
    is: "may have default beside prefixes",
    yaml: peering("p", { "ext.inet": "[{default: true}, {ips: [{cidr: 8.0.0.0/8}]}]", "vpc-1": ONE }),
    finds: [],
  },
  {
    is: "expose the same families",
    yaml: peering("p", { "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}, {ips: [{vpcSubnet: six}]}]", "vpc-2": TWO }).replace(
      "vpc-2: {expose",
      "vpc-2: {»expose",
    ),
    finds: ["FG0612 spec.peering.vpc-2.expose"],
  },
  {
    is: "do not face default with default",
    yaml: peering("p", { "ext.inet": "[{default: true}]", "vpc-1": "[{»default: true}]" }).replace(
      "»default: true",
      "default: »true",
    ),
    finds: ["FG0616 spec.peering.vpc-1.expose[0].default"],
  },
  {
    is: "expose disjoint blocks",
    yaml: exposing("[{ips: [{cidr: 10.1.0.0/24}]}, {ips: [{cidr: »10.1.0.128/25}]}]"),
    finds: ["FG0613 spec.peering.vpc-1.expose[1].ips[0].cidr"],
    says: ["10.1.0.0/24"],
  },
  {
    is: "may exclude what another block has",
    yaml: exposing("[{ips: [{cidr: 10.1.0.0/24}, {not: 10.1.0.128/25}]}, {ips: [{cidr: 10.1.0.128/25}]}]"),
    finds: [],
  },
]);

testTable("what a VPC sees", [
  {
    is: "may be alike in different peerings",
    yaml: stream(
      peering("p", { "vpc-1": ONE, "vpc-2": TWO }),
      peering("q", { "vpc-1": ONE, "vpc-4": "[{ips: [{cidr: 10.4.0.0/24}]}]" }),
    ),
    finds: [],
  },
  {
    is: "does not overlap between peers",
    yaml: stream(
      peering("p", { "vpc-1": ONE, "vpc-2": TWO }),
      peering("q", { "vpc-3": "[{ips: [{cidr: »10.1.0.128/25}]}]", "vpc-2": "[{ips: [{cidr: 10.2.1.0/24}]}]" }),
    ),
    finds: ["FG0614 spec.peering.vpc-3.expose[0].ips[0].cidr"],
    says: ["vpc-1 exposes to vpc-2", "case.yaml:6:"],
  },
  {
    is: "is reported at the later one, whichever is wider",
    yaml: stream(
      peering("q", { "vpc-3": "[{ips: [{cidr: 10.1.0.0/16}]}]", "vpc-2": "[{ips: [{cidr: 10.2.1.0/24}]}]" }),
      peering("p", { "vpc-1": "[{ips: [{cidr: »10.1.0.0/24}]}]", "vpc-2": TWO }),
    ),
    finds: ["FG0614 spec.peering.vpc-1.expose[0].ips[0].cidr"],
  },
  {
    is: "may overlap a default",
    yaml: stream(
      peering("p", { "vpc-1": ONE, "vpc-2": TWO }),
      peering("q", { "ext.inet": "[{default: true}]", "vpc-2": TWO }),
    ),
    finds: [],
  },
  {
    is: "does not overlap everything as a prefix",
    yaml: stream(
      peering("p", { "vpc-1": ONE, "vpc-2": TWO }),
      peering("q", { "ext.inet": "[{ips: [{cidr: »»0.0.0.0/0}]}]", "vpc-2": TWO }),
    ),
    finds: [
      'FG0614 spec.peering["ext.inet"].expose[0].ips[0].cidr',
      'FG0610 spec.peering["ext.inet"].expose[0].ips[0].cidr',
    ],
  },
  {
    is: "has one default",
    yaml: stream(
      peering("p", { "ext.inet": "[{default: true}]", "vpc-2": TWO }),
      peering("q", { "ext.wan": "[{»default: true}]", "vpc-2": TWO }),
    ),
    finds: ['FG0615 spec.peering["ext.wan"].expose[0].default'],
    says: ["ext.inet of p"],
  },
  {
    is: "has one default of one peer",
    yaml: peering("p", { "ext.inet": "[{default: true}, {»default: true}]", "vpc-2": TWO }),
    finds: ['FG0615 spec.peering["ext.inet"].expose[1].default'],
  },
]);
