// Parts of the API that the dataplane cannot carry yet: rejected by name, never ignored.

import type { Code } from "../codes.ts";
import type { Path } from "../diagnostic.ts";
import { parseCidr } from "../prefix.ts";
import type { Report } from "../report.ts";
import type { Entry } from "../stream/objects.ts";
import type { World } from "../world.ts";
import type { ExposingPeering } from "./expose.ts";

const NAT_CODES = {
  static: ["FG0901", "static NAT"],
  masquerade: ["FG0902", "masquerade"],
  portForward: ["FG0903", "portForward"],
} as const satisfies Record<string, readonly [Code, string]>;

export function rejectUnsupported(world: World, exposing: readonly ExposingPeering[], report: Report): void {
  for (const { entry, object } of withObject(world.gateways)) {
    const { vtepIP } = object.spec;
    if (parseCidr(vtepIP)?.family !== 6) continue;
    const path: Path = ["spec", "vtepIP"];
    const message = "an IPv6 vtepIP is not supported yet";
    report.add({ code: "FG0906", at: entry.at(path), subject: entry, path, value: vtepIP, message });
  }
  for (const { entry, object } of withObject(world.peerings)) {
    const { peering, acl } = object.spec;
    if (acl !== undefined) reject(entry, "FG0904", ["spec", "acl"], "acl", report);
    for (const [side, { expose }] of Object.entries(peering)) {
      expose.forEach(({ nat }, index) => {
        for (const kind of ["static", "masquerade", "portForward"] as const) {
          if (nat?.[kind] === undefined) continue;
          const [code, what] = NAT_CODES[kind];
          reject(entry, code, ["spec", "peering", side, "expose", index, "nat", kind], what, report);
        }
      });
    }
  }
  for (const { entry, sides } of exposing) {
    const parts = sides.flatMap(({ blocks }) => blocks.flatMap((block) => block.parts));
    for (const { cidr, path } of parts) {
      if (cidr.family === 6) reject(entry, "FG0905", path, "exposing IPv6", report);
    }
  }
}

function reject(entry: Entry, code: Code, path: Path, what: string, report: Report): void {
  const at = entry.at(path, what === "exposing IPv6" ? "value" : "key");
  report.add({ code, at, subject: entry, path, message: `${what} is not supported yet` });
}

function withObject<E extends Entry>(entries: readonly E[]) {
  return entries.flatMap((entry) => {
    const object = entry.object as E["object"];
    return object === undefined ? [] : [{ entry, object: object as NonNullable<E["object"]> }];
  });
}
