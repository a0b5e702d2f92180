// Loads agent.proto: the one place where the agent's server and client meet proto-loader.

import { loadPackageDefinition, type ServiceClientConstructor, type ServiceDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

/** Largest message in bytes: a status with 10 000 peerings is about 2 MB. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

interface AgentPackage {
  readonly fabgate: { readonly agent: { readonly Agent: ServiceClientConstructor } };
}

/** The client class of the service; it carries the service's definition for the server. */
export function loadAgentService(): { readonly client: ServiceClientConstructor; readonly service: ServiceDefinition } {
  const definition = loadSync(`${import.meta.dirname}/agent.proto`, {
    longs: Number,
    defaults: true,
    arrays: true,
    objects: true,
  });
  const loaded = loadPackageDefinition(definition) as unknown as AgentPackage;
  const client = loaded.fabgate.agent.Agent;
  return { client, service: client.service };
}
