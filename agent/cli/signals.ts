// Options of the preference signals, the same for `plan` and `agent`.

import type { ArgumentsCamelCase } from "yargs";
import { DEFAULT_COMMUNITY_ASN, type SignalOptions } from "../plan/announcements.ts";

export interface SignalArguments {
  readonly "community-asn": number;
  readonly prepend: boolean;
}

export const communityAsnOption = {
  number: true,
  default: DEFAULT_COMMUNITY_ASN,
  describe: "first half of the community that carries the rank to the leaves",
} as const;

export const prependOption = {
  boolean: true,
  default: false,
  describe: "prepend our AS once per rank, where leaves can set no policy",
} as const;

export function signalsOf({ communityAsn, prepend }: ArgumentsCamelCase<SignalArguments>): SignalOptions {
  return { communityAsn, prepend };
}
