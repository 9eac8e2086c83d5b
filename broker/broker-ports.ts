/** What a broker is given: everything of the outside world. Only main.ts makes the real ones. */
import type { KubeApi } from '../kube/port.ts';
import type { Chance } from '../stdx/chance.ts';
import type { Clock } from '../stdx/clock.ts';
import type { Disk } from '../stdx/disk.ts';
import type { Logger } from '../stdx/logger.ts';
import type { Workers } from '../stdx/workers.ts';
import type { BrokerNetwork } from './network.ts';

export interface BrokerPorts {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly api: KubeApi;
  readonly network: BrokerNetwork;
  /** Who unpacks batches. */
  readonly workers: Workers;
  /** Changes with every boot of the machine; empty where unknown. */
  readonly bootId: string;
  /** For people who look for it. */
  readonly processId: number;
  /** The process must end: another one took its place, or its disk failed. */
  readonly onFatal: (why: string) => void;
  readonly version: string;
  /** Whether this is the only broker of the process. */
  readonly ownsProcess: boolean;
}
