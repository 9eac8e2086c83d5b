/** One attack as a process of its own: `hostile.ts NAME SECONDS TARGET`, the target as JSON. */
import { attacks, type Target } from './kinds.ts';

const [name, seconds, target] = process.argv.slice(2);
const attack = attacks[name as keyof typeof attacks] ?? undefined;
if (attack === undefined) throw new Error(`there is no attack ${name}`);
const lastsMs = Number(seconds) * 1000;
let isOver = false;
setTimeout(() => {
  isOver = true;
}, lastsMs);
// Whoever started this may be killed; and what hangs is over as well.
process.on('disconnect', () => process.exit(1));
setTimeout(() => process.exit(0), lastsMs + 2_000);
await attack.run({ ...(JSON.parse(target ?? '') as Omit<Target, 'isOver'>), isOver: () => isOver });
process.exit(0);
