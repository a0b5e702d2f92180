import assert from "node:assert/strict";
import fc from "fast-check";
import { type AuthConfig, authLength, authProblem, sign, verify } from "../../bgp/bfd/auth.ts";
import type { DiscardReason } from "../../bgp/bfd/discard.ts";
import { type ControlPacket, decodePacket, encodePacket, SESSION_STATES } from "../../bgp/bfd/packet.ts";

const UP: ControlPacket = {
  diagnostic: 0,
  state: "Up",
  poll: true,
  final: false,
  controlPlaneIndependent: true,
  demand: false,
  detectMult: 3,
  myDiscriminator: 0x11223344,
  yourDiscriminator: 0x55667788,
  desiredMinTxUs: 50_000,
  requiredMinRxUs: 100_000,
  requiredMinEchoRxUs: 0,
  authenticated: false,
};

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u32NotZero = fc.integer({ min: 1, max: 0xffffffff });

const anyPacket: fc.Arbitrary<ControlPacket> = fc.record(
  {
    diagnostic: fc.integer({ min: 0, max: 31 }),
    state: fc.constantFrom(...SESSION_STATES),
    poll: fc.boolean(),
    final: fc.boolean(),
    controlPlaneIndependent: fc.boolean(),
    demand: fc.boolean(),
    detectMult: fc.integer({ min: 1, max: 255 }),
    myDiscriminator: u32NotZero,
    yourDiscriminator: u32NotZero,
    desiredMinTxUs: u32,
    requiredMinRxUs: u32,
    requiredMinEchoRxUs: u32,
    authenticated: fc.constant(false),
  },
  { noNullPrototype: true },
);

const key20 = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme-ascii" });
const anyAuth: fc.Arbitrary<AuthConfig> = fc.oneof(
  fc.record({
    type: fc.constant("simple-password" as const),
    keyId: fc.integer({ min: 0, max: 255 }),
    key: fc.string({ minLength: 1, maxLength: 16, unit: "grapheme-ascii" }),
  }),
  fc.record({
    type: fc.constantFrom("keyed-sha1" as const, "meticulous-keyed-sha1" as const),
    keyId: fc.integer({ min: 0, max: 255 }),
    key: key20,
  }),
);

function signed(packet: ControlPacket, auth: AuthConfig, sequence: number): Buffer {
  const bytes = encodePacket({ ...packet, authenticated: true }, authLength(auth));
  sign(bytes, auth, sequence);
  return bytes;
}

