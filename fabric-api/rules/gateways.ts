// Rules of one gateway and of gateways among each other.

import type { Path } from "../diagnostic.ts";
import { formatAddress, parseAddress, parseCidr } from "../prefix.ts";
import type { Report } from "../report.ts";
import { parseMac } from "../schema/formats.ts";
import type { SpecOf } from "../schema/kinds.ts";
import type { Entry } from "../stream/objects.ts";
import { didYouMean } from "../suggest.ts";
import type { World } from "../world.ts";
import { type Claim, reportRepeated } from "./unique.ts";

export function checkGateways(world: World, report: Report): void {
  for (const entry of world.gateways) {
    if (entry.object === undefined) continue;
    checkInterfaces(entry, entry.object.spec, report);
    checkNeighbors(entry, entry.object.spec, report);
    checkWorkers(entry, entry.object.spec, report);
  }
  checkUnique(world.gateways, report);
}

function checkInterfaces(entry: Entry<"Gateway">, { interfaces }: SpecOf<"Gateway">, report: Report): void {
  const path: Path = ["spec", "interfaces"];
  if (Object.keys(interfaces).length === 0) {
    report.add({
      code: "FG0301",
      at: entry.at(path, "key"),
      subject: entry,
      path,
      message: "needs at least one interface",
    });
  }
  for (const [name, { kernel, pci }] of Object.entries(interfaces)) {
    if (kernel === undefined || pci === undefined) continue;
    const both: Path = [...path, name, "pci"];
    const message = `interface ${name} sets both kernel and pci; at most one names the device`;
    report.add({ code: "FG0302", at: entry.at(both, "key"), subject: entry, path: both, value: pci, message });
  }
}

function checkNeighbors(entry: Entry<"Gateway">, { interfaces, neighbors }: SpecOf<"Gateway">, report: Report): void {
  const seen = new Map<string, Path>();
  neighbors.forEach(({ ip, source }, index) => {
    const path: Path = ["spec", "neighbors", index, "ip"];
    const address = parseAddress(ip);
    const key = address === undefined ? ip : formatAddress(address);
    const earlier = seen.get(key);
    if (earlier === undefined) {
      seen.set(key, path);
    } else {
      const other = { at: entry.at(earlier), what: "the first" };
      const message = `neighbor ${ip} is listed twice`;
      report.add({ code: "FG0310", at: entry.at(path), subject: entry, path, value: ip, message, other });
    }
    if (source === undefined || Object.hasOwn(interfaces, source)) return;
    const sourcePath: Path = ["spec", "neighbors", index, "source"];
    report.add({
      code: "FG0303",
      at: entry.at(sourcePath),
      subject: entry,
      path: sourcePath,
      value: source,
      message: `source ${source} is not one of this gateway's interfaces`,
      hint: didYouMean(source, Object.keys(interfaces)),
    });
  });
}

function checkWorkers(entry: Entry<"Gateway">, { workers }: SpecOf<"Gateway">, report: Report): void {
  if (workers === undefined) return;
  const path: Path = ["spec", "workers"];
  const message = "workers has no effect: the kernel's receive-side scaling spreads packets over the cores";
  report.add({ code: "FG0309", at: entry.at(path, "key"), subject: entry, path, value: workers, message });
}

function checkUnique(gateways: readonly Entry<"Gateway">[], report: Report): void {
  const claims = (field: "protocolIP" | "vtepIP" | "vtepMAC", keyOf: (text: string) => string): Claim[] =>
    gateways.flatMap((entry) => {
      const value = entry.object?.spec[field];
      return value === undefined ? [] : [{ key: keyOf(value), value, entry, path: ["spec", field] }];
    });
  const address = (text: string) => {
    const cidr = parseCidr(text);
    return cidr === undefined ? text : `${cidr.family} ${cidr.first}`;
  };
  reportRepeated(claims("protocolIP", address), "FG0304", "protocolIP", report);
  reportRepeated(claims("vtepIP", address), "FG0305", "vtepIP", report);
  reportRepeated(
    claims("vtepMAC", (text) => parseMac(text) ?? text),
    "FG0306",
    "vtepMAC",
    report,
  );
}
