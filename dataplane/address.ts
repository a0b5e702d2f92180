// Text to the numbers and bytes that lie in the maps. Used by the encoders; throws invalid-desired with the text that is wrong.
import { DataplaneError } from "./errors.ts";

/** "10.1.2.3" as a number. */
export function parseIpv4(text: string): number {
  let address = 0;
  let octet = -1;
  let dots = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 48 && code <= 57) {
      octet = (octet < 0 ? 0 : octet * 10) + code - 48;
      if (octet > 255) throw notAnAddress(text);
    } else if (code === 46 && octet >= 0 && dots < 3) {
      address = address * 256 + octet;
      octet = -1;
      dots++;
    } else {
      throw notAnAddress(text);
    }
  }
  if (dots !== 3 || octet < 0) throw notAnAddress(text);
  return address * 256 + octet;
}

export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** "10.1.0.0/16". */
export function parsePrefix(text: string): { readonly address: number; readonly length: number } {
  const slash = text.indexOf("/");
  const length = Number(text.slice(slash + 1));
  if (slash < 0 || slash === text.length - 1 || !Number.isInteger(length) || length < 0 || length > 32) {
    throw notAnAddress(text);
  }
  return { address: parseIpv4(text.slice(0, slash)), length };
}

/** "02:00:00:00:00:01" as six bytes. */
export function parseMac(text: string): Buffer {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) {
    throw new DataplaneError("invalid-desired", `"${text}" is not a MAC address`);
  }
  return Buffer.from(text.replaceAll(":", ""), "hex");
}

function notAnAddress(text: string): DataplaneError {
  const what = text.includes(":") ? "IPv6 is not supported yet" : "not an IPv4 address or prefix";
  return new DataplaneError("invalid-desired", `"${text}": ${what}`);
}