describe("BFD packet", () => {
  it("has the layout of RFC 5880 section 4.1", () => {
    const expected = ["20e80318", "11223344", "55667788", "0000c350", "000186a0", "00000000"].join("");
    assert.equal(encodePacket(UP).toString("hex"), expected);
  });

  it("decodes to what was encoded, whatever follows it in the payload", () => {
    fc.assert(
      fc.property(anyPacket, fc.uint8Array({ maxLength: 40 }), (packet, rest) => {
        const bytes = encodePacket(packet);
        const decoded = decodePacket(Buffer.concat([bytes, rest]));
        assert.deepEqual(decoded, { packet, bytes });
      }),
    );
  });

  const discards: [DiscardReason, string, (bytes: Buffer) => Buffer][] = [
    ["too-short", "fewer than 24 bytes", (bytes) => bytes.subarray(0, 23)],
    ["too-short", "nothing", () => Buffer.alloc(0)],
    ["version", "version 0", (bytes) => patch(bytes, 0, 0)],
    ["version", "version 2", (bytes) => patch(bytes, 0, 0x40)],
    ["length", "length 23", (bytes) => patch(bytes, 3, 23)],
    ["length", "length 25 with the A bit", (bytes) => patch(patch(Buffer.concat([bytes, bytes]), 1, 0xc4), 3, 25)],
    ["length-beyond-payload", "length 25 of 24 bytes", (bytes) => patch(bytes, 3, 25)],
    ["detect-mult-zero", "detect mult 0", (bytes) => patch(bytes, 2, 0)],
    ["multipoint", "M bit", (bytes) => patch(bytes, 1, 0xc1)],
    ["my-discriminator-zero", "my discriminator 0", (bytes) => zero(bytes, 4)],
    ["your-discriminator-zero", "your discriminator 0 while Up", (bytes) => zero(bytes, 8)],
    ["your-discriminator-zero", "your discriminator 0 in Init", (bytes) => zero(patch(bytes, 1, 0x80), 8)],
  ];
  for (const [reason, what, change] of discards) {
    it(`discards ${what} as ${reason}`, () => {
      assert.deepEqual(decodePacket(change(encodePacket(UP))), { discard: reason });
    });
  }

  it("takes your discriminator 0 while the sender is Down or AdminDown", () => {
    for (const state of ["Down", "AdminDown"] as const) {
      const decoded = decodePacket(encodePacket({ ...UP, state, yourDiscriminator: 0 }));
      assert.equal(decoded.discard, undefined);
    }
  });

  it("survives any bytes: a discard or a packet that encodes to the same", () => {
    // Mostly valid headers, so that the later checks are reached.
    const nearlyValid = fc
      .tuple(anyPacket, fc.integer({ min: 0, max: 30 }), fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }))
      .map(([packet, more, patches]) => {
        const bytes = Buffer.concat([encodePacket(packet), Buffer.alloc(more)]);
        for (const [at, value] of patches) if (at < bytes.length) bytes[at] = value;
        return bytes;
      });
    const anyBytes = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(nearlyValid, anyBytes), fc.option(anyAuth), (payload, auth) => {
        const decoded = decodePacket(payload);
        if (decoded.discard) return;
        const { packet, bytes } = decoded;
        assert.ok(bytes.length <= payload.length);
        assert.deepEqual(encodePacket(packet, bytes.length - 24).subarray(0, 24), bytes.subarray(0, 24));
        if (auth && packet.authenticated) assert.ok(verify(bytes, auth, packet.detectMult, undefined).discard);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("BFD authentication", () => {
  const meticulous: AuthConfig = { type: "meticulous-keyed-sha1", keyId: 7, key: "secret" };

  it("accepts what was signed with the same key", () => {
    fc.assert(
      fc.property(anyPacket, anyAuth, u32, (packet, auth, sequence) => {
        const verified = verify(signed(packet, auth, sequence), auth, packet.detectMult, undefined);
        assert.deepEqual(verified, { sequence: auth.type === "simple-password" ? undefined : sequence });
      }),
    );
  });

  it("notices every changed byte", () => {
    fc.assert(
      fc.property(anyPacket, anyAuth, fc.nat(), fc.integer({ min: 1, max: 255 }), (packet, auth, index, flip) => {
        const bytes = signed(packet, auth, 1);
        // A password protects nothing but itself; the reserved byte of the SHA1 section is under the digest like all others.
        const from = auth.type === "simple-password" ? 24 : 0;
        const at = from + (index % (bytes.length - from));
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        assert.ok(verify(bytes, auth, packet.detectMult, undefined).discard);
      }),
    );
  });

  it("computes the SHA1 digest of RFC 5880 section 6.7.4", () => {
    // Digest from Python's hashlib over the same 32 bytes and the key padded to 20.
    const bytes = signed({ ...UP, poll: false, controlPlaneIndependent: false }, meticulous, 9);
    assert.equal(
      bytes.subarray(0, 32).toString("hex"),
      "20c4033411223344556677880000c350000186a000000000051c070000000009",
    );
    assert.equal(bytes.subarray(32).toString("hex"), "b8739581024f371692d3ecb955eeeb612b2f10d9");
  });

  const refused: [DiscardReason, string, AuthConfig, number | undefined][] = [
    ["auth-type", "another type", { ...meticulous, type: "keyed-sha1" }, undefined],
    ["auth-key-id", "another key id", { ...meticulous, keyId: 8 }, undefined],
    ["auth-mismatch", "another key", { ...meticulous, key: "Secret" }, undefined],
    ["auth-sequence", "a replay", meticulous, 100],
    ["auth-sequence", "an older number", meticulous, 101],
    ["auth-sequence", "a number beyond 3 × detect mult", meticulous, 90],
  ];
  for (const [reason, what, auth, last] of refused) {
    it(`refuses ${what} as ${reason}`, () => {
      assert.deepEqual(verify(signed(UP, meticulous, 100), auth, UP.detectMult, last), { discard: reason });
    });
  }

  it("refuses a section whose length does not fit", () => {
    const bytes = signed(UP, meticulous, 100);
    for (const length of [0, 3, 27, 29]) {
      assert.deepEqual(verify(patch(bytes, 25, length), meticulous, 3, undefined), { discard: "auth-length" });
    }
  });

  it("accepts the window, also across the wrap of the sequence number", () => {
    for (const last of [99, 91])
      assert.deepEqual(verify(signed(UP, meticulous, 100), meticulous, 3, last), { sequence: 100 });
    assert.deepEqual(verify(signed(UP, meticulous, 1), meticulous, 3, 0xfffffffe), { sequence: 1 });
  });

  it("lets keyed SHA1, not meticulous, repeat a number", () => {
    const keyed: AuthConfig = { ...meticulous, type: "keyed-sha1" };
    assert.deepEqual(verify(signed(UP, keyed, 100), keyed, 3, 100), { sequence: 100 });
  });

  it("refuses keys that do not fit the wire", () => {
    assert.match(
      authProblem({ type: "simple-password", keyId: 1, key: "x".repeat(17) }) ?? "",
      /1 to 16 bytes, it has 17/,
    );
    assert.match(authProblem({ type: "keyed-sha1", keyId: 1, key: "" }) ?? "", /1 to 20 bytes, it has 0/);
    assert.match(authProblem({ type: "keyed-sha1", keyId: 256, key: "x" }) ?? "", /key id/);
    assert.equal(authProblem({ type: "keyed-sha1", keyId: 0, key: "x".repeat(20) }), undefined);
  });
});

function patch(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = value;
  return copy;
}

function zero(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt32BE(0, at);
  return copy;
}
