import assert from "node:assert/strict";
import { type AuthConfig, authLength, sign } from "../../bgp/bfd/auth.ts";
import type { DiscardReason } from "../../bgp/bfd/discard.ts";
import { configure, receive, resume, type SessionEvent, type Step, slowDown, tick } from "../../bgp/bfd/machine.ts";
import {
  type ControlPacket,
  decodePacket,
  encodePacket,
  SESSION_STATES,
  type SessionState,
} from "../../bgp/bfd/packet.ts";
import {
  configProblem,
  createSession,
  detectionTimeUs,
  type Session,
  type SessionConfig,
} from "../../bgp/bfd/session.ts";

const CONFIG: SessionConfig = {
  desiredMinTxUs: 50_000,
  requiredMinRxUs: 100_000,
  detectMult: 3,
  passive: false,
  adminDown: false,
};
const OURS = 0xaaaa;
const THEIRS = 0xbbbb;

const FROM_PEER: ControlPacket = {
  diagnostic: 0,
  state: "Up",
  poll: false,
  final: false,
  controlPlaneIndependent: false,
  demand: false,
  detectMult: 5,
  myDiscriminator: THEIRS,
  yourDiscriminator: OURS,
  desiredMinTxUs: 60_000,
  requiredMinRxUs: 70_000,
  requiredMinEchoRxUs: 0,
  authenticated: false,
};

/** A session with a hand on its clock: what it sent and reported since the last look is in `sent` and `events`. */
class Bench {
  session: Session;
  nowMs = 1000;
  random = 0.5;
  sent: ControlPacket[] = [];
  sentAtMs: number[] = [];
  events: SessionEvent[] = [];
  wakeUpMs: number | undefined = Number.NEGATIVE_INFINITY;

  constructor(config: Partial<SessionConfig> = {}) {
    this.session = createSession({ ...CONFIG, ...config }, OURS, () => this.random);
  }

  /** Receives a packet; returns why it was discarded. */
  hear(packet: Partial<ControlPacket> = {}, auth?: { auth: AuthConfig; sequence: number }): DiscardReason | undefined {
    const whole = { ...FROM_PEER, ...packet, authenticated: auth !== undefined };
    const bytes = encodePacket(whole, authLength(auth?.auth));
    if (auth) sign(bytes, auth.auth, auth.sequence);
    return this.take(receive(this.session, whole, bytes, this.nowMs, () => this.random)).discard;
  }

  configure(config: Partial<SessionConfig>): void {
    this.take(configure(this.session, { ...this.session.config, ...config }, this.nowMs, () => this.random));
  }

  /** Lets time pass, ticking whenever the session asked for it. */
  pass(ms: number): void {
    const end = this.nowMs + ms;
    while (this.wakeUpMs !== undefined && this.wakeUpMs <= end) {
      this.nowMs = Math.max(this.nowMs, this.wakeUpMs);
      this.take(tick(this.session, this.nowMs, () => this.random));
    }
    this.nowMs = end;
  }

  take(step: Step): Step {
    this.session = step.session;
    this.wakeUpMs = step.wakeUpMs;
    this.events.push(...step.events);
    for (const bytes of step.packets) {
      const decoded = decodePacket(bytes);
      assert.equal(decoded.discard, undefined);
      if (decoded.discard === undefined) this.sent.push(decoded.packet);
      this.sentAtMs.push(this.nowMs);
    }
    return step;
  }

  /** What was sent since the last call. */
  takeSent(): ControlPacket[] {
    this.sentAtMs = [];
    return this.sent.splice(0);
  }

  get transitions(): string[] {
    return this.events.flatMap((event) =>
      event.type === "transition" ? [`${event.from} > ${event.to}, ${event.localDiagnostic}, ${event.reason}`] : [],
    );
  }

