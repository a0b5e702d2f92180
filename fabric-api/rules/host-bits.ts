// A prefix with host bits is taken as its network, with a warning.

import type { Path } from "../diagnostic.ts";
import { formatCidr, parseCidr } from "../prefix.ts";
import type { Report } from "../report.ts";
import type { Entry } from "../stream/objects.ts";

export function warnOfHostBits(entry: Entry, path: Path, text: string, report: Report): void {
  const cidr = parseCidr(text);
  if (cidr === undefined || !cidr.hostBits) return;
  const message = `${text} has host bits set; taken as ${formatCidr(cidr)}`;
  report.add({
    code: "FG0406",
    at: entry.at(path),
    subject: entry,
    path,
    value: text,
    message,
    hint: `write ${formatCidr(cidr)}`,
  });
}
