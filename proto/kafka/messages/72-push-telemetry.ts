/** PushTelemetry, API key 72, versions 0. */
import { bool, bytes, type Infer, int8, int16, int32, message, uuid } from '../schema.ts';

export const pushTelemetryRequest = message(
  { name: 'PushTelemetryRequest', versions: [0, 0], flexibleSince: 0 },
  {
    clientInstanceId: uuid,
    subscriptionId: int32,
    terminating: bool,
    compressionType: int8,
    metrics: bytes,
  },
);
export type PushTelemetryRequest = Infer<typeof pushTelemetryRequest>;

export const pushTelemetryResponse = message(
  { name: 'PushTelemetryResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
  },
);
export type PushTelemetryResponse = Infer<typeof pushTelemetryResponse>;
