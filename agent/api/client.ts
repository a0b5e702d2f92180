// The CLI's side of agent.proto.

import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import { AgentUnreachableError } from "../errors.ts";
import type { AgentCounters, AgentStatus } from "./messages.ts";
import { loadAgentService, MAX_MESSAGE_BYTES } from "./service.ts";

const CALL_TIMEOUT_MS = 5000;

/** Asks the agent behind the socket for its status. @throws AgentUnreachableError */
export function fetchStatus(socketPath: string): Promise<AgentStatus> {
  return call<AgentStatus>(socketPath, "getStatus");
}

/** Asks the agent behind the socket for the dataplane's counters. @throws AgentUnreachableError */
export function fetchCounters(socketPath: string): Promise<AgentCounters> {
  return call<AgentCounters>(socketPath, "getCounters");
}

type UnaryMethod<Reply> = (
  request: object,
  options: { deadline: number },
  callback: (error: ServiceError | null, reply: Reply) => void,
) => void;

async function call<Reply>(socketPath: string, method: string): Promise<Reply> {
  const { client: Client } = loadAgentService();
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  });
  try {
    return await new Promise<Reply>((resolve, reject) => {
      const unary = client[method] as unknown as UnaryMethod<Reply>;
      unary.call(client, {}, { deadline: Date.now() + CALL_TIMEOUT_MS }, (error, reply) => {
        if (!error) resolve(reply);
        else if (error.code === status.INTERNAL) reject(new Error(error.details));
        else reject(new AgentUnreachableError(socketPath, error.details || error.message));
      });
    });
  } finally {
    client.close();
  }
}
