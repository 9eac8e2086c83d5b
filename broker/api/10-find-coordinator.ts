/**
 * FindCoordinator (10). Key type 0 is a group, 1 a transactional id; v4 asks for several. Makes the
 * internal topics on demand.
 */
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../../proto/kafka/messages/10-find-coordinator.ts';
import { api } from './handler.ts';
import { OFFSETS_TOPIC, type Ports, TRANSACTIONS_TOPIC } from './ports.ts';

const GROUP = 0;
const TRANSACTION = 1;

export function findCoordinator(ports: Ports) {
  const { image, config } = ports;
  const creating = new Set<string>();

  const kinds = {
    [OFFSETS_TOPIC]: () => ({
      partitions: config.number('offsets.topic.num.partitions'),
      replicas: config.number('offsets.topic.replication.factor'),
      config: { 'segment.bytes': '104857600' },
    }),
    [TRANSACTIONS_TOPIC]: () => {
      const replicas = config.number('transaction.state.log.replication.factor');
      const minIsr = config.number('transaction.state.log.min.isr');
      return {
        partitions: config.number('transaction.state.log.num.partitions'),
        replicas,
        config: {
          'segment.bytes': '104857600',
          'min.insync.replicas': String(Math.min(minIsr, replicas, liveCount())),
        },
      };
    },
  };
  const liveCount = () => Math.max(image.liveBrokers().length, 1);

  const create = (name: keyof typeof kinds) => {
    if (creating.has(name) || image.topicObjectNamed(name) !== null) return;
    creating.add(name);
    const { partitions, replicas, config: own } = kinds[name]();
    ports.admin
      .create({
        name,
        partitions,
        replicas: Math.min(replicas, liveCount()),
        config: { 'cleanup.policy': 'compact', 'compression.type': 'producer', ...own },
      })
      .catch((cause: unknown) => {
        if (!(cause instanceof KafkaError)) throw cause;
      })
      .finally(() => creating.delete(name));
  };

  const find = (key: string, keyType: number) => {
    const none = (error: ErrorName, errorMessage: string) => ({
      key,
      nodeId: -1,
      host: '',
      port: -1,
      errorCode: codeOf(error),
      errorMessage,
    });
    if (keyType !== GROUP && keyType !== TRANSACTION)
      return none('INVALID_REQUEST', 'a coordinator is that of a group or of a transactional id');
    const isGroup = keyType === GROUP;
    const name = isGroup ? OFFSETS_TOPIC : TRANSACTIONS_TOPIC;
    const topic = image.topic(name);
    if (topic === null) {
      create(name);
      return none('COORDINATOR_NOT_AVAILABLE', `${name} is being created`);
    }
    const index = (isGroup ? ports.groups : ports.transactions).partitionFor(key);
    const leader = topic.partitions[index]?.leader ?? null;
    const broker = leader === null ? null : image.broker(leader.id);
    if (broker === null || broker.fenced)
      return none('COORDINATOR_NOT_AVAILABLE', 'the partition of this key has no leader now');
    return {
      key,
      nodeId: broker.id,
      host: broker.host,
      port: broker.port,
      errorCode: 0,
      errorMessage: null,
    };
  };

  return api({
    key: 10,
    name: 'FindCoordinator',
    request: findCoordinatorRequest,
    response: findCoordinatorResponse,
    handle({ key, keyType, coordinatorKeys }, { apiVersion }) {
      if (apiVersion >= 4)
        return { coordinators: coordinatorKeys.map((one) => find(one, keyType)) };
      return find(key, keyType);
    },
    failed: ({ key, coordinatorKeys }, error, apiVersion) => {
      const one = { nodeId: -1, host: '', port: -1, errorCode: codeOf(error) };
      return apiVersion >= 4
        ? { coordinators: [key, ...coordinatorKeys].map((of) => ({ key: of, ...one })) }
        : one;
    },
  });
}
