/** The headers in front of every request and response. */
import { field, type Infer, int16, int32, message, string } from '../schema.ts';

export const requestHeader = message(
  { name: 'RequestHeader', versions: [1, 2], flexibleSince: 2 },
  {
    requestApiKey: int16,
    requestApiVersion: int16,
    correlationId: int32,
    clientId: field(string, { nullable: 1, flexibleNever: true }),
  },
);
export type RequestHeader = Infer<typeof requestHeader>;

export const responseHeader = message(
  { name: 'ResponseHeader', versions: [0, 1], flexibleSince: 1 },
  {
    correlationId: int32,
  },
);
export type ResponseHeader = Infer<typeof responseHeader>;
