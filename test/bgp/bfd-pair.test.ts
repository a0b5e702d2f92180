// Two session machines against each other over a link with delay, loss, duplication and reordering, in virtual time.

import assert from "node:assert/strict";
import fc from "fast-check";
import { configure, receive, type Step, tick } from "../../bgp/bfd/machine.ts";
import { decodePacket } from "../../bgp/bfd/packet.ts";
import { createSession, type Session, type SessionConfig, txIntervalUs } from "../../bgp/bfd/session.ts";

type Side = 0 | 1;

interface Link {
  /** Part of the packets that are lost, 0–1. */
  readonly loss: number;
  readonly duplication: number;
  readonly delayMs: number;
  /** Added to the delay, at random per packet: what makes packets overtake. */
  readonly delaySpreadMs: number;
}

const PERFECT: Link = { loss: 0, duplication: 0, delayMs: 0.2, delaySpreadMs: 0 };

class Pair {
  nowMs = 0;
  link: Link = PERFECT;
  readonly sessions: [Session, Session];
  readonly transitions: string[][] = [[], []];
  readonly wakeUpMs: (number | undefined)[] = [0, 0];
  #flying: { atMs: number; to: Side; bytes: Buffer }[] = [];
  readonly #random: () => number;

  constructor(configs: readonly [SessionConfig, SessionConfig], seed: number) {
    this.#random = generator(seed);
    this.sessions = [createSession(configs[0], 1, this.#random), createSession(configs[1], 2, this.#random)];
  }

  configure(side: Side, change: Partial<SessionConfig>): void {
    const session = this.sessions[side];
    this.#take(side, configure(session, { ...session.config, ...change }, this.nowMs, this.#random));
  }

  /** A process that has died and started anew. */
  restart(side: Side, discriminator: number): void {
    this.sessions[side] = createSession(this.sessions[side].config, discriminator, this.#random);
    this.wakeUpMs[side] = this.nowMs;
  }

  run(ms: number, check: () => void = () => {}): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const nextMs = Math.min(
        ...this.#flying.map(({ atMs }) => atMs),
        ...this.wakeUpMs.map((at) => at ?? Number.POSITIVE_INFINITY),
      );
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      for (const side of [0, 1] as const) {
        const wakeUp = this.wakeUpMs[side];
        if (wakeUp !== undefined && wakeUp <= this.nowMs)
          this.#take(side, tick(this.sessions[side], this.nowMs, this.#random));
      }
      const landed = this.#flying.filter(({ atMs }) => atMs <= this.nowMs);
      this.#flying = this.#flying.filter(({ atMs }) => atMs > this.nowMs);
      for (const { to, bytes } of landed) {
        const decoded = decodePacket(bytes);
        assert.equal(decoded.discard, undefined);
        if (decoded.discard !== undefined) continue;
        // As the table does: a packet for a discriminator that is not ours (any more) goes nowhere.
        const { yourDiscriminator } = decoded.packet;
        if (yourDiscriminator !== 0 && yourDiscriminator !== this.sessions[to].localDiscriminator) continue;
        this.#take(to, receive(this.sessions[to], decoded.packet, decoded.bytes, this.nowMs, this.#random));
      }
      check();
    }
    this.nowMs = endMs;
  }

  get states(): string {
    return this.sessions.map(({ state }) => state).join(" ");
  }

  #take(side: Side, step: Step): void {
    this.sessions[side] = step.session;
    this.wakeUpMs[side] = step.wakeUpMs;
    for (const event of step.events) {
      if (event.type === "transition") this.transitions[side]?.push(`${event.to} ${event.reason}`);
    }
    for (const bytes of step.packets) {
      for (let copies = this.#random() < this.link.duplication ? 2 : 1; copies > 0; copies--) {
        if (this.#random() < this.link.loss) continue;
        const delayMs = this.link.delayMs + this.#random() * this.link.delaySpreadMs;
        this.#flying.push({ atMs: this.nowMs + delayMs, to: side === 0 ? 1 : 0, bytes });
      }
    }
  }
}

/** Mulberry32: the same numbers for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const intervalUs = fc.constantFrom(10_000, 50_000, 100_000, 300_000, 1_000_000);
const auth = fc.constantFrom(
  undefined,
  { type: "simple-password", keyId: 1, key: "p" } as const,
  { type: "keyed-sha1", keyId: 2, key: "k" } as const,
  { type: "meticulous-keyed-sha1", keyId: 3, key: "m" } as const,
);

/** Two configurations that fit each other; multipliers leave room for the delay of the link in use. */
function configs(detectMult: fc.Arbitrary<number>): fc.Arbitrary<[SessionConfig, SessionConfig]> {
  const side = fc.record(
    { desiredMinTxUs: intervalUs, requiredMinRxUs: intervalUs, detectMult },
    { noNullPrototype: true },
  );
  return fc.tuple(side, side, auth, fc.constantFrom(-1, 0, 1)).map(([a, b, both, passive]) => [
    { ...a, adminDown: false, passive: passive === 0, ...(both ? { auth: both } : {}) },
    { ...b, adminDown: false, passive: passive === 1, ...(both ? { auth: both } : {}) },
  ]);
}

const seed = fc.integer();

describe("BFD between two machines", () => {
  it("comes Up within three slow intervals and settles at the negotiated rates", () => {
    fc.assert(
      fc.property(configs(fc.integer({ min: 1, max: 5 })), seed, (both, seed) => {
        const pair = new Pair(both, seed);
        pair.run(3000);
        assert.equal(pair.states, "Up Up");
        pair.run(3000);
        const [a, b] = pair.sessions;
        assert.equal(txIntervalUs(a), Math.max(both[0].desiredMinTxUs, both[1].requiredMinRxUs));
        assert.equal(txIntervalUs(b), Math.max(both[1].desiredMinTxUs, both[0].requiredMinRxUs));
        assert.deepEqual([a.poll, b.poll], ["none", "none"]);
        for (const transitions of pair.transitions) assert.ok(transitions.length <= 2, transitions.join(", "));
      }),
    );
  });

  it("never goes Down without loss, whatever is renegotiated while Up", () => {
    const change = fc.record(
      {
        side: fc.constantFrom(0 as const, 1 as const),
        afterMs: fc.integer({ min: 0, max: 700 }),
        desiredMinTxUs: intervalUs,
        requiredMinRxUs: intervalUs,
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(
        configs(fc.constantFrom(2, 3)),
        fc.array(change, { minLength: 1, maxLength: 8 }),
        seed,
        (both, changes, seed) => {
          const pair = new Pair(both, seed);
          pair.run(6000);
          assert.equal(pair.states, "Up Up");
          for (const { side, afterMs, ...timers } of changes) {
            pair.configure(side, timers);
            pair.run(afterMs);
          }
          pair.run(10_000);
          assert.equal(pair.states, "Up Up");
          for (const transitions of pair.transitions) {
            assert.ok(!transitions.some((text) => text.startsWith("Down")), transitions.join(", "));
          }
          const [a, b] = pair.sessions;
          assert.equal(txIntervalUs(a), Math.max(a.config.desiredMinTxUs, b.config.requiredMinRxUs));
          assert.equal(txIntervalUs(b), Math.max(b.config.desiredMinTxUs, a.config.requiredMinRxUs));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("is consistent under loss, duplication and reordering, and comes Up again when they end", () => {
    const bad = fc.record(
      {
        loss: fc.double({ min: 0, max: 0.9, noNaN: true }),
        duplication: fc.double({ min: 0, max: 0.5, noNaN: true }),
        delayMs: fc.integer({ min: 0, max: 100 }),
        delaySpreadMs: fc.integer({ min: 0, max: 400 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(configs(fc.integer({ min: 1, max: 5 })), bad, seed, (both, link, seed) => {
        const pair = new Pair(both, seed);
        pair.link = link;
        pair.run(8000, () => {
          for (const session of pair.sessions) {
            // Nobody is Up who has not heard the other within the detection time.
            if (session.state === "Up") assert.notEqual(session.remoteDiscriminator, 0);
            if (session.state !== "Up") assert.ok(session.desiredMinTxUs >= 1_000_000);
          }
        });
        pair.link = PERFECT;
        // Sequence numbers may have to be forgotten first: twice the longest detection time.
        pair.run(15_000);
        assert.equal(pair.states, "Up Up");
      }),
      { numRuns: 60 },
    );
  });

  it("notices within its detection time, on both sides, that the link has died", () => {
    fc.assert(
      fc.property(configs(fc.integer({ min: 1, max: 5 })), seed, (both, seed) => {
        const pair = new Pair(both, seed);
        pair.run(8000);
        pair.link = { ...PERFECT, loss: 1 };
        const [a, b] = both;
        const longestUs = Math.max(
          b.detectMult * Math.max(a.requiredMinRxUs, b.desiredMinTxUs),
          a.detectMult * Math.max(b.requiredMinRxUs, a.desiredMinTxUs),
        );
        pair.run(longestUs / 1000 + 1);
        assert.equal(pair.states, "Down Down");
        for (const transitions of pair.transitions) assert.equal(transitions.at(-1), "Down detection-time-expired");
      }),
    );
  });

  it("notices at once that the other side has restarted, and comes Up again", () => {
    fc.assert(
      fc.property(configs(fc.constant(3)), seed, (both, seed) => {
        const pair = new Pair(both, seed);
        pair.run(8000);
        pair.restart(0, 77);
        pair.run(20_000);
        assert.equal(pair.states, "Up Up");
        assert.ok(pair.transitions[1]?.some((text) => text.startsWith("Down")));
      }),
    );
  });
});
