/** Rules left out one at a time: the explorer must find what each of them is for. */
import { LeaderCore } from '../../broker/partition/leader-core.ts';
import { replace } from '../planted.ts';
import { type Bounds, type Rules, SOUND } from './model.ts';

export interface SpecMutant {
  readonly name: string;
  /** The rule that it leaves out. */
  readonly breaks: string;
  /** Within these bounds it shows. */
  readonly bounds: Bounds;
  /** How many states may be visited until then. */
  readonly states: number;
  readonly rules?: Partial<Rules>;
  readonly plant?: () => Disposable;
}

const bounds = (more: Partial<Bounds>): Bounds => ({
  records: 1,
  leaderEpochs: 1,
  fences: 0,
  kills: 0,
  losses: 0,
  proposals: 0,
  suspensions: 0,
  drains: 0,
  ...more,
});

export const mutants: readonly SpecMutant[] = [
  {
    name: 'isr-not-enforced',
    breaks: 'a record is committed when every in-sync replica has it',
    bounds: bounds({}),
    states: 200_000,
    plant: () =>
      replace(LeaderCore, 'advance', (_original, self, [writtenOffset]) => {
        self.hw = Math.max(self.hw, writtenOffset);
      }),
  },
  {
    name: 'min-isr-not-enforced',
    breaks:
      'nothing is committed while the ISR has fewer members than min.insync.replicas (KIP-966)',
    bounds: bounds({ fences: 2 }),
    states: 1_000_000,
    plant: () => replace(LeaderCore, 'effectiveMinIsr', () => 1),
  },
  {
    name: 'proposed-not-counted',
    breaks: 'a proposed member of the ISR counts from the moment it is proposed (KIP-497)',
    bounds: bounds({ fences: 1, proposals: 1 }),
    states: 1_000_000,
    plant: () => replace(LeaderCore, 'maximalIsr', (_original, self) => self.current.isr),
  },
  {
    name: 'former-life-counts',
    breaks: 'what a broker confirmed in an earlier life counts for nothing (KIP-903)',
    bounds: bounds({ losses: 1, proposals: 1 }),
    states: 1_000_000,
    plant: () =>
      replace(LeaderCore, 'onFollower', (original, self, [at, ...rest]) => {
        const before = self.followers.get(at.id)?.endOffset ?? -1;
        return original({ ...at, endOffset: Math.max(at.endOffset, before) }, ...rest);
      }),
  },
  {
    name: 'shrinks-by-itself',
    breaks: 'a leader never shrinks its ISR by itself',
    bounds: bounds({ fences: 1, proposals: 1 }),
    states: 500_000,
    plant: () =>
      replace(LeaderCore, 'propose', (original, self, args) => {
        const isr = original(...args);
        if (isr !== null && isr.length < self.current.isr.length)
          self.current = { ...self.current, isr };
        return isr;
      }),
  },
  {
    name: 'joins-below-epoch-start',
    breaks: 'nobody joins the ISR below the start of the leader epoch',
    bounds: bounds({ fences: 2, proposals: 1 }),
    states: 2_000_000,
    plant: () =>
      replace(LeaderCore, 'propose', (original, self, args) => {
        const { epochStartOffset } = self;
        self.epochStartOffset = 0;
        const isr = original(...args);
        self.epochStartOffset = epochStartOffset;
        return isr;
      }),
  },
  {
    name: 'truncates-to-high-watermark',
    breaks: 'a follower cuts its log by epochs, never to what it believes is committed (KIP-101)',
    bounds: bounds({ leaderEpochs: 2, fences: 2 }),
    states: 500_000,
    rules: { cutsToHighWatermark: true },
  },
  {
    name: 'no-cut-where-logs-part',
    breaks: 'a follower throws away what its leader does not have (KIP-279)',
    bounds: bounds({ records: 2, fences: 1 }),
    states: 500_000,
    rules: { cutsWhereLogsPart: false },
  },
  {
    name: 'loss-not-noticed',
    breaks: 'a broker that may have lost data begins with a new standing',
    bounds: bounds({ losses: 1 }),
    states: 200_000,
    rules: { noticesLoss: false },
  },
  {
    name: 'proposal-forgotten',
    breaks: 'a proposal that nobody has decided about stays in force',
    bounds: bounds({ fences: 1, proposals: 1 }),
    states: 1_000_000,
    rules: { keepsProposal: false },
  },
  {
    name: 'leadership-forgotten',
    breaks: 'who leads again in the same epoch goes on with what it had proposed',
    bounds: bounds({ fences: 1, proposals: 1, suspensions: 1 }),
    states: 1_500_000,
    rules: { remembersLeadership: false },
  },
  {
    name: 'stale-request-granted',
    breaks: 'a change of the ISR holds for the line that it was made for',
    bounds: bounds({ fences: 1, proposals: 1 }),
    states: 1_000_000,
    rules: { checksPartitionEpoch: false },
  },
];

export const rulesOf = ({ rules }: SpecMutant): Rules => ({ ...SOUND, ...rules });
