/** DescribeLogDirs, API key 35, versions 1-5. */
import {
  array,
  bool,
  field,
  type Infer,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
} from '../schema.ts';

export const describeLogDirsRequest = message(
  { name: 'DescribeLogDirsRequest', versions: [1, 5], flexibleSince: 2 },
  {
    topics: field(
      array(
        struct({
          topic: string,
          partitions: array(int32),
        }),
      ),
      { nullable: 0 },
    ),
  },
);
export type DescribeLogDirsRequest = Infer<typeof describeLogDirsRequest>;

export const describeLogDirsResponse = message(
  { name: 'DescribeLogDirsResponse', versions: [1, 5], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    errorCode: field(int16, { since: 3 }),
    results: array(
      struct({
        errorCode: int16,
        logDir: string,
        topics: array(
          struct({
            name: string,
            partitions: array(
              struct({
                partitionIndex: int32,
                partitionSize: int64,
                offsetLag: int64,
                isFutureKey: bool,
              }),
            ),
          }),
        ),
        totalBytes: field(int64, { since: 4, default: -1 }),
        usableBytes: field(int64, { since: 4, default: -1 }),
        isCordoned: field(bool, { since: 5 }),
      }),
    ),
  },
);
export type DescribeLogDirsResponse = Infer<typeof describeLogDirsResponse>;
