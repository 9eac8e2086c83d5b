/** How a broker leaves: the controller moves what it leads before it stops. */
import type { Member } from '../kube/partition-line.ts';
import { expectNoBug } from '../stdx/bug.ts';
import { type Clock, sleep } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { ControllerClient } from './replication/controller-client.ts';

const RETRY_MS = 50;
/** One try; the next one may go to another controller. */
const LEAVE_TIMEOUT_MS = 5_000;

export interface HandOverDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly image: MetadataImage;
  readonly controller: ControllerClient;
  readonly self: () => Member;
  /** After that the broker stops without it. */
  readonly timeoutMs: number;
  /** Gives up being controller, and standing for it. */
  readonly stepBack: () => Promise<void>;
}

/** Asks the controller to move what this broker leads; gives up in time. */
export async function handOver(deps: HandOverDeps): Promise<void> {
  const { clock, controller, image, logger, self, stepBack, timeoutMs } = deps;
  const { id } = self();
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  // Who is leaving as well takes nothing over: a cluster that stops as a whole stops at once.
  const nobodyLeft = () => image.liveBrokers().every((one) => one.id === id || one.draining);
  // Who leaves is no controller, and does not become one: somebody who stays moves the leaders.
  if (!nobodyLeft()) await stepBack();
  while (clock.monotonicMs() < deadlineMs) {
    if (nobodyLeft()) return;
    try {
      if (image.controllerId >= 0 && image.controllerId !== id) {
        const leftMs = Math.min(deadlineMs - clock.monotonicMs(), LEAVE_TIMEOUT_MS);
        const { accepted, leadersLeft } = await controller.leave({ ...self() }, leftMs);
        if (accepted) {
          logger.info('handed over', { leadersLeft });
          return;
        }
      }
    } catch (cause) {
      expectNoBug('handing over', cause);
      logger.debug('handing over failed, trying again', { cause });
    }
    await sleep(clock, RETRY_MS);
  }
  logger.warn('handing over took too long, stopping without it');
}

const REST_MS = 15_000;
const END_MS = 30_000;

/** The end of a broker whose disk failed: it leaves, rests, stops in good order, and is no more. */
export function endForStorage(of: {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly leave: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly onFatal: (why: string) => void;
}): void {
  const end = () => of.onFatal('the disk failed');
  // A disk that does not answer must not hold up the end.
  of.clock.after(of.timeoutMs + END_MS, end);
  void of
    .leave()
    // What is wrong with a disk is seldom over in a moment.
    .then(() => sleep(of.clock, REST_MS))
    .then(of.stop)
    .finally(end);
}