  /** Brings it Up with the Poll Sequence of the faster rate answered. */
  up(): this {
    this.pass(0);
    this.hear({ state: "Down", yourDiscriminator: 0, desiredMinTxUs: 1_000_000 });
    this.hear({ state: "Up" });
    this.pass(60);
    this.hear({ state: "Up", final: true });
    this.takeSent();
    this.events = [];
    assert.equal(this.session.state, "Up");
    assert.equal(this.session.poll, "none");
    return this;
  }
}

/** A bench in that state with the neighbour known. */
function inState(state: SessionState): Bench {
  const bench = new Bench({ adminDown: state === "AdminDown" });
  bench.pass(0);
  if (state === "Init" || state === "Up") bench.hear({ state: "Down" });
  if (state === "Up") bench.hear({ state: "Init" });
  bench.takeSent();
  bench.events = [];
  assert.equal(bench.session.state, state);
  return bench;
}

describe("BFD session states (RFC 5880 section 6.8.6)", () => {
  // Rows: our state; columns: the state received, in the order of SESSION_STATES.
  const table: Record<SessionState, [string, string, string, string]> = {
    AdminDown: ["", "", "", ""],
    Down: ["Down > Down, 3, neighbor-admin-down", "Down > Init, 0, handshake", "Down > Up, 0, handshake", ""],
    Init: ["Init > Down, 3, neighbor-admin-down", "", "Init > Up, 0, handshake", "Init > Up, 0, handshake"],
    Up: ["Up > Down, 3, neighbor-admin-down", "Up > Down, 3, neighbor-down", "", ""],
  };
  for (const ours of SESSION_STATES) {
    for (const [index, theirs] of SESSION_STATES.entries()) {
      const expected = table[ours][index] ?? "";
      it(`${ours} receives ${theirs}: ${expected || "stays"}`, () => {
        const bench = inState(ours);
        bench.hear({ state: theirs });
        assert.deepEqual(bench.transitions, expected === "" ? [] : [expected]);
        // News is sent at once.
        assert.equal(bench.sent.length, expected === "" ? 0 : 1);
      });
    }
  }

  it("counts packets received while AdminDown as admin-down, and answers no Poll", () => {
    const bench = inState("AdminDown");
    assert.equal(bench.hear({ state: "Down", poll: true }), "admin-down");
    assert.deepEqual(bench.takeSent(), []);
  });

  it("stays in Down, reported once, while the neighbour stays AdminDown", () => {
    const bench = inState("Up");
    for (let i = 0; i < 3; i++) bench.hear({ state: "AdminDown" });
    assert.deepEqual(bench.transitions, ["Up > Down, 3, neighbor-admin-down"]);
  });

  it("tells the neighbour its diagnostic and state when switched off and on again", () => {
    const bench = inState("Up");
    bench.configure({ adminDown: true });
    bench.configure({ adminDown: false });
    assert.deepEqual(
      bench.takeSent().map(({ state, diagnostic }) => [state, diagnostic]),
      [
        ["AdminDown", 7],
        ["Down", 0],
      ],
    );
    assert.deepEqual(bench.transitions, ["Up > AdminDown, 7, admin-down", "AdminDown > Down, 0, admin-up"]);
  });

  it("reports the neighbour's diagnostic with a transition", () => {
    const bench = inState("Up");
    bench.hear({ state: "Down", diagnostic: 5 });
    const [event] = bench.events.filter(({ type }) => type === "transition");
    assert.ok(event?.type === "transition");
    assert.equal(event.remoteDiagnostic, 5);
  });
});

