// Effective sets, static pairs and clipped ACLs against a model that counts single addresses.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type AddressRange, type Fabric, loadFabric, type Peering } from "../../fabric-api/index.ts";
import { formatAddress, parseAddress, parseCidr } from "../../fabric-api/prefix.ts";
import { BASE, peering } from "./streams.ts";

/** Universes of 64 addresses: of vpc-1, and public. */
const UNIVERSES = [
  { family: 4, inside: "10.1.0.64", outside: "192.168.0.64", other: "default", bits: 32 },
  { family: 6, inside: "2001:db8:1::40", outside: "2001:db8:f::40", other: "six", bits: 128 },
] as const;

interface Item {
  readonly key: "cidr" | "not";
  /** Number of the first address in the universe, and how many. */
  readonly first: number;
  readonly size: number;
}

const item: fc.Arbitrary<Item> = fc
  .record({ key: fc.constantFrom("cidr" as const, "cidr" as const, "not" as const), at: fc.nat(63), bits: fc.nat(6) })
  .map(({ key, at, bits }) => ({ key, first: (at >> bits) << bits, size: 1 << bits }));
const list = fc.array(item, { minLength: 1, maxLength: 5 });

/** Addresses of a list in the order written: included, not excluded, each once. */
function model(items: readonly Item[]): number[] {
  const excluded = new Set(items.flatMap((one) => (one.key === "not" ? addresses(one) : [])));
  const included = items.flatMap((one) => (one.key === "cidr" ? addresses(one) : []));
  return [...new Set(included)].filter((address) => !excluded.has(address));
}

function addresses({ first, size }: Item): number[] {
  return Array.from({ length: size }, (_, n) => first + n);
}

function numberOf(text: string): bigint {
  const address = parseAddress(text);
  assert.ok(address);
  return address.value;
}

function write(items: readonly Item[], base: string, family: 4 | 6, bits: number): string {
  const texts = items.map(({ key, first, size }) => {
    const start = formatAddress({ family, value: numberOf(base) + BigInt(first) });
    return `{${key}: "${start}/${bits - Math.log2(size)}"}`;
  });
  return `[${texts.join(", ")}]`;
}

/** Numbers in the universe of all addresses of ranges or prefixes, in order. */
function numbersOf(list: readonly (AddressRange | string)[], base: string): number[] {
  return list.flatMap((one) => {
    const cidr = typeof one === "string" ? parseCidr(one) : undefined;
    const first = cidr?.first ?? numberOf((one as AddressRange).first);
    const last = cidr?.last ?? numberOf((one as AddressRange).last);
    const numbers: number[] = [];
    for (let value = first; value <= last; value++) numbers.push(Number(value - numberOf(base)));
    return numbers;
  });
}

function load(text: string): { codes: string[]; fabric: Fabric | undefined; p: Peering | undefined } {
  const { fabric, errors } = loadFabric([BASE, { file: "case.yaml", text }]);
  return { codes: errors.map(({ code }) => code), fabric, p: fabric?.peerings.find(({ id }) => id === "p") };
}

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

for (const { family, inside, outside, other, bits } of UNIVERSES) {
  const against = `[{ips: [{vpcSubnet: ${other}}]}]`;

  describe(`effective sets of IPv${family}`, () => {
    it("equal a model that counts addresses, and static NAT pairs them in the order written", () => {
      fc.assert(
        fc.property(list, list, (ips, as) => {
          const [ipsText, asText] = [write(ips, inside, family, bits), write(as, outside, family, bits)];
          const text = peering("p", {
            "vpc-1": `[{ips: ${ipsText}, as: ${asText}, nat: {static: {}}}]`,
            "vpc-2": against,
          });
          const { codes, p } = load(text);
          const [own, seen] = [model(ips), model(as)];
          const includes = (items: readonly Item[]) => items.some(({ key }) => key === "cidr");
          const expected = [ips, as].flatMap((items) =>
            includes(items) ? (model(items).length === 0 ? ["FG0608"] : []) : ["FG0604"],
          );
          if (own.length > 0 && seen.length > 0 && own.length !== seen.length) expected.push("FG0701");
          assert.deepEqual([...codes].sort(), expected.sort());
          const expose = p?.sides[0].exposes[0];
          if (expose === undefined) return;
          assert.ok(expose.kind === "prefixes" && expose.nat?.kind === "static");
          assert.deepEqual(sorted([...new Set(numbersOf(expose.prefixes, inside))]), sorted(own));
          assert.deepEqual(sorted([...new Set(numbersOf(expose.nat.public, outside))]), sorted(seen));
          const { pairs } = expose.nat;
          assert.deepEqual(
            numbersOf(
              pairs.map((one) => one.private),
              inside,
            ),
            own,
          );
          assert.deepEqual(
            numbersOf(
              pairs.map((one) => one.public),
              outside,
            ),
            seen,
          );
        }),
        { numRuns: 300 },
      );
    });

    it("clip what an ACL matches, on either side of NAT", () => {
      fc.assert(
        fc.property(list, list, item, item, (ips, as, src, dst) => {
          const [ipsText, asText] = [write(ips, inside, family, bits), write(as, outside, family, bits)];
          const [own, seen] = [new Set(model(ips)), new Set(model(as))];
          fc.pre(own.size > 0 && seen.size > 0);
          const one = (base: string, wanted: Item) => write([{ ...wanted, key: "cidr" }], base, family, bits);
          const acl = `acl: {rules: [{from: vpc-1, action: deny, match: {src: ${one(inside, src)}}}, {to: vpc-1, action: deny, match: {dst: ${one(outside, dst)}}}]}`;
          const text = peering(
            "p",
            { "vpc-1": `[{ips: ${ipsText}, as: ${asText}, nat: {masquerade: {}}}]`, "vpc-2": against },
            acl,
          );
          const { codes, p } = load(text);
          const expected = [addresses(src).filter((n) => own.has(n)), addresses(dst).filter((n) => seen.has(n))];
          assert.equal(
            codes.filter((code) => code === "FG0807").length,
            expected.filter(({ length }) => length === 0).length,
          );
          if (p === undefined) return;
          const [fromRule, toRule] = p.acl?.rules ?? [];
          assert.deepEqual(
            [numbersOf(fromRule?.src[0]?.prefixes ?? [], inside), numbersOf(toRule?.dst[0]?.prefixes ?? [], outside)],
            expected,
          );
        }),
        { numRuns: 200 },
      );
    });
  });
}
