import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FairQueue } from './workers.ts';

test('jobs of one owner keep their order, and nobody waits for more than one of each other', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3), { maxLength: 40 }), (owners) => {
      const queue = new FairQueue<{ owner: number; i: number }>();
      const keys = [{}, {}, {}, {}];
      for (const [i, owner] of owners.entries()) queue.push(keys[owner] as object, { owner, i });
      const taken: { owner: number; i: number }[] = [];
      for (let job = queue.shift(); job !== null; job = queue.shift()) taken.push(job);
      assert.equal(taken.length, owners.length);
      for (const owner of [0, 1, 2, 3]) {
        const own = taken.filter((job) => job.owner === owner).map(({ i }) => i);
        assert.deepEqual(
          own,
          own.toSorted((a, b) => a - b),
        );
        const others = new Set(owners.filter((other) => other !== owner)).size;
        const first = taken.findIndex((job) => job.owner === owner);
        assert.ok(first <= others);
      }
    }),
  );
});