describe("BFD detection time (RFC 5880 section 6.8.4)", () => {
  it("is the neighbour's multiplier × the greater of our receive and its transmit interval", () => {
    const bench = new Bench().up();
    assert.equal(detectionTimeUs(bench.session), 5 * 100_000);
    bench.hear({ desiredMinTxUs: 300_000, detectMult: 2 });
    assert.equal(detectionTimeUs(bench.session), 2 * 300_000);
  });

  it("takes an Up session Down with diagnostic 1 at its end, not before", () => {
    const bench = new Bench().up();
    bench.hear();
    bench.pass(499.9);
    assert.deepEqual(bench.transitions, []);
    bench.takeSent();
    bench.pass(0.2);
    assert.deepEqual(bench.transitions, ["Up > Down, 1, detection-time-expired"]);
    const [packet] = bench.takeSent();
    assert.deepEqual([packet?.state, packet?.diagnostic, packet?.yourDiscriminator], ["Down", 1, 0]);
  });

  it("takes a session in Init Down as well", () => {
    const bench = inState("Init");
    bench.pass(500);
    assert.deepEqual(bench.transitions, ["Init > Down, 1, detection-time-expired"]);
  });

  it("starts anew with every packet accepted", () => {
    const bench = new Bench().up();
    for (let i = 0; i < 20; i++) {
      bench.pass(499);
      bench.hear();
    }
    assert.equal(bench.session.state, "Up");
  });

  it("is not prolonged by a packet that was discarded", () => {
    const auth: AuthConfig = { type: "simple-password", keyId: 1, key: "right" };
    const bench = new Bench({ auth });
    bench.pass(0);
    bench.hear({ state: "Init" }, { auth, sequence: 0 });
    assert.equal(bench.session.state, "Up");
    bench.pass(400);
    assert.equal(bench.hear({}, { auth: { ...auth, key: "wrong" }, sequence: 0 }), "auth-mismatch");
    bench.pass(110);
    assert.equal(bench.session.state, "Down");
  });

  it("forgets the neighbour at its end: discriminator 0, and a rate of 0 no longer silences", () => {
    const bench = inState("Up");
    bench.hear({ requiredMinRxUs: 0 });
    bench.pass(501);
    assert.equal(bench.session.remoteDiscriminator, 0);
    bench.takeSent();
    bench.pass(1000);
    assert.ok(bench.takeSent().length > 0);
  });
});

describe("BFD transmission (RFC 5880 section 6.8.7)", () => {
  it("desires at least one second between packets until Up, and advertises that", () => {
    const bench = new Bench();
    bench.pass(10_000);
    assert.ok(bench.sent.length >= 10 && bench.sent.length <= 13, `${bench.sent.length} packets in 10 s`);
    assert.ok(bench.sent.every(({ desiredMinTxUs }) => desiredMinTxUs === 1_000_000));
    assert.ok(gaps(bench).every((gap) => gap >= 750));
  });

  it("sends at the greater of its own and the neighbour's interval when Up, jittered by 0–25 %", () => {
    const bench = new Bench().up();
    for (const [random, gap] of [
      [0, 52.5],
      [0.5, 61.25],
      [0.999999, 70],
    ] as const) {
      bench.random = random;
      bench.hear();
      bench.pass(200);
      bench.takeSent();
      bench.hear();
      bench.pass(300);
      for (const found of gaps(bench)) assert.ok(Math.abs(found - gap) < 0.01, `${found} is not ${gap}`);
    }
  });

  it("jitters by 10–25 % when its detect multiplier is 1", () => {
    for (const [random, gap] of [
      [0, 52.5],
      [0.999999, 63],
    ] as const) {
      const bench = new Bench({ detectMult: 1 }).up();
      bench.random = random;
      bench.pass(100);
      bench.hear();
      bench.takeSent();
      bench.pass(300);
      for (const found of gaps(bench)) assert.ok(Math.abs(found - gap) < 0.01, `${found} is not ${gap}`);
    }
  });

  it("sends nothing while the neighbour's receive interval is 0, but answers a Poll", () => {
    const bench = new Bench().up();
    bench.hear({ requiredMinRxUs: 0 });
    bench.takeSent();
    for (let i = 0; i < 10; i++) {
      bench.pass(400);
      bench.hear({ requiredMinRxUs: 0 });
    }
    bench.hear({ requiredMinRxUs: 0, state: "Down" });
    assert.equal(bench.session.state, "Down");
    assert.deepEqual(bench.takeSent(), []);
    bench.hear({ requiredMinRxUs: 0, state: "Down", poll: true });
    assert.deepEqual(
      bench.takeSent().map(({ final }) => final),
      [true],
    );
  });

  it("is silent in the passive role until the neighbour is heard, and again after it was lost", () => {
    const bench = new Bench({ passive: true });
    bench.pass(5000);
    assert.deepEqual(bench.takeSent(), []);
    bench.hear({ state: "Down", yourDiscriminator: 0 });
    assert.equal(bench.takeSent()[0]?.state, "Init");
    bench.pass(600);
    assert.equal(bench.session.state, "Down");
    bench.takeSent();
    bench.pass(5000);
    assert.deepEqual(bench.takeSent(), []);
  });

  it("is silent while the neighbour is in demand mode and both are Up, except to poll", () => {
    const bench = new Bench().up();
    bench.hear({ demand: true });
    bench.takeSent();
    bench.pass(450);
    assert.deepEqual(bench.takeSent(), []);
    bench.hear({ demand: true });
    bench.configure({ desiredMinTxUs: 200_000 });
    bench.pass(100);
    assert.ok(bench.takeSent().some(({ poll }) => poll));
  });

  it("reaches the neighbour with new discriminators when that has restarted", () => {
    const bench = new Bench().up();
    bench.hear({ state: "Down", yourDiscriminator: 0, myDiscriminator: 0xcccc });
    bench.hear({ state: "Down", myDiscriminator: 0xcccc });
    assert.deepEqual(bench.transitions, ["Up > Down, 3, neighbor-down", "Down > Init, 0, handshake"]);
    assert.ok(bench.takeSent().every(({ yourDiscriminator }) => yourDiscriminator === 0xcccc));
  });
});

