// Route distinguishers (RFC 4364 type 1, "protocolIP:n"): unique per gateway and VNI, and stable.

/**
 * VNI → RD for every VNI of the fabric. n is the VNI's low 16 bits; of two VNIs that share them the larger one
 * takes the next free number, so an RD changes only where a smaller colliding VNI comes or goes.
 */
export function routeDistinguishers(protocolIp: string, vnis: readonly number[]): Map<number, string> {
  const taken = new Set<number>();
  const rds = new Map<number, string>();
  for (const vni of [...vnis].sort((a, b) => a - b)) {
    let n = vni & 0xffff;
    while (taken.has(n)) n = (n + 1) & 0xffff;
    taken.add(n);
    rds.set(vni, `${protocolIp}:${n}`);
  }
  return rds;
}
