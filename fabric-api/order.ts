// Byte order of names, the only order that every gateway must compute alike (no locale, no UTF-16 surprises).

/** Compares by the bytes of the UTF-8 form. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return utf8Weight(x) - utf8Weight(y);
  }
  return a.length - b.length;
}

/** UTF-8 orders by code point; of UTF-16 units only surrogates (code points above U+FFFF) stand below U+E000…U+FFFF. */
function utf8Weight(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
