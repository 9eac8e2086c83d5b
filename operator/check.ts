/** `tenure check-operator URL…`: whether an operator answers at that address and one of them leads. */
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 60_000;

export async function checkOperator(url: string | undefined): Promise<void> {
  if (url === undefined) throw new Error('usage: tenure check-operator http://HOST:PORT');
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (let last = 'it does not answer'; ; await sleep(500)) {
    try {
      const response = await fetch(`${url}/metrics`);
      const text = await response.text();
      if (/^tenure_operator_leading 1$/m.test(text)) {
        process.stdout.write(`the operator at ${url} leads\n`);
        return;
      }
      last = `it answers ${response.status}, and does not lead`;
    } catch (cause) {
      last = (cause as Error).message;
    }
    if (performance.now() > deadlineMs) throw new Error(`no operator leads at ${url}: ${last}`);
  }
}

checkOperator(process.argv[2]).catch((cause: unknown) => {
  process.stderr.write(`${(cause as Error).message}\n`);
  process.exit(1);
});
