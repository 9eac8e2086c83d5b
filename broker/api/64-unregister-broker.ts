/** UnregisterBroker (64). Forgets a broker that is gone for good; one that lives or holds replicas stays. */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  unregisterBrokerRequest,
  unregisterBrokerResponse,
} from '../../proto/kafka/messages/64-unregister-broker.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function unregisterBroker({ admin, image }: Ports) {
  const refuse = (error: ErrorName, errorMessage: string) => ({
    errorCode: codeOf(error),
    errorMessage,
  });
  return api({
    key: 64,
    name: 'UnregisterBroker',
    request: unregisterBrokerRequest,
    response: unregisterBrokerResponse,
    async handle({ brokerId }) {
      const broker = image.broker(brokerId);
      if (broker === null)
        return refuse('BROKER_ID_NOT_REGISTERED', `broker ${brokerId} is not registered`);
      if (!broker.fenced)
        return refuse('INVALID_REQUEST', `broker ${brokerId} lives: it must be stopped first`);
      const held = image
        .topics()
        .flatMap(({ partitions }) => partitions)
        .filter((line) => line?.replicas.includes(brokerId)).length;
      if (held > 0) {
        const message = `broker ${brokerId} holds ${held} replicas: they must be moved first`;
        return refuse('INVALID_REQUEST', message);
      }
      await admin.forgetBroker(brokerId);
      return { errorCode: 0, errorMessage: null };
    },
    failed: (_request, error) => refuse(error, error),
  });
}
