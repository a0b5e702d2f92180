// Errors of the agent and the CLI that a user can meet. The code is stable; the message says what to do.

export class FabgateError extends Error {
  readonly code: string;
  /** Exit status of a command that ends with this error: 1 the thing asked about is wrong, 2 usage, 3 unreachable. */
  readonly exitCode: 1 | 2 | 3;

  constructor(code: string, exitCode: 1 | 2 | 3, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** No gateway of this name in the manifests. */
export class UnknownGatewayError extends FabgateError {
  constructor(name: string, known: readonly string[]) {
    const hint = known.length > 0 ? `it has: ${known.join(", ")}` : "it has no gateway at all";
    super("UNKNOWN_GATEWAY", 1, `the fabric has no gateway "${name}"; ${hint}`);
  }
}

/** The manifests ask this gateway for something that the dataplane cannot do yet. */
export class UnsupportedError extends FabgateError {
  /** One for each peering and feature. */
  readonly messages: readonly string[];

  constructor(gateway: string, messages: readonly string[]) {
    super("UNSUPPORTED", 1, `gateway ${gateway} cannot serve these manifests yet: ${messages.join("; ")}`);
    this.messages = messages;
  }
}

/** The manifests have errors; each was printed before. */
export class InvalidManifestsError extends FabgateError {
  constructor(count: number) {
    super("INVALID_MANIFESTS", 1, `${count} error${count === 1 ? "" : "s"} in the manifests`);
  }
}

/** A system command that configures the node failed. */
export class NodeCommandError extends FabgateError {
  constructor(command: string, output: string, cause?: unknown) {
    super("NODE_COMMAND_FAILED", 1, `${command}: ${output.trim() || "failed"}`, { cause });
  }
}

/** Nothing answers at the agent's socket. */
export class AgentUnreachableError extends FabgateError {
  constructor(socketPath: string, detail: string) {
    super("AGENT_UNREACHABLE", 3, `no agent answers at ${socketPath} (${detail}); is "fabgate agent" running here?`);
  }
}

/** --gateway is missing and cannot be guessed. */
export class GatewayNotChosenError extends FabgateError {
  constructor(local: readonly string[]) {
    const found =
      local.length > 0 ? `found here: ${local.join(", ")}` : "no agent has a socket under the run directory";
    super("GATEWAY_NOT_CHOSEN", 2, `name the gateway with --gateway; ${found}`);
  }
}

/** `--strict`, and there are warnings; each was printed before. */
export class StrictWarningsError extends FabgateError {
  constructor(count: number) {
    super("WARNINGS", 1, `${count} warning${count === 1 ? "" : "s"} in the manifests, and --strict allows none`);
  }
}

/** A stream without objects, where objects are to be written. */
export class NoObjectsError extends FabgateError {
  constructor() {
    super("NO_OBJECTS", 1, "there is no object in what -f names");
  }
}

/** No object of this kind and name in the manifests. */
export class UnknownObjectError extends FabgateError {
  constructor(what: string, hint: string | undefined) {
    super("NO_SUCH_OBJECT", 1, `there is no ${what}${hint === undefined ? "" : `; ${hint}`}`);
  }
}

/** What a command line says is not something that the command understands. */
export class UsageError extends FabgateError {
  constructor(message: string) {
    super("USAGE", 2, message);
  }
}

/** Objects that others refer to are not deleted. */
export class ReferredToError extends FabgateError {
  constructor(message: string) {
    super("REFERRED_TO", 1, message);
  }
}
