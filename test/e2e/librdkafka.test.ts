/** The newest librdkafka against three real brokers, through Python's binding of it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../stdx/root.ts';
import { startTestCluster } from '../support/local.ts';
import { runProgram } from '../support/programs.ts';

const python = process.env.TENURE_TEST_PYTHON ?? 'python3';
const skip =
  spawnSync(python, ['-c', 'import confluent_kafka']).status === 0
    ? false
    : `${python} has no confluent-kafka package`;

test('librdkafka: idempotence, every codec, groups of both protocols, transactions, admin calls', {
  skip,
}, async (t) => {
  await using cluster = await startTestCluster();
  const { code, stdout, stderr } = await runProgram(
    python,
    [join(ROOT, 'test/python/client_test.py'), cluster.bootstrap],
    { timeoutMs: 120_000 },
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^ok \d/);
  t.diagnostic(`librdkafka ${stdout.trim().slice(3)}`);
});
