// Rules of VPCs and externals: VNIs and subnets.

import type { Path } from "../diagnostic.ts";
import { Memo } from "../memo.ts";
import { formatCidr } from "../prefix.ts";
import { sweepOverlaps } from "../prefix-set.ts";
import type { Report } from "../report.ts";
import { type Domain, EXTERNAL_PREFIX, type World } from "../world.ts";
import { warnOfHostBits } from "./host-bits.ts";
import { type Claim, reportRepeated } from "./unique.ts";

export function checkVpcs(world: World, report: Report): void {
  checkVnis(world, report);
  checkExternals(world, report);
  for (const domain of world.domains) checkedSubnets.reporting(domain, [], report, () => checkSubnets(domain, report));
}

const checkedSubnets = new Memo<Domain, void>();

function checkVnis({ domains }: World, report: Report): void {
  const claims = domains.flatMap(({ vni, entry }): Claim[] =>
    vni === undefined ? [] : [{ key: String(vni), value: vni, entry, path: ["spec", "vni"] }],
  );
  reportRepeated(claims, "FG0401", "VNI", report);
}

function checkExternals({ externals, domain }: World, report: Report): void {
  for (const entry of externals) {
    const { object, name, namespace } = entry;
    if (object === undefined) continue;
    object.spec.static?.prefixes.forEach((text, index) => {
      warnOfHostBits(entry, ["spec", "static", "prefixes", index], text, report);
    });
    const resolution = domain(EXTERNAL_PREFIX + name, namespace);
    if (!("found" in resolution) || resolution.found.broken) continue;
    const { vni, entry: holder } = resolution.found;
    const path: Path = ["spec", "vni"];
    if (vni === undefined) {
      const message = "has no VNI yet: peerings with it are not served until it has one";
      const hint = `set spec.vni, or add a VPCInfo named ${EXTERNAL_PREFIX}${name}`;
      report.add({ code: "FG0404", at: entry.at(path), subject: entry, path, message, hint });
    } else if (object.spec.vni !== undefined && object.spec.vni !== vni) {
      const message = `VNI ${object.spec.vni} differs from ${vni} of VPCInfo ${holder.name}`;
      const other = { at: holder.at(path), what: "the VPCInfo says so" };
      report.add({ code: "FG0405", at: entry.at(path), subject: entry, path, value: object.spec.vni, message, other });
    }
  }
}

function checkSubnets({ entry, external, subnets }: Domain, report: Report): void {
  for (const { name, cidr, path } of subnets) {
    const finding = { at: entry.at(path), subject: entry, path, value: formatCidr(cidr) };
    if (cidr.length === 0 && !external) {
      const message = `subnet ${name} is everything; only a VPCInfo named ${EXTERNAL_PREFIX}NAME may hold ${formatCidr(cidr)}`;
      report.add({ code: "FG0403", ...finding, message });
    }
    if (entry.kind === "VPCInfo") {
      warnOfHostBits(entry, path, entry.object?.spec.subnets[name]?.cidr ?? "", report);
    }
  }
  const intervals = subnets.map((subnet, owner) => ({ ...subnet.cidr, owner, subnet }));
  sweepOverlaps(intervals, (a, b) => {
    const [{ subnet: later }, { subnet: earlier }] = a.owner > b.owner ? [a, b] : [b, a];
    const { path, cidr } = later;
    const message = `subnet ${later.name} ${formatCidr(cidr)} overlaps subnet ${earlier.name} ${formatCidr(earlier.cidr)}`;
    const other = { at: entry.at(earlier.path), what: "the other" };
    report.add({ code: "FG0402", at: entry.at(path), subject: entry, path, value: formatCidr(cidr), message, other });
  });
}
