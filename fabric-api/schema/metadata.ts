// `metadata`, alike for all kinds.

import { z } from "zod";
import { ignored, namespaceName, objectName } from "./common.ts";

const texts = z.record(z.string(), z.string()).default({});

export const metadata = z.strictObject({
  name: objectName,
  namespace: namespaceName.default("default"),
  labels: texts,
  annotations: texts,
  uid: ignored,
  resourceVersion: ignored,
  generation: ignored,
  creationTimestamp: ignored,
  managedFields: ignored,
  // kubectl prints these too where a cluster sets them.
  finalizers: ignored,
  ownerReferences: ignored,
  selfLink: ignored,
});