describe("BFD Poll Sequence (RFC 5880 sections 6.5 and 6.8.3)", () => {
  it("answers a Poll at once with a Final, never with both bits", () => {
    const bench = new Bench().up();
    bench.configure({ desiredMinTxUs: 40_000 });
    bench.hear({ poll: true });
    bench.pass(200);
    const sent = bench.takeSent();
    assert.deepEqual([sent[0]?.poll, sent[0]?.final], [false, true]);
    assert.ok(sent.some(({ poll }) => poll));
    assert.ok(sent.every(({ poll, final }) => !(poll && final)));
  });

  it("polls when it comes Up, because it gets faster", () => {
    const bench = inState("Up");
    bench.pass(100);
    const [first] = bench.takeSent();
    assert.deepEqual([first?.poll, first?.desiredMinTxUs], [true, 50_000]);
  });

  it("repeats the P bit on periodic packets only, until the Final", () => {
    const bench = new Bench().up();
    bench.configure({ requiredMinRxUs: 200_000 });
    bench.pass(300);
    const sent = bench.takeSent();
    assert.ok(sent.length >= 3 && sent.length <= 6, `${sent.length}`);
    assert.ok(sent.every(({ poll, requiredMinRxUs }) => poll && requiredMinRxUs === 200_000));
    bench.hear({ final: true });
    bench.pass(100);
    assert.ok(bench.takeSent().every(({ poll }) => !poll));
  });

  it("gets slower only after the Final", () => {
    const bench = new Bench().up();
    bench.hear({ requiredMinRxUs: 10_000 });
    bench.configure({ desiredMinTxUs: 400_000 });
    bench.pass(200);
    assert.ok(bench.sent.length >= 3, "still at 50 ms");
    bench.hear({ requiredMinRxUs: 10_000, final: true });
    bench.takeSent();
    bench.pass(299);
    bench.hear({ requiredMinRxUs: 10_000 });
    bench.pass(200);
    assert.ok(bench.sent.length <= 2, "now at 400 ms");
  });

  it("gets faster at once", () => {
    const bench = new Bench({ desiredMinTxUs: 400_000 }).up();
    bench.hear({ requiredMinRxUs: 10_000 });
    bench.configure({ desiredMinTxUs: 20_000 });
    bench.pass(200);
    assert.ok(bench.takeSent().length >= 9);
  });

  it("shortens its detection time only after the Final, and prolongs it at once", () => {
    const bench = new Bench().up();
    bench.configure({ requiredMinRxUs: 60_000 });
    bench.pass(60);
    assert.equal(detectionTimeUs(bench.session), 500_000);
    bench.hear({ final: true });
    assert.equal(detectionTimeUs(bench.session), 300_000);
    bench.configure({ requiredMinRxUs: 200_000 });
    assert.equal(detectionTimeUs(bench.session), 1_000_000);
  });

  it("begins another sequence for a change during one, after a packet without the P bit", () => {
    const bench = new Bench().up();
    bench.hear({ requiredMinRxUs: 10_000 });
    bench.takeSent();
    bench.configure({ desiredMinTxUs: 300_000 });
    bench.pass(60);
    assert.ok(bench.takeSent().every(({ poll }) => poll));
    bench.configure({ desiredMinTxUs: 400_000 });
    bench.hear({ final: true, requiredMinRxUs: 10_000 });
    bench.pass(200);
    const sent = bench.takeSent();
    assert.deepEqual(
      sent.slice(0, 3).map(({ poll, desiredMinTxUs }) => [poll, desiredMinTxUs]),
      [
        [false, 400_000],
        [true, 400_000],
        [true, 400_000],
      ],
    );
    assert.equal(bench.session.usedMinTxUs, 50_000);
    bench.hear({ final: true, requiredMinRxUs: 10_000 });
    assert.equal(bench.session.usedMinTxUs, 400_000);
  });

  it("ignores a Final that nobody asked for", () => {
    const bench = new Bench().up();
    bench.configure({ desiredMinTxUs: 400_000 });
    bench.hear({ final: true });
    assert.equal(bench.session.usedMinTxUs, 50_000);
  });

  it("reports negotiated timers when they change", () => {
    const bench = new Bench().up();
    bench.hear({ requiredMinRxUs: 500_000, detectMult: 4 });
    assert.deepEqual(bench.events, [{ type: "timers", txIntervalUs: 500_000, detectionTimeUs: 400_000 }]);
  });

  it("falls back to one second when it leaves Up", () => {
    const bench = new Bench().up();
    bench.hear({ state: "Down", requiredMinRxUs: 10_000 });
    bench.takeSent();
    bench.pass(3000);
    assert.ok(gaps(bench).every((gap) => gap >= 750));
    assert.ok(bench.takeSent().every(({ desiredMinTxUs }) => desiredMinTxUs === 1_000_000));
  });
});

