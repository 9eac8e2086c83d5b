/** AlterReplicaLogDirs, API key 34, versions 1-2. */
import { array, type Infer, int16, int32, message, string, struct } from '../schema.ts';

export const alterReplicaLogDirsRequest = message(
  { name: 'AlterReplicaLogDirsRequest', versions: [1, 2], flexibleSince: 2 },
  {
    dirs: array(
      struct({
        path: string,
        topics: array(
          struct({
            name: string,
            partitions: array(int32),
          }),
        ),
      }),
    ),
  },
);
export type AlterReplicaLogDirsRequest = Infer<typeof alterReplicaLogDirsRequest>;

export const alterReplicaLogDirsResponse = message(
  { name: 'AlterReplicaLogDirsResponse', versions: [1, 2], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    results: array(
      struct({
        topicName: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
          }),
        ),
      }),
    ),
  },
);
export type AlterReplicaLogDirsResponse = Infer<typeof alterReplicaLogDirsResponse>;
