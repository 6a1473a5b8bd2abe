/**
 * The server's process: `node main.ts <config.json>`. Prints one JSON line when it listens; alarms and
 * errors are JSON lines on stderr.
 */
import { readServerConfig } from './config.ts';
import { startServer } from './server.ts';

async function main(): Promise<void> {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: server <config.json>');
  const server = await startServer(readServerConfig(file), {
    onProgress: (progress) => process.stderr.write(`${JSON.stringify({ progress })}\n`),
    onDeath: (error) => fail(error),
  });
  process.stdout.write(`${JSON.stringify({ listening: server.urls })}\n`);
  await stopRequested();
  await server[Symbol.asyncDispose]();
}

/** A signal, or the end of the supervisor that started this process and holds its channel. */
function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    process.once('disconnect', () => resolve());
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
}

function fail(error: unknown): never {
  process.stderr.write(`server: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

main().then(() => process.exit(0), fail);
