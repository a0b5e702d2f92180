import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { BpfObject } from "../../dataplane/libbpf.ts";
import { generatorFrame, HEADER_BYTES, headerSum, LEFT, RIGHT, vniWord } from "../../scenarios/bench/path/frame.ts";
import { packageRoot } from "../../scenarios/lab/paths.ts";

const bench = join(packageRoot, "scenarios/bench");
const XDP = { drop: 1, pass: 2, redirect: 4 } as const;

describe("traffic of the benchmarks", () => {
  before(() => {
    execFileSync("bash", [join(bench, "bpf/build.sh")]);
  });

  it("generates valid frames of every address pair, however the page comes back", () => {
    const object = new BpfObject(join(bench, "generated/generator.bpf.o"));
    try {
      object.load();
      const state = object.map(".data.generator");
      const frame = generatorFrame();
      const config = Buffer.alloc(16);
      config.writeUInt32LE(1, 0);
      config.writeUInt32LE(10, 4);
      state.update(Buffer.alloc(4), Buffer.concat([frame.subarray(0, HEADER_BYTES), config]));
      const program = object.program("generate");
      const pairs = new Set<string>();
      for (let sent = 0; sent < 2048; sent++) {
        const { action, packet } = program.testRun(Buffer.alloc(frame.length, 0xee));
        assert.equal(action, XDP.redirect);
        assert.equal(headerSum(packet, 14), 0xffff, "outer checksum");
        assert.equal(headerSum(packet, 64), 0xffff, "inner checksum");
        assert.equal(packet.readUInt32BE(46), vniWord(LEFT.vni));
        pairs.add(`${packet.subarray(76, 80).join(".")} > ${packet.subarray(80, 84).join(".")}`);
      }
      assert.equal(pairs.size, 1024);
      assert.ok(pairs.has("10.1.0.0 > 10.2.0.0") && pairs.has("10.1.0.31 > 10.2.0.31"));
      program.close();
      state.close();
    } finally {
      object.close();
    }
  });

  it("counts VXLAN of the destination VPC only, and leaves the rest to the kernel", () => {
    const object = new BpfObject(join(bench, "generated/sink.bpf.o"));
    try {
      object.load();
      const state = object.map(".data.sink");
      const key = Buffer.alloc(4);
      const config = Buffer.alloc(16);
      config.writeUInt32BE(vniWord(RIGHT.vni));
      state.update(key, config);
      const program = object.program("count");
      const received = () => state.lookup(key)?.readBigUInt64LE(8);

      const frame = generatorFrame();
      frame.writeUInt32BE(vniWord(RIGHT.vni), 46);
      assert.equal(program.testRun(frame).action, XDP.drop);
      assert.equal(received(), 1n);
      assert.equal(program.testRun(generatorFrame()).action, XDP.drop);
      assert.equal(received(), 1n, "the source VPC's VNI");
      frame.writeUInt16BE(0x0806, 12);
      assert.equal(program.testRun(frame).action, XDP.pass);
      assert.equal(received(), 1n, "ARP");

      frame.writeUInt16BE(0x0800, 12);
      program.runLive(frame, { repeat: 1000, batchSize: 64 });
      assert.equal(received(), 1001n, "live frames");
      program.close();
      state.close();
    } finally {
      object.close();
    }
  });
});
