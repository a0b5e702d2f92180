// What a stream of numbered packets lost, computed from when each was sent and when its echo came. Pure: times go in as
// numbers (milliseconds of one monotonic clock), nothing is read from a clock here. Used by stream.ts.

/** One numbered packet. Packets are kept in the order in which they were sent. */
export interface Packet {
  readonly sentMs: number;
  /** When its echo arrived; undefined: it has not. */
  echoedMs?: number;
}

export interface Loss {
  readonly sent: number;
  readonly lost: number;
  /**
   * Longest outage in milliseconds: from the last echoed packet before some lost ones to the first echoed one after them,
   * by send time, less one interval. 0 if nothing was lost.
   */
  readonly lossWindowMs: number;
  /** Longest time between two sends: how fine this measurement can be. */
  readonly longestSendGapMs: number;
  readonly medianRttMs: number;
  readonly maxRttMs: number;
}

/** Summary of a run of packets in which every packet without an echo is lost. */
export function lossOf(packets: readonly Packet[], intervalMs: number): Loss {
  let lost = 0;
  let lossWindowMs = 0;
  let longestSendGapMs = 0;
  const rtts: number[] = [];
  // Before the first packet, all is taken to have been well.
  let lastEchoedSentMs = (packets[0]?.sentMs ?? 0) - intervalMs;
  let lostSince = 0;
  packets.forEach((packet, index) => {
    const previous = packets[index - 1];
    if (previous !== undefined) longestSendGapMs = Math.max(longestSendGapMs, packet.sentMs - previous.sentMs);
    if (packet.echoedMs === undefined) {
      lost++;
      lostSince++;
      return;
    }
    if (lostSince > 0) lossWindowMs = Math.max(lossWindowMs, packet.sentMs - lastEchoedSentMs - intervalMs);
    lostSince = 0;
    lastEchoedSentMs = packet.sentMs;
    rtts.push(packet.echoedMs - packet.sentMs);
  });
  const last = packets.at(-1);
  // An outage that has not ended lasts at least until the packet that would have come next.
  if (lostSince > 0 && last !== undefined) lossWindowMs = Math.max(lossWindowMs, last.sentMs - lastEchoedSentMs);
  rtts.sort((a, b) => a - b);
  return {
    sent: packets.length,
    lost,
    lossWindowMs,
    longestSendGapMs,
    medianRttMs: median(rtts),
    maxRttMs: rtts.at(-1) ?? 0,
  };
}

/** Longest time without an echo of a reliable stream (TCP), beyond one interval: how long it stood still. */
export function longestStallMs(packets: readonly Packet[], intervalMs: number, nowMs: number): number {
  const first = packets[0];
  if (first === undefined) return 0;
  let stallMs = 0;
  let previousMs = first.sentMs;
  for (const packet of packets) {
    const atMs = packet.echoedMs ?? nowMs;
    // Waiting starts when there is something to wait for.
    stallMs = Math.max(stallMs, atMs - Math.max(previousMs, packet.sentMs));
    previousMs = atMs;
    if (packet.echoedMs === undefined) break;
  }
  return Math.max(0, stallMs - intervalMs);
}

/**
 * For how long the stream has run without loss, by send time: from the last packet without an echo, or the first packet,
 * to the last packet with one. Packets younger than `inFlightMs` may still be on their way. 0 while packets are being lost.
 */
export function cleanForMs(packets: readonly Packet[], nowMs: number, inFlightMs: number): number {
  let end = packets.length - 1;
  while (end >= 0 && packets[end]?.echoedMs === undefined) {
    if (nowMs - (packets[end]?.sentMs ?? 0) > inFlightMs) return 0;
    end--;
  }
  let start = end;
  while (start > 0 && packets[start - 1]?.echoedMs !== undefined) start--;
  return (packets[end]?.sentMs ?? 0) - (packets[start]?.sentMs ?? 0);
}

/** Middle value of sorted numbers (the mean of the two in the middle); 0 if there are none. */
export function median(sorted: readonly number[]): number {
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] ?? 0;
  return Number.isInteger(half) ? ((sorted[half - 1] ?? upper) + upper) / 2 : upper;
}
