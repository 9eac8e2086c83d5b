/** How a request to both systems is written down, and what many of them share. */
import type { BrokerConnection } from '../../../client/connection.ts';
import { ZERO_UUID } from '../../../proto/kafka/cursor.ts';
import type { ApiName, apis } from '../../../proto/kafka/messages/index.ts';
import { buildBatch } from '../../../proto/kafka/record-batch.ts';
import type { Message, Partially } from '../../../proto/kafka/schema.ts';

export interface Context {
  /** What earlier steps remembered of this system: topic ids, member ids, producers. */
  readonly known: Map<string, any>;
  connection(): Promise<BrokerConnection>;
  /** The connection is gone: the next request opens another. */
  drop(): void;
}

export type RequestOf<A extends ApiName> =
  (typeof apis)[A]['request'] extends Message<infer T> ? Partially<T> : never;
export type ResponseOf<A extends ApiName> =
  (typeof apis)[A]['response'] extends Message<infer T> ? T : never;

export interface Step {
  readonly name: string;
  readonly api: ApiName;
  /** The newest version where nothing is said. */
  readonly versions?: readonly number[];
  readonly body: object | ((context: Context) => object);
  readonly retry?: (answer: never) => boolean;
  readonly keep?: (answer: never, context: Context) => void;
  /** The part of the answer that is compared. */
  readonly show?: (answer: never) => unknown;
  /** Later steps need it. */
  readonly always?: boolean;
}

export const steps: Step[] = [];
export function ask<A extends ApiName>(
  name: string,
  api: A,
  body: RequestOf<A> | ((context: Context) => RequestOf<A>),
  more: {
    versions?: readonly number[];
    retry?: (answer: ResponseOf<A>) => boolean;
    keep?: (answer: ResponseOf<A>, context: Context) => void;
    show?: (answer: ResponseOf<A>) => unknown;
    always?: boolean;
  } = {},
): void {
  steps.push({ name, api, body, ...more } as Step);
}

export const span = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
export const sorted = <T>(list: readonly T[], key: (item: T) => string | number): T[] =>
  [...list].sort((a, b) => (key(a) < key(b) ? -1 : 1));
export const idOf = (context: Context, topic: string) =>
  (context.known.get(`id:${topic}`) as string | undefined) ?? ZERO_UUID;
export const soft = new Set([14, 15, 16, 5, 3, 51, 13]);

export const NOW = Date.now();
export const records = (count: number, more: Parameters<typeof buildBatch>[1] | object = {}) =>
  buildBatch(
    Array.from({ length: count }, (_, i) => ({
      key: Buffer.from(`k${i}`),
      value: Buffer.from(`v${i}`),
    })),
    { timestampMs: NOW, ...more },
  );
export const produceTo =
  (topic: string, batch: Buffer | null, more: object = {}) =>
  (context: Context) =>
    ({
      transactionalId: null,
      acks: -1,
      timeoutMs: 5000,
      topicData: [
        {
          topicId: idOf(context, topic),
          name: topic,
          partitionData: [{ index: 0, records: batch as never }],
        },
      ],
      ...more,
    }) as RequestOf<'Produce'>;

export function baseOffsetKind({ responses }: ResponseOf<'Produce'>) {
  return responses.map(({ partitionResponses }) =>
    partitionResponses.map(({ errorCode, baseOffset }) => ({
      errorCode,
      isGiven: baseOffset >= 0,
    })),
  );
}

export const offsets = (c: Context, groupId: string, partitionIndexes: number[] | null) =>
  ({
    groupId,
    topics: partitionIndexes === null ? null : [{ name: 't', partitionIndexes }],
    groups: [
      {
        groupId,
        memberId: null,
        memberEpoch: -1,
        topics:
          partitionIndexes === null
            ? null
            : [{ name: 't', topicId: idOf(c, 't'), partitionIndexes }],
      },
    ],
    requireStable: false,
  }) as RequestOf<'OffsetFetch'>;
