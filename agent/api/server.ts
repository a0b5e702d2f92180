// Serves agent.proto on the gateway's unix socket. The socket belongs to its owner alone: whoever may speak to it is root.

import { chmod, rm } from "node:fs/promises";
import { type handleUnaryCall, Server, ServerCredentials, status } from "@grpc/grpc-js";
import type { AgentCounters, AgentStatus } from "./messages.ts";
import { loadAgentService, MAX_MESSAGE_BYTES } from "./service.ts";

export interface AgentView {
  status(): AgentStatus;
  counters(): AgentCounters;
}

export class AgentServer {
  readonly #server = new Server({ "grpc.max_send_message_length": MAX_MESSAGE_BYTES });
  readonly #socketPath: string;

  constructor(socketPath: string, view: AgentView) {
    this.#socketPath = socketPath;
    this.#server.addService(loadAgentService().service, {
      getStatus: answer(() => view.status()),
      getCounters: answer(() => view.counters()),
    });
  }

  /** Listens; a socket left by an earlier agent is replaced. */
  async start(): Promise<void> {
    await rm(this.#socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${this.#socketPath}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    await chmod(this.#socketPath, 0o600);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

function answer<Reply>(make: () => Reply): handleUnaryCall<unknown, Reply> {
  return (_call, callback) => {
    try {
      callback(null, make());
    } catch (error) {
      callback({ code: status.INTERNAL, details: error instanceof Error ? error.message : String(error) });
    }
  };
}
