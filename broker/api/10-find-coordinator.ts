/** FindCoordinator (10). Key type 0 is a group; v4 asks for several. Makes __consumer_offsets on demand. */
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../../proto/kafka/messages/10-find-coordinator.ts';
import { api } from './handler.ts';
import { OFFSETS_TOPIC, type Ports } from './ports.ts';

const GROUP = 0;

export function findCoordinator(ports: Ports) {
  const { image, config } = ports;
  let creating = false;

  const createOffsetsTopic = () => {
    if (creating || image.topicObjectNamed(OFFSETS_TOPIC) !== null) return;
    creating = true;
    const brokers = Math.max(image.liveBrokers().length, 1);
    const done = () => {
      creating = false;
    };
    ports.admin
      .create({
        name: OFFSETS_TOPIC,
        partitions: config.number('offsets.topic.num.partitions'),
        replicas: Math.min(config.number('offsets.topic.replication.factor'), brokers),
        config: {
          'cleanup.policy': 'compact',
          'compression.type': 'producer',
          'segment.bytes': '104857600',
        },
      })
      .then(done, (cause: unknown) => {
        done();
        if (!(cause instanceof KafkaError)) throw cause;
      });
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
    if (keyType !== GROUP)
      return none('INVALID_REQUEST', 'only groups have a coordinator in this version');
    const topic = image.topic(OFFSETS_TOPIC);
    if (topic === null) {
      createOffsetsTopic();
      return none('COORDINATOR_NOT_AVAILABLE', `${OFFSETS_TOPIC} is being created`);
    }
    const leader = topic.partitions[ports.groups.partitionFor(key)]?.leader ?? null;
    const broker = leader === null ? null : image.broker(leader.id);
    if (broker === null || broker.fenced)
      return none('COORDINATOR_NOT_AVAILABLE', 'the partition of this group has no leader now');
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
