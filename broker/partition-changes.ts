/** What administrators ask of partitions: whoever the controller is decides; it may be this broker. */
import { errorName } from '../proto/kafka/errors.ts';
import { expectNoBug } from '../stdx/bug.ts';
import type { Logger } from '../stdx/logger.ts';
import type { ChangeOutcome, PartitionChange } from './api/ports.ts';
import type { ControllerClient } from './replication/controller-client.ts';

export async function changePartitions(
  { controller, logger }: { readonly controller: ControllerClient; readonly logger: Logger },
  changes: readonly PartitionChange[],
  timeoutMs: number,
): Promise<ChangeOutcome[]> {
  const nobody = { error: 'NOT_CONTROLLER', message: 'there is no controller now' } as const;
  try {
    const { accepted, results } = await controller.changePartitions(
      changes,
      Math.min(Math.max(timeoutMs, 1000), 60_000),
    );
    if (!accepted) return changes.map(() => nobody);
    return results.map(({ errorCode, message }) => ({
      error: errorName(errorCode),
      message: message === '' ? null : message,
    }));
  } catch (cause) {
    expectNoBug('asking the controller', cause);
    logger.warn('the controller does not answer', { cause });
    return changes.map(() => nobody);
  }
}
