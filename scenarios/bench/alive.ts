/** Whether a process with this pid runs: names of namespaces and pins carry that of the benchmark that made them. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
