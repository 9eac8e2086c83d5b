/** DescribeCluster (60). v1 endpoint type; v2 fenced brokers where asked for. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  describeClusterRequest,
  describeClusterResponse,
} from '../../proto/kafka/messages/60-describe-cluster.ts';
import { api } from './handler.ts';
import { controllerFor, type Ports } from './ports.ts';

const BROKERS = 1;

export function describeCluster(ports: Ports) {
  const { image } = ports;
  return api({
    key: 60,
    name: 'DescribeCluster',
    request: describeClusterRequest,
    response: describeClusterResponse,
    handle({ endpointType, includeFencedBrokers }, { listener }) {
      const { clusterId } = image;
      if (endpointType !== BROKERS) {
        return {
          errorCode: codeOf('UNSUPPORTED_ENDPOINT_TYPE'),
          errorMessage: 'there are only broker endpoints',
          clusterId,
        };
      }
      const brokers = includeFencedBrokers ? image.brokers() : image.liveBrokers();
      return {
        errorCode: 0,
        endpointType,
        clusterId,
        controllerId: controllerFor(ports),
        brokers: brokers.map((broker) => ({
          brokerId: broker.id,
          ...image.addressOf(broker, listener),
          rack: broker.rack,
          isFenced: broker.fenced,
        })),
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
