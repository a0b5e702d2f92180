// Prefix arithmetic: exact against node:net and against brute force over small universes.

import assert from "node:assert/strict";
import { isIP } from "node:net";
import fc from "fast-check";
import { type Cidr, formatAddress, formatCidr, isCidr, parseAddress, parseCidr } from "../../fabric-api/prefix.ts";
import {
  compareIntervals,
  cover,
  exclude,
  type Interval,
  sizeOf,
  sweepOverlaps,
  union,
} from "../../fabric-api/prefix-set.ts";

/** The last 64 addresses of one family: small enough to count, and next to the end where arithmetic goes wrong. */
const BASES = { 4: 2n ** 32n - 64n, 6: 2n ** 128n - 64n } as const;
const UNIVERSE_BITS = 6;

const smallCidr = (family: 4 | 6): fc.Arbitrary<Cidr> =>
  fc.record({ at: fc.nat(63), bits: fc.nat(UNIVERSE_BITS) }).map(({ at, bits }) => {
    const first = BASES[family] + BigInt((at >> bits) << bits);
    const length = (family === 4 ? 32 : 128) - bits;
    return { family, length, first, last: first + (1n << BigInt(bits)) - 1n, hostBits: false };
  });
const family = fc.constantFrom(4 as const, 6 as const);
const cidrs = family.chain((one) => fc.array(smallCidr(one), { maxLength: 8 }));

function addressesOf(intervals: readonly Interval[]): Set<bigint> {
  const all = new Set<bigint>();
  for (const { first, last } of intervals) for (let at = first; at <= last; at++) all.add(at);
  return all;
}

describe("addresses", () => {
  for (const [written, canonical] of [
    ["10.0.0.1", "10.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
    ["fe80::", "fe80::"],
  ] as const) {
    it(`writes ${written} as ${canonical}`, () => {
      const address = parseAddress(written);
      assert.ok(address);
      assert.equal(formatAddress(address), canonical);
    });
  }

  for (const wrong of [
    "",
    "10.0.0",
    "10.0.0.256",
    "010.0.0.1",
    "10.0.0.1 ",
    "fe80::1%eth0",
    "1::2::3",
    "10.0.0.0/8",
    "::g",
  ]) {
    it(`does not take ${JSON.stringify(wrong)} for an address`, () => assert.equal(parseAddress(wrong), undefined));
  }

  it("reads any IPv6 address back as it was", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 128n - 1n), (value) => {
        const text = formatAddress({ family: 6, value });
        assert.equal(isIP(text), 6);
        assert.equal(parseAddress(text)?.value, value);
      }),
    );
  });

  it("agrees with node:net about any text", () => {
    const texts = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ unit: fc.constantFrom(..."0123456789af:./%") }));
    fc.assert(
      fc.property(texts, (text) => {
        assert.equal(parseAddress(text)?.family ?? 0, text.includes("%") ? 0 : isIP(text));
        assert.equal(isCidr(text), parseCidr(text) !== undefined);
      }),
    );
  });
});

describe("prefixes", () => {
  it("clears and notices host bits", () => {
    const cidr = parseCidr("10.1.2.3/16");
    assert.ok(cidr?.hostBits);
    assert.equal(formatCidr(cidr), "10.1.0.0/16");
    assert.equal(parseCidr("10.1.0.0/16")?.hostBits, false);
  });

  for (const wrong of [
    "10.0.0.0",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0.0/",
    "::/129",
    "/8",
    "10.0.0.0/8/8",
  ]) {
    it(`does not take ${wrong} for a prefix`, () => {
      assert.equal(parseCidr(wrong), undefined);
      assert.equal(isCidr(wrong), false);
    });
  }

  it("spans all of IPv6 exactly", () => {
    const all = parseCidr("::/0");
    assert.ok(all);
    assert.equal(all.last, 2n ** 128n - 1n);
    assert.deepEqual(cover(all), [{ family: 6, first: 0n, last: 2n ** 128n - 1n, length: 0 }]);
  });
});

describe("sets of addresses", () => {
  it("unite to the same addresses, sorted and apart", () => {
    fc.assert(
      fc.property(cidrs, (list) => {
        const united = union(list);
        assert.deepEqual([...addressesOf(united)].sort(), [...addressesOf(list)].sort());
        assert.equal(sizeOf(united), BigInt(addressesOf(list).size));
        for (const [index, next] of united.slice(1).entries()) assert.ok(next.first > (united[index]?.last ?? 0n) + 1n);
      }),
    );
  });

  it("lose exactly what is excluded, and stay as written where nothing is", () => {
    const cases = family.chain((one) => fc.tuple(smallCidr(one), fc.array(smallCidr(one), { maxLength: 5 })));
    fc.assert(
      fc.property(cases, ([included, nots]) => {
        const rest = exclude(included, union(nots));
        const holes = addressesOf(nots);
        const expected = [...addressesOf([included])].filter((address) => !holes.has(address));
        const left = rest.flatMap((network) => [...addressesOf([network])]);
        assert.deepEqual(left, expected);
        for (const network of rest) assert.equal(parseCidr(formatCidr(network))?.hostBits, false);
        if (expected.length === addressesOf([included]).size) assert.equal(rest.length, 1);
      }),
    );
  });

  it("are covered by the fewest prefixes", () => {
    const intervals = fc.tuple(family, fc.nat(63), fc.nat(63)).map(([one, a, b]) => ({
      family: one,
      first: BASES[one] + BigInt(Math.min(a, b)),
      last: BASES[one] + BigInt(Math.max(a, b)),
    }));
    fc.assert(
      fc.property(intervals, (interval) => {
        const networks = cover(interval);
        assert.deepEqual(
          networks.flatMap((one) => [...addressesOf([one])]),
          [...addressesOf([interval])],
        );
        // Each is aligned to its size, and none could be twice as large: that would leave the interval.
        for (const one of networks) {
          const { first, last } = one;
          const size = last - first + 1n;
          assert.equal(first % size, 0n);
          const twice = first - (first % (size * 2n));
          assert.ok(twice < interval.first || twice + size * 2n - 1n > interval.last);
        }
      }),
    );
  });

  it("excluded from both families keep each other's addresses", () => {
    const v4 = parseCidr("10.0.0.0/8");
    const v6 = parseCidr("2001:db8::/32");
    assert.ok(v4 && v6);
    assert.deepEqual(exclude(v6, union([v4])).map(formatCidr), ["2001:db8::/32"]);
    assert.deepEqual(exclude(v4, union([v6, v4])), []);
  });

  it("report each one that overlaps an earlier one of another owner, and no other", () => {
    const owned = family.chain((one) =>
      fc.array(
        fc.tuple(smallCidr(one), fc.nat(3)).map(([cidr, owner]) => ({ ...cidr, owner })),
        { maxLength: 10 },
      ),
    );
    fc.assert(
      fc.property(owned, (list) => {
        const touched = new Set<object>();
        sweepOverlaps(list, (later, earlier) => {
          assert.ok(later.owner !== earlier.owner && later.first <= earlier.last && earlier.first <= later.last);
          touched.add(later);
        });
        const sorted = [...list].sort(compareIntervals);
        const expected = sorted.filter((one, index) =>
          sorted.slice(0, index).some((before) => before.owner !== one.owner && before.last >= one.first),
        );
        assert.deepEqual(touched, new Set(expected));
      }),
    );
  });
});
