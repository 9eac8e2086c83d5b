/**
 * FindCoordinator (10). Key type 0 is a group, 1 a transactional id, 2 a share of a partition; v4 asks for several. Makes the
 * internal topics on demand.
 */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../../proto/kafka/messages/10-find-coordinator.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { api } from './handler.ts';
import { OFFSETS_TOPIC, type Ports, SHARE_TOPIC, TRANSACTIONS_TOPIC } from './ports.ts';

const GROUP = 0;
const TRANSACTION = 1;
const SHARE = 2;
/** Share groups are asked for by partition: group:topicId:partition. */
const SHARE_KEY = /^.+:[\w-]{22}:\d+$/;

export function findCoordinator(ports: Ports) {
  const { image } = ports;
  const kinds = new Map([
    [
      GROUP,
      { topic: OFFSETS_TOPIC, partitionFor: (key: string) => ports.groups.partitionFor(key) },
    ],
    [
      TRANSACTION,
      {
        topic: TRANSACTIONS_TOPIC,
        partitionFor: (key: string) => ports.transactions.partitionFor(key),
      },
    ],
    [SHARE, { topic: SHARE_TOPIC, partitionFor: ports.shareCoordinatorFor }],
  ]);

  const find = (key: string, keyType: number, listener: string) => {
    const none = (error: ErrorName, errorMessage: string) => ({
      key,
      nodeId: -1,
      host: '',
      port: -1,
      errorCode: codeOf(error),
      errorMessage,
    });
    const kind = kinds.get(keyType);
    if (kind === undefined || (keyType === SHARE && !SHARE_KEY.test(key)))
      return none('INVALID_REQUEST', 'the key must be that of a group, a transaction or a share');
    const topic = image.topic(kind.topic);
    if (topic === null) {
      ports.ensureTopic(kind.topic);
      return none('COORDINATOR_NOT_AVAILABLE', `${kind.topic} is being created`);
    }
    const leader = topic.partitions[kind.partitionFor(key)]?.leader ?? null;
    const broker = leader === null ? null : image.broker(leader.id);
    if (broker === null || broker.fenced)
      return none('COORDINATOR_NOT_AVAILABLE', 'the partition of this key has no leader now');
    return {
      key,
      nodeId: broker.id,
      ...image.addressOf(broker, listener),
      errorCode: 0,
      errorMessage: null,
    };
  };

  return api({
    key: 10,
    name: 'FindCoordinator',
    request: findCoordinatorRequest,
    response: findCoordinatorResponse,
    async handle({ key, keyType, coordinatorKeys }, { apiVersion, connection, listener }) {
      if (apiVersion >= 4) {
        const pace = new Pace(ports.turn.share, connection);
        const coordinators = await mapInTurns(pace, coordinatorKeys, (one) =>
          find(one, keyType, listener),
        );
        return { coordinators };
      }
      return find(key, keyType, listener);
    },
    failed: ({ key, coordinatorKeys }, error, apiVersion) => {
      const one = { nodeId: -1, host: '', port: -1, errorCode: codeOf(error) };
      return apiVersion >= 4
        ? { coordinators: [key, ...coordinatorKeys].map((of) => ({ key: of, ...one })) }
        : one;
    },
  });
}