describe("BFD session with authentication (RFC 5880 section 6.7)", () => {
  const auth: AuthConfig = { type: "meticulous-keyed-sha1", keyId: 3, key: "key" };

  it("discards by the A bit", () => {
    assert.equal(new Bench().hear({ state: "Down" }, { auth, sequence: 1 }), "auth-unexpected");
    assert.equal(new Bench({ auth }).hear({ state: "Down" }), "auth-missing");
  });

  it("does not believe the sequence number of a forged packet", () => {
    const bench = new Bench({ auth });
    assert.equal(bench.hear({ state: "Down" }, { auth: { ...auth, key: "?" }, sequence: 5000 }), "auth-mismatch");
    assert.equal(bench.hear({ state: "Down" }, { auth, sequence: 10 }), undefined);
    assert.equal(bench.hear({ state: "Init" }, { auth, sequence: 10 }), "auth-sequence");
    assert.equal(bench.hear({ state: "Init" }, { auth, sequence: 26 }), "auth-sequence");
    assert.equal(bench.hear({ state: "Init" }, { auth, sequence: 25 }), undefined);
  });

  it("takes any sequence number after twice the detection time, not after once", () => {
    for (const [silenceMs, expected] of [
      [900, "auth-sequence"],
      [1001, undefined],
    ] as const) {
      const bench = new Bench({ auth });
      bench.pass(0);
      bench.hear({ state: "Init" }, { auth, sequence: 1000 });
      bench.pass(silenceMs);
      assert.equal(bench.hear({ state: "Down" }, { auth, sequence: 1 }), expected);
    }
  });

  it("increments its number with every packet when meticulous, with every transition when keyed", () => {
    for (const type of ["meticulous-keyed-sha1", "keyed-sha1"] as const) {
      const bench = new Bench({ auth: { ...auth, type } });
      const before = bench.session.txSequence;
      bench.pass(5000);
      const packets = bench.takeSent().length;
      const rise = (bench.session.txSequence - before) >>> 0;
      assert.equal(rise, type === "keyed-sha1" ? 0 : packets);
      bench.hear({ state: "Down" }, { auth: { ...auth, type }, sequence: 1 });
      assert.equal((bench.session.txSequence - before) >>> 0, rise + 1);
    }
  });
});

