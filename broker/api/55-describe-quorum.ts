/**
 * DescribeQuorum (55). There is no quorum: the Lease that one broker holds is shown as if there
 * were one, so that tools which ask find the controller and its epoch.
 */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  describeQuorumRequest,
  describeQuorumResponse,
} from '../../proto/kafka/messages/55-describe-quorum.ts';
import { api } from './handler.ts';
import { endpointOf, type Ports } from './ports.ts';

const METADATA_TOPIC = '__cluster_metadata';

export function describeQuorum(ports: Ports) {
  const { clock, image } = ports;
  const describe = (topicName: string, partitionIndex: number) => {
    if (topicName !== METADATA_TOPIC || partitionIndex !== 0)
      return { partitionIndex, errorCode: codeOf('UNKNOWN_TOPIC_OR_PARTITION') };
    const nowMs = clock.nowMs();
    const epoch = image.controllerEpoch;
    const voters = image.liveBrokers().map(({ id }) => ({
      replicaId: id,
      logEndOffset: epoch,
      lastFetchTimestamp: nowMs,
      lastCaughtUpTimestamp: nowMs,
    }));
    return {
      partitionIndex,
      errorCode: 0,
      leaderId: image.controllerId,
      leaderEpoch: epoch,
      highWatermark: epoch,
      currentVoters: voters,
      observers: [],
    };
  };
  return api({
    key: 55,
    name: 'DescribeQuorum',
    request: describeQuorumRequest,
    response: describeQuorumResponse,
    handle: ({ topics }, { listener }) => ({
      errorCode: 0,
      topics: topics.map(({ topicName, partitions }) => ({
        topicName,
        partitions: partitions.map(({ partitionIndex }) => describe(topicName, partitionIndex)),
      })),
      nodes: image.liveBrokers().map((broker) => {
        const { nodeId, host, port } = endpointOf(ports, broker, listener);
        return { nodeId, listeners: [{ name: 'CONTROLLER', host, port }] };
      }),
    }),
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
