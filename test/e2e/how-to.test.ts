/** The commands of docs/how-to, run as they stand, page by page, on one cluster. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT } from '../../stdx/root.ts';
import { startTestCluster, type TestCluster } from '../support/local.ts';
import { missing, runProgram } from '../support/programs.ts';

const FOLDER = join(ROOT, 'docs/how-to');
const skip = missing('kubectl');
let cluster: TestCluster;

before(async () => {
  if (skip === false) cluster = await startTestCluster();
});
after(() => cluster?.[Symbol.asyncDispose]());

for (const page of readdirSync(FOLDER).sort((a, b) => a.localeCompare(b))) {
  test(page, { skip, timeout: 240_000 }, async () => {
    const text = readFileSync(join(FOLDER, page), 'utf8');
    const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '');
    assert.ok(blocks.length > 0);
    for (const block of blocks) {
      const { code, stderr, stdout } = await runProgram('bash', ['-euo', 'pipefail', '-c', block], {
        env: { KUBECONFIG: cluster.kubeconfig },
        timeoutMs: 200_000,
      });
      assert.equal(code, 0, `${block}\n${stdout}\n${stderr}`);
    }
  });
}
