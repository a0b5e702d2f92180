// The one error class of the dataplane. `code` is stable and meant for programs; `message` is one line that names what is missing.

export type DataplaneErrorCode =
  | "no-libbpf" /** libbpf.so.1 cannot be loaded */
  | "not-built" /** the BPF object is not there */
  | "no-permission" /** CAP_BPF, CAP_NET_ADMIN or CAP_SYS_ADMIN is missing */
  | "no-bpffs" /** the pin directory is not on a BPF file system */
  | "load-failed" /** the kernel refused the program; `verifierLog` says why */
  | "map-failed" /** a map could not be created, read or written */
  | "attach-failed"
  | "invalid-desired" /** a value of the desired state cannot be represented */
  | "too-many" /** more peerings or tunnels than the maps hold */
  | "internal"; /** a wrong call of a BPF function, caught before it harms */

export class DataplaneError extends Error {
  readonly code: DataplaneErrorCode;
  /** What the verifier said, if it was asked. */
  readonly verifierLog: string | undefined;

  constructor(code: DataplaneErrorCode, message: string, verifierLog?: string) {
    super(message);
    this.name = "DataplaneError";
    this.code = code;
    this.verifierLog = verifierLog;
  }
}
