/** GetTelemetrySubscriptions, API key 71, versions 0. */
import { array, bool, type Infer, int8, int16, int32, message, string, uuid } from '../schema.ts';

export const getTelemetrySubscriptionsRequest = message(
  { name: 'GetTelemetrySubscriptionsRequest', versions: [0, 0], flexibleSince: 0 },
  {
    clientInstanceId: uuid,
  },
);
export type GetTelemetrySubscriptionsRequest = Infer<typeof getTelemetrySubscriptionsRequest>;

export const getTelemetrySubscriptionsResponse = message(
  { name: 'GetTelemetrySubscriptionsResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    clientInstanceId: uuid,
    subscriptionId: int32,
    acceptedCompressionTypes: array(int8),
    pushIntervalMs: int32,
    telemetryMaxBytes: int32,
    deltaTemporality: bool,
    requestedMetrics: array(string),
  },
);
export type GetTelemetrySubscriptionsResponse = Infer<typeof getTelemetrySubscriptionsResponse>;
