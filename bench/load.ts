/**
 * The load generator as a process of its own, so that its work never shares a thread with what it measures.
 *
 *     node bench/load.ts --url http://127.0.0.1:7300 --target ours|baseline --token SECRET --customers ids.json
 *       [--plan pro] [--connections 64] [--seconds 5] [--warmup 1] [--requests N]
 *
 * `--customers` names a JSON array of customer ids; `--requests` ends the measurement early. Prints one JSON
 * line, a `LoadResult`.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { generateLoad } from './load-generator.ts';
import { isTargetName, TARGETS } from './targets.ts';

function required(value: string | undefined, name: string): string {
  if (value === undefined) throw new Error(`--${name} is required`);
  return value;
}

function positive(text: string, name: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be a positive number, not ${text}`);
  return value;
}

function readCustomers(path: string): string[] {
  const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (Array.isArray(parsed) && parsed.every((id) => typeof id === 'string')) return parsed;
  throw new Error(`${path} is not a JSON array of customer ids`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      target: { type: 'string' },
      token: { type: 'string' },
      customers: { type: 'string' },
      plan: { type: 'string', default: 'pro' },
      connections: { type: 'string', default: '64' },
      seconds: { type: 'string', default: '5' },
      warmup: { type: 'string', default: '1' },
      requests: { type: 'string', default: 'Infinity' },
    },
  });
  const target = required(values.target, 'target');
  if (!isTargetName(target)) throw new Error(`--target must be one of ${Object.keys(TARGETS).join(', ')}`);
  const url = new URL(required(values.url, 'url'));
  const result = await generateLoad({
    host: url.hostname,
    port: positive(url.port || '80', 'url port'),
    connections: positive(values.connections, 'connections'),
    warmupSeconds: Number(values.warmup),
    seconds: positive(values.seconds, 'seconds'),
    requestsMax: positive(values.requests, 'requests'),
    next: TARGETS[target]({
      token: required(values.token, 'token'),
      plan: values.plan,
      customers: readCustomers(required(values.customers, 'customers')),
    }),
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

await main();