describe("BFD session taken up again", () => {
  const remembered = {
    remoteDiscriminator: THEIRS,
    remoteMinRxUs: 70_000,
    remoteDesiredMinTxUs: 60_000,
    remoteDetectMult: 5,
    txSequence: 1,
    rxSequence: undefined,
  };

  function resumed(): Bench {
    const bench = new Bench();
    bench.take(resume(bench.session, remembered, bench.nowMs, () => 0.5));
    return bench;
  }

  it("has the neighbour wait longer while it is away, and takes that back when configured", () => {
    const bench = new Bench().up();
    bench.take(slowDown(bench.session, bench.nowMs, () => 0.5));
    bench.pass(70);
    const sent = bench.takeSent();
    assert.ok(sent.length > 0 && sent.every(({ poll, desiredMinTxUs }) => poll && desiredMinTxUs === 1_000_000));
    assert.equal(bench.session.usedMinTxUs, 50_000);
    bench.hear({ final: true });
    assert.deepEqual([bench.session.usedMinTxUs, bench.session.poll], [1_000_000, "none"]);
    bench.configure({});
    assert.equal(bench.session.usedMinTxUs, 50_000);
    const down = inState("Init");
    down.take(slowDown(down.session, down.nowMs, () => 0.5));
    assert.equal(down.session.poll, "none");
  });

  it("goes on Up with a Poll sent at once, slow only if the neighbour agrees", () => {
    const [packet] = resumed().sent;
    assert.deepEqual(
      [packet?.state, packet?.poll, packet?.myDiscriminator, packet?.yourDiscriminator, packet?.desiredMinTxUs],
      ["Up", true, OURS, THEIRS, 1_000_000],
    );
    assert.equal(resumed().session.usedMinTxUs, 50_000);
  });

  it("goes Down after the detection time if nobody answers, and at once if the neighbour is Down", () => {
    const silent = resumed();
    silent.pass(501);
    assert.deepEqual(silent.transitions, ["Up > Down, 1, detection-time-expired"]);
    const refused = resumed();
    refused.hear({ state: "Down" });
    assert.deepEqual(refused.transitions, ["Up > Down, 3, neighbor-down"]);
  });
});

describe("BFD session configuration", () => {
  it("is checked", () => {
    assert.equal(configProblem(CONFIG), undefined);
    assert.match(configProblem({ ...CONFIG, desiredMinTxUs: 9_999 }) ?? "", /desiredMinTxUs must be 10 ms to 60 s/);
    assert.match(configProblem({ ...CONFIG, requiredMinRxUs: 60_000_001 }) ?? "", /requiredMinRxUs/);
    assert.match(configProblem({ ...CONFIG, detectMult: 0 }) ?? "", /1 to 255/);
    assert.match(configProblem({ ...CONFIG, auth: { type: "keyed-sha1", keyId: 1, key: "" } }) ?? "", /1 to 20 bytes/);
  });
});

function gaps(bench: Bench): number[] {
  return bench.sentAtMs.slice(1).map((at, index) => at - (bench.sentAtMs[index] ?? 0));
}
